"""Finding and storing the new rows of the light curves of a batch."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch
from lasair_broker.schema import arrow_schema, conform, quoted

from .. import _light_curves
from .._light_curves import CURVES, CurveTable, Held, LightCurveNews, held_in
from .._reading import column_list
from ._session import Session
from ._staging import Staging

__all__ = ["held_of", "light_curve_news", "lock_objects", "store_ledger", "store_rows"]

Int64 = npt.NDArray[np.int64]


def lock_objects(session: Session, staging: Staging, batch: AlertBatch, ids: Int64) -> Held:
    """Keep other workers from writing to a batch's objects, and what the ledger says of them.

    New objects are put into the ledger first, as two workers may meet one at the same moment; then all are
    locked. Both go by number, so that workers wait for each other and never in a circle.
    """
    if not len(ids):
        return held_in(batch, ids, None)
    cells = batch.objects.column("healpix29").cast(pa.int64())
    staged = staging.put("objects_met", pa.table({"diaObjectId": pa.array(ids), "healpix29": cells}))
    session.run(
        'INSERT INTO object_ledger ("diaObjectId", "healpix29") SELECT "diaObjectId", "healpix29" '
        f'FROM {staged} ORDER BY "diaObjectId" ON CONFLICT DO NOTHING'
    )
    found = session.table(
        f"SELECT {column_list('object_ledger')} FROM object_ledger "
        f'WHERE "diaObjectId" = ANY (ARRAY(SELECT "diaObjectId" FROM {staged})) '
        'ORDER BY "diaObjectId" FOR UPDATE'
    )
    # Those put there just now have no counts yet.
    return _held(batch, ids, found.filter(found.column("nSources").is_valid()))


def held_of(session: Session, batch: AlertBatch, ids: Int64) -> Held:
    """What the ledger says of the objects `ids` of a batch."""
    if not len(ids):
        return held_in(batch, ids, None)
    listed = ",".join(map(str, ids.tolist()))
    found = session.table(
        f"SELECT {column_list('object_ledger')} FROM object_ledger "
        f"WHERE \"diaObjectId\" = ANY ('{{{listed}}}'::bigint[])"
    )
    return _held(batch, ids, found)


def _held(batch: AlertBatch, ids: Int64, found: pa.Table) -> Held:
    order = np.argsort(ids, kind="stable")
    place = order[np.searchsorted(ids[order], found.column("diaObjectId").to_numpy())]
    return held_in(batch, ids, found.append_column("object", pa.array(place)))


def light_curve_news(
    session: Session, staging: Staging, batch: AlertBatch, ids: Int64, held: Held
) -> list[LightCurveNews]:
    """What is new in each light curve table of a batch whose objects are `ids`, and locked."""
    return _light_curves.light_curve_news(partial(_stored_rows, session, staging), batch, ids, held)


def _stored_rows(session: Session, staging: Staging, names: CurveTable, objects: pa.Table) -> pa.Table:
    """The rows held of objects in doubt."""
    columns = ("band", "midpointMjdTai") if names.id is None else (names.id, "timeWithdrawnMjdTai")
    staged = staging.put("doubtful", objects)
    return session.table(
        f"SELECT d.object, {', '.join(f's.{quoted(column)}' for column in columns)} "
        f'FROM {quoted(names.table)} s JOIN {staged} d USING ("diaObjectId") '
        'WHERE s."midpointMjdTai" >= d.first'
    )


def store_rows(session: Session, staging: Staging, news: LightCurveNews) -> None:
    """Store the new rows of a light curve table, and replace those that were withdrawn."""
    if len(news.changed):
        key = str(next(names.id for names in CURVES if names.table == news.name))
        staged = staging.put(f"changed_{key}", news.table.take(news.changed, ["diaObjectId", key]))
        session.run(
            f'DELETE FROM {quoted(news.name)} t USING {staged} c WHERE t."diaObjectId" = c."diaObjectId" '
            f"AND t.{quoted(key)} = c.{quoted(key)}"
        )
    rows = np.union1d(news.rows, news.changed)
    if len(rows):
        session.copy(conform(news.table.take(rows), news.name), news.name)


def store_ledger(session: Session, staging: Staging, rows: pa.Table) -> None:
    """Replace rows of the ledger, all of which are there and locked."""
    if rows.num_rows:
        staged = staging.put("object_ledger", rows)
        names = [name for name in arrow_schema("object_ledger").names if name != "diaObjectId"]
        replaced = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in names)
        session.run(
            f'UPDATE object_ledger t SET {replaced} FROM {staged} s WHERE t."diaObjectId" = s."diaObjectId"'
        )
