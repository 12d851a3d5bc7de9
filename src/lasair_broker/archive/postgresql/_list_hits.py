"""Hits of lists, maps and events, each matched with the whole archive while other workers write."""

# Names in statements are the schema's own, values are numbers:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from lasair_broker.schema import quoted

from .._batch import checked_list_hits
from ._session import Session
from ._staging import Staging

__all__ = ["renew_list_hits", "replace_list_hits", "writers"]


def replace_list_hits(
    session: Session, staging: Staging, name: str, list_id: int, hits: pa.Table, *, first: bool
) -> None:
    """Store what matching a list, map or event against the whole archive found; see
    `Archive.replace_list_hits`."""
    rows, column = checked_list_hits(name, list_id, hits)
    if first:
        session.run(f"DELETE FROM {quoted(name)} WHERE {quoted(column)} = {int(list_id)}")
    staging.upsert(name, rows)


def renew_list_hits(
    session: Session,
    staging: Staging,
    name: str,
    list_id: int,
    ids: Sequence[int],
    match: Callable[[pa.Table], pa.Table],
) -> None:
    """Match objects anew with a list, within a transaction; see `Archive.renew_list_hits`."""
    theirs = f"\"diaObjectId\" = ANY ('{{{','.join(map(str, map(int, ids)))}}}'::bigint[])"
    # As a batch that speaks of them would (`lock_objects`).
    session.run(f'SELECT 1 FROM object_ledger WHERE {theirs} ORDER BY "diaObjectId" FOR UPDATE')
    places = session.table(f'SELECT "diaObjectId", ra, decl FROM objects WHERE {theirs}')
    rows, column = checked_list_hits(name, list_id, match(places))
    session.run(f"DELETE FROM {quoted(name)} WHERE {quoted(column)} = {int(list_id)} AND {theirs}")
    staging.upsert(name, rows)


def writers(session: Session) -> frozenset[str]:
    """The transactions that write alerts: each begins with the positions (`Writing.hold`)."""
    found = session.rows(
        "SELECT DISTINCT virtualtransaction FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE datname = current_database() AND relation = to_regclass('stream_positions') "
        "AND mode IN ('RowShareLock', 'RowExclusiveLock')"
    )
    return frozenset(name for (name,) in found)
