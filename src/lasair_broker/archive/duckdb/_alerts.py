"""Telling alerts that the archive has from those that it has not."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch

from .. import _alerts
from .._alerts import ReadPack
from .._light_curves import LightCurveNews
from ._rows import incoming, sky_range

__all__ = ["kept_alerts"]

Int64 = npt.NDArray[np.int64]


def kept_alerts(
    connection: Any, read_pack: ReadPack, batch: AlertBatch, sources: LightCurveNews
) -> tuple[Int64, Int64, Int64]:
    """The alerts of a batch to store, and detections of which one was kept; see `_alerts.kept_alerts`."""
    return _alerts.kept_alerts(partial(_stored_alerts, connection), read_pack, batch, sources)


def _stored_alerts(connection: Any, suspects: pa.Table, survey: str) -> pa.Table:
    near = sky_range(suspects.column("diaSourceId").to_numpy(), "a.diaSourceId")
    with incoming(connection, suspect=suspects):
        return connection.execute(
            "SELECT s.alert, a.pack, a.packOffset, a.packLength FROM alerts a JOIN suspect s "
            f"USING (diaSourceId) WHERE {near} AND a.survey = ?",
            [survey],
        ).to_arrow_table()
