"""What is known of the objects of hits, as JSON that goes with the hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from lasair_broker.archive import Archive

from ._outputs import LightCurve

__all__ = ["alerts_of"]

_LISTS = {
    "diaSources": "diaSourcesList",
    "diaForcedSources": "diaForcedSourcesList",
    "diaNondetectionLimits": "diaNondetectionLimitsList",
}
_LITE = {
    "diaSources": ("psfFlux", "psfFluxErr", "midpointMjdTai", "band", "reliability"),
    "diaForcedSources": ("psfFlux", "psfFluxErr", "midpointMjdTai", "band"),
    "diaNondetectionLimits": (),
}


def alerts_of(archive: Archive, diaObjectIds: Sequence[int], how: LightCurve) -> list[bytes]:
    """For each of the objects, in this order, its `alert` as Lasair's consumers know it, a JSON object.

    "lite" has the lists diaSourcesList and diaForcedSourcesList with what a plot needs; "full" has every
    column of these and of diaNondetectionLimitsList, the object's state (diaObject) and its ebv. It is the
    state at the moment of delivery. Nothing for LightCurve.NONE.
    """
    if how is LightCurve.NONE or not diaObjectIds:
        return []
    distinct = sorted(set(diaObjectIds))
    parts: dict[int, dict[str, Any]] = {number: {} for number in distinct}
    if how is LightCurve.FULL:
        states = archive.rows_of_objects("objects", distinct)
        for state in states.to_pylist():
            parts[state["diaObjectId"]].update(diaObject=state, ebv=state.get("ebv"))
    lite = how is LightCurve.LITE
    wanted = {name: ("diaObjectId", *columns) for name, columns in _LITE.items()} if lite else None
    curves = archive.light_curves(distinct, wanted)
    for name, key in _LISTS.items():
        if lite and not _LITE[name]:
            continue
        rows = _rows_by_object(getattr(curves, name), keep_id=not lite)
        for number, part in parts.items():
            part[key] = rows.get(number, [])
    written = {number: orjson.dumps(part, default=_plain) for number, part in parts.items()}
    return [written[number] for number in diaObjectIds]


def _rows_by_object(table: pa.Table, *, keep_id: bool) -> Mapping[int, list[dict[str, Any]]]:
    """The rows of each object of a table that is ordered by object."""
    ids = table.column("diaObjectId").to_numpy()
    rows = (table if keep_id else table.drop_columns(["diaObjectId"])).to_pylist()
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1)) if len(ids) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(ids))
    return {int(ids[a]): rows[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=False)}


def _plain(value: object) -> object:
    """What JSON has no word for: bytes, which no column of an object or light curve should have."""
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
