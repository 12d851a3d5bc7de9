"""Which objects are told of again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .._subscriptions import Renotify
from ._content import json_values

__all__ = ["to_tell"]

Bools = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


def to_tell(
    rule: Renotify, diaObjectId: Int64, arrivedMjdTai: Float64, rows: pa.Table, told: pa.Table
) -> Bools:
    """Which of a filter's matches are to be told.

    Parameters
    ----------
    rule
        The filter's.
    diaObjectId, arrivedMjdTai, rows
        For each match the object, when its alert or annotation arrived (MJD TAI), and the selected columns.
    told
        The newest hit of the filter for each object that has one: rows of table `filter_hits`.
    """
    if rule.always or not told.num_rows:
        return np.ones(len(diaObjectId), np.bool_)
    known = told.column("diaObjectId").to_numpy().astype(np.int64)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known, diaObjectId, sorter=order), len(known) - 1)
    before = order[place]
    again: Bools = known[before] == diaObjectId
    result: Bools = np.logical_not(again)
    if rule.once:
        return result
    if rule.days is not None:
        arrived = told.column("arrivedMjdTai").to_numpy().astype(np.float64)
        committed = told.column("committedMjdTai").to_numpy().astype(np.float64)
        when = np.where(np.isnan(arrived), committed, arrived)
        result |= arrivedMjdTai - when[before] >= rule.days
    if rule.columns:
        maybe = np.flatnonzero(~result)
        result[maybe] = _changed(rule.columns, rows.take(pa.array(maybe)), told.take(pa.array(before[maybe])))
    return result


def _changed(columns: tuple[str, ...], rows: pa.Table, told: pa.Table) -> Bools:
    """Where a column is not what it was in the hit told; these are few, and parsed one by one."""
    was = [_parsed(text) for text in told.column("content").to_pylist()]
    result = np.zeros(rows.num_rows, np.bool_)
    for name in columns:
        texts = json_values(rows.column(name)).to_pylist()
        result |= np.array(
            [name not in old or old[name] != json.loads(text) for old, text in zip(was, texts, strict=True)],
            np.bool_,
        )
    return result


def _parsed(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
