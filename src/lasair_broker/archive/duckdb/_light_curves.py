"""Finding and storing the new rows of the light curves of a batch."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch
from lasair_broker.schema import conform

from .. import _light_curves
from .._light_curves import CURVES, CurveTable, Held, LightCurveNews, held_in
from ._rows import append_rows, incoming, sky_range

__all__ = ["held_of", "light_curve_news", "store_rows"]

Int64 = npt.NDArray[np.int64]


def light_curve_news(connection: Any, batch: AlertBatch, ids: Int64, held: Held) -> list[LightCurveNews]:
    """What is new in each light curve table of a batch whose objects are `ids`."""
    return _light_curves.light_curve_news(partial(_stored_rows, connection), batch, ids, held)


def held_of(connection: Any, batch: AlertBatch, ids: Int64) -> Held:
    """What the ledger says of the objects `ids` of a batch."""
    if not len(ids):
        return held_in(batch, ids, None)
    wanted = pa.table({"object": np.arange(len(ids)), "diaObjectId": ids})
    with incoming(connection, wanted=wanted):
        found = connection.execute(
            "SELECT w.object, l.* FROM object_ledger l JOIN wanted w USING (diaObjectId)"
        ).to_arrow_table()
    return held_in(batch, ids, found)


def _stored_rows(connection: Any, names: CurveTable, objects: pa.Table) -> pa.Table:
    """The rows held of objects in doubt."""
    wanted = "band, s.midpointMjdTai" if names.id is None else f"{names.id}, s.timeWithdrawnMjdTai"
    healpix29 = objects.column("healpix29").to_numpy()
    with incoming(connection, doubtful=objects):
        return connection.execute(
            f"SELECT d.object, s.{wanted} FROM {names.table} s JOIN doubtful d USING (diaObjectId) "
            f"WHERE s.midpointMjdTai >= d.first AND {sky_range(healpix29, 's.healpix29')}"
        ).to_arrow_table()


def store_rows(connection: Any, news: LightCurveNews) -> None:
    """Store the new rows of a light curve table, and replace those that were withdrawn."""
    if len(news.changed):
        key = next(names.id for names in CURVES if names.table == news.name)
        rows = news.table.take(news.changed, ["healpix29", "diaObjectId", str(key)])
        healpix29 = rows.column("healpix29").to_numpy()
        with incoming(connection, changed=rows):
            for part in ("recent", "sorted"):
                connection.execute(
                    f"DELETE FROM {news.name}_{part} WHERE {sky_range(healpix29, 'healpix29')} "
                    f"AND (diaObjectId, {key}) IN (SELECT diaObjectId, {key} FROM changed)"
                )
    rows = np.union1d(news.rows, news.changed) if len(news.changed) else news.rows
    if len(rows):
        append_rows(connection, f"{news.name}_recent", conform(news.table.take(rows), news.name))
