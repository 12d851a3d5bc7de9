"""What the archive knows of a batch's objects beyond what their packets tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.packets import AlertBatch

from .._light_curves import objects_to_read
from ..interface import LightCurve
from ._light_curves import held_of
from ._lookups import curves_of
from ._rows import snapshot

__all__ = ["light_curves_beyond"]


def light_curves_beyond(
    connection: Any, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool
) -> LightCurve:
    """The light curves of the objects that the ledger says more may be held of than the batch brings."""
    ids: npt.NDArray[np.int64] = batch.objects.column("diaObjectId").to_numpy()
    with snapshot(connection):
        held = held_of(connection, batch, ids)
        rows = {}
        for name, wanted in objects_to_read(batch, held, every=every).items():
            cells = dict(zip(ids[wanted].tolist(), held.healpix29[wanted].tolist(), strict=True))
            rows[name] = curves_of(connection, name, cells, columns.get(name))
    return LightCurve(**rows)
