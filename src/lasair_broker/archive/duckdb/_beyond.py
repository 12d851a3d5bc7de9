"""What the archive knows of a batch's objects beyond what their packets tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch
from lasair_broker.schema import TABLES

from .._light_curves import CURVES, CurveTable, rows_beyond
from ..records import LightCurve
from ._light_curves import held_of
from ._lookups import curves_before
from ._rows import snapshot

__all__ = ["light_curves_beyond"]


def light_curves_beyond(
    connection: Any, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool
) -> LightCurve:
    """The rows of light curves of which the ledger says that more may be held than the batch brings."""
    ids: npt.NDArray[np.int64] = batch.objects.column("diaObjectId").to_numpy()
    wanted = {
        names.table: columns.get(names.table, [column.name for column in TABLES[names.table].columns])
        for names in CURVES
    }
    with snapshot(connection):
        held = held_of(connection, batch, ids)

        def read(
            names: CurveTable, objects: npt.NDArray[np.int64], before: npt.NDArray[np.float64] | None
        ) -> pa.Table:
            read_too = dict.fromkeys([*wanted[names.table], "diaObjectId", *names.key])
            return curves_before(
                connection, names.table, list(read_too), ids[objects], held.healpix29[objects], before
            )

        found = rows_beyond(read, batch, ids, held, every=every)
    return LightCurve(**{name: rows.select(list(wanted[name])) for name, rows in found.items()})
