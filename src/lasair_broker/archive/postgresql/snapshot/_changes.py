"""Which objects have changed since a moment: noted by the server itself, whoever writes."""

# Names in statements are the schema's own, values are numbers or what the server said of itself:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from lasair_broker.schema import quoted

from ...errors import ArchiveError
from .._session import Session
from .._tables import NAMESPACE

__all__ = ["KEPT", "WHOLE", "begin_noting", "changed_ids", "changed_rows", "count_changed", "forget_changes"]

KEPT = (
    "objects",
    "sherlock_classifications",
    "sherlock_crossmatches",
    "classifications",
    "annotations",
    "watchlist_hits",
    "area_hits",
    "mma_hits",
    "event_hits",
    "partners",
)
"""Tables of which a snapshot is kept: objects, and what is said of them now."""

WHOLE = ("crossmatch_tns", "external_events", "event_versions")
"""Tables small enough to be read as a whole for each search."""

CHANGES_LAST_DAYS = 2
_LOCK = 0x6C617361697201

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {NAMESPACE}.note_changed_objects() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {NAMESPACE}, pg_temp AS $$
BEGIN
  INSERT INTO archive_changes (xid, noted, ids)
  SELECT pg_current_xact_id(), now(), array_agg(DISTINCT "diaObjectId") FROM changed HAVING count(*) > 0;
  RETURN NULL;
END $$
"""

_EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def begin_noting(session: Session) -> None:
    """Let the server note from now on which objects change; nothing is done if it does so already.

    Raises
    ------
    ArchiveError
        If the tables are spread over several servers, which know no such triggers, and which search together.
    """
    wanted = {(name, _trigger(event)) for name in KEPT for event in _EVENTS}
    if wanted <= _there(session):
        return
    if session.rows("SELECT 1 FROM pg_extension WHERE extname = 'citus'"):
        raise ArchiveError("a distributed archive needs no snapshot: its servers search together")
    with session.transaction():
        session.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        session.run(
            "CREATE TABLE IF NOT EXISTS archive_changes "
            "(xid xid8 NOT NULL, noted timestamptz NOT NULL, ids bigint[] NOT NULL)"
        )
        session.run("ALTER TABLE archive_changes ALTER COLUMN ids SET STORAGE EXTERNAL")
        session.run("CREATE INDEX IF NOT EXISTS archive_changes_xid_idx ON archive_changes (xid)")
        session.run(_FUNCTION)
        for name, trigger in sorted(wanted - _there(session)):
            event = next(event for event in _EVENTS if _trigger(event) == trigger)
            session.run(
                f"CREATE TRIGGER {trigger} AFTER {event} ON {quoted(name)} "
                f"REFERENCING {_EVENTS[event]} TABLE AS changed "
                "FOR EACH STATEMENT EXECUTE FUNCTION note_changed_objects()"
            )


def _trigger(event: str) -> str:
    return f"note_{event.lower()}"


def _there(session: Session) -> set[tuple[str, str]]:
    rows = session.rows(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        f"WHERE c.relnamespace = '{NAMESPACE}'::regnamespace AND NOT t.tgisinternal"
    )
    return {(str(table), str(trigger)) for table, trigger in rows}


def _since(snapshot: str) -> str:
    """The condition for changes that a state of the archive (`pg_snapshot`) does not have."""
    oldest = int(snapshot.split(":")[0])
    known = ":".join(
        ",".join(str(int(xid)) for xid in part.split(",") if xid) for part in snapshot.split(":")
    )
    return f"xid >= '{oldest}'::xid8 AND NOT pg_visible_in_snapshot(xid, '{known}'::pg_snapshot)"


def count_changed(session: Session, snapshot: str) -> int:
    """At most so many objects have changed since a state of the archive."""
    ((count,),) = session.rows(
        f"SELECT coalesce(sum(cardinality(ids)), 0)::bigint FROM archive_changes WHERE {_since(snapshot)}"
    )
    return int(count)


def changed_ids(session: Session, snapshot: str) -> pa.Table:
    """The objects (`diaObjectId`) that have changed since a state of the archive."""
    return session.table(
        f'SELECT DISTINCT unnest(ids) AS "diaObjectId" FROM archive_changes WHERE {_since(snapshot)}'
    )


def changed_rows(session: Session, name: str, columns: Iterable[str], snapshot: str) -> pa.Table:
    """The rows that a table has now of objects that have changed; for a session within a transaction."""
    # The server does not know how few there are.
    session.run(
        "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
        "set_config('enable_mergejoin', 'off', true)"
    )
    listed = ", ".join(f"t.{quoted(column)}" for column in columns)
    return session.table(
        f'SELECT {listed} FROM (SELECT DISTINCT unnest(ids) AS "diaObjectId" FROM archive_changes '
        f'WHERE {_since(snapshot)}) changed JOIN {quoted(name)} t USING ("diaObjectId")'
    )


def forget_changes(session: Session) -> None:
    """Remove notes so old that no snapshot that counts needs them."""
    session.run(f"DELETE FROM archive_changes WHERE noted < now() - interval '{CHANGES_LAST_DAYS} days'")
