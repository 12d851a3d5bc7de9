"""Hits of filters: stored once, found again by object and by time, and marked when they are delivered."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import TABLES, arrow_schema, quoted, table

from .._batch import last_of
from .._reading import column_list
from ._session import Session
from ._staging import Staging

__all__ = ["hits_after", "newest_hits", "note_deliveries", "store_hits"]

_MICROSECOND = 1e-6 / 86_400.0
_LOCK = 0x6C617361697201
_NAMES = list(arrow_schema("filter_hits").names)


def store_hits(session: Session, staging: Staging, hits: pa.Table) -> npt.NDArray[np.float64]:
    """Store hits that are not there yet, as the last thing before a commit; the times given to these.

    From here to the commit one worker keeps the others waiting, so that the times given never fall in the
    order of the commits, whatever the clocks of their machines say: a reader that has come to some time
    misses nothing before it. Hits of one commit are a microsecond apart, in the order in which they are
    given.
    """
    hits = last_of(hits, TABLES["filter_hits"].primary_key)
    if not hits.num_rows:
        return np.zeros(0)
    session.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
    ((last,),) = session.rows('SELECT max("committedMjdTai") FROM filter_hits')
    first = max(mjd_tai_now(), -np.inf if last is None else last + _MICROSECOND)
    times = first + np.arange(hits.num_rows) * _MICROSECOND
    hits = hits.set_column(_NAMES.index("committedMjdTai"), "committedMjdTai", pa.array(times))
    staged = staging.put("filter_hits", hits)
    columns = column_list("filter_hits")
    stored = session.table(
        f"INSERT INTO filter_hits ({columns}) SELECT {columns} FROM {staged} "
        'ORDER BY "committedMjdTai" ON CONFLICT ("hitId", "diaObjectId") DO NOTHING '
        'RETURNING "committedMjdTai"'
    )
    given: npt.NDArray[np.float64] = stored.column(0).to_numpy()
    return given


def newest_hits(
    session: Session, filterIds: Sequence[int], diaObjectIds: Sequence[int], columns: Sequence[str] | None
) -> pa.Table:
    """The newest hit of each filter and object; of hits committed together the one that was given last."""
    definition = table("filter_hits")
    names = _NAMES if columns is None else [definition.column(name).name for name in columns]
    return session.table(
        f'SELECT DISTINCT ON ("diaObjectId", "filterId") {", ".join(map(quoted, names))} FROM filter_hits '
        f'WHERE "diaObjectId" = ANY ({_array(diaObjectIds)}) AND "filterId" = ANY ({_array(filterIds)}) '
        'ORDER BY "diaObjectId", "filterId", "committedMjdTai" DESC'
    )


def hits_after(
    session: Session, filterId: int, after: tuple[float, str], until: float | None, limit: int
) -> pa.Table:
    """Hits of a filter in order of (committedMjdTai, hitId), from behind `after` on."""
    time = max(float(after[0]), -1e300)  # the first of all may be asked for with minus infinity
    bound = "" if until is None else f'AND "committedMjdTai" <= {float(until)!r}::float8 '
    return session.table(
        f'SELECT {column_list("filter_hits")} FROM filter_hits WHERE "filterId" = {int(filterId)} '
        f'AND "committedMjdTai" >= {time!r}::float8 '
        f'AND ("committedMjdTai", "hitId") > ({time!r}::float8, $1) {bound}'
        f'ORDER BY "committedMjdTai", "hitId" LIMIT {int(limit)}',
        [after[1]],
    )


def note_deliveries(session: Session, staging: Staging, deliveries: pa.Table) -> None:
    """Note how hits were delivered, within a transaction; hits that are not there are left out."""
    names = ["hitId", "deliveredMjdTai", "deliveryAttempts", "deliveryError"]
    rows = last_of(deliveries.select(names), ("hitId",))
    schema = arrow_schema("filter_hits")
    rows = rows.cast(pa.schema([schema.field(name) for name in names]))
    if not rows.num_rows:
        return
    staged = staging.put("deliveries", rows)
    # Locked in one order, as two deliverers may note the same hits.
    session.run(
        f'SELECT 1 FROM filter_hits h JOIN {staged} n USING ("hitId") ORDER BY h."hitId" FOR UPDATE OF h'
    )
    session.run(
        'UPDATE filter_hits h SET "deliveredMjdTai" = coalesce(h."deliveredMjdTai", n."deliveredMjdTai"), '
        '"deliveryAttempts" = coalesce(h."deliveryAttempts", 0) + n."deliveryAttempts", '
        '"deliveryError" = CASE WHEN coalesce(h."deliveredMjdTai", n."deliveredMjdTai") IS NULL '
        f'THEN n."deliveryError" END FROM {staged} n WHERE h."hitId" = n."hitId"'
    )


def _array(ids: Sequence[int]) -> str:
    """Numbers as PostgreSQL reads an array of them."""
    return "'{" + ",".join(str(int(number)) for number in ids) + "}'::bigint[]"
