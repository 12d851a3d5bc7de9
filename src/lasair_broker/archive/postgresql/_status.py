"""Counts and sizes."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping

from lasair_broker.schema import TABLES, quoted

from ..records import ArchiveStatus, TableStatus
from ._lookups import positions
from ._session import Session
from ._tables import NAMESPACE, VERSION

__all__ = ["status"]

_MANY = 1_000_000
"""Of tables with more rows than this the number that PostgreSQL keeps for its planner is told: counting
would read them all."""


def status(session: Session, where: str, packs: Mapping[str, int]) -> ArchiveStatus:
    """State of the archive at `where`, with packs of the given sizes."""
    sizes = {
        name: (int(rows), int(size))
        for name, rows, size in session.rows(
            "SELECT c.relname, coalesce(sum(greatest(p.reltuples, 0)), 0)::float8, "
            "coalesce(sum(pg_total_relation_size(t.relid)), 0)::float8 "
            "FROM pg_class c CROSS JOIN LATERAL pg_partition_tree(c.oid) t "
            "JOIN pg_class p ON p.oid = t.relid "
            f"WHERE c.relnamespace = '{NAMESPACE}'::regnamespace AND c.relkind = 'p' GROUP BY c.relname "
            "UNION ALL SELECT relname, greatest(reltuples, 0)::float8, pg_total_relation_size(oid)::float8 "
            f"FROM pg_class WHERE relnamespace = '{NAMESPACE}'::regnamespace AND relkind = 'r' "
            "AND NOT relispartition"
        )
    }
    tables = {}
    for name in TABLES:
        rows, size = sizes[name]
        if rows < _MANY:
            ((rows,),) = session.rows(f"SELECT count(*) FROM {quoted(name)}")
        tables[name] = TableStatus(rows=rows, recent_rows=0, bytes=size)
    ((newest_source,),) = session.rows(
        'SELECT max("midpointMjdTai") FROM alerts WHERE "diaObjectId" IS NOT NULL'
    )
    ((newest_alert,),) = session.rows('SELECT max("arrivedMjdTai") FROM alerts')
    database_bytes = sum(size for _, size in sizes.values())
    alerts = tables["alerts"].rows
    return ArchiveStatus(
        where=where,
        engine="postgresql",
        version=VERSION,
        tables=tables,
        database_bytes=database_bytes,
        pack_bytes=sum(packs.values()),
        packs=len(packs),
        bytes_per_alert=(database_bytes + sum(packs.values())) / alerts if alerts else 0.0,
        positions=positions(session),
        newestSourceMjdTai=newest_source,
        newestAlertMjdTai=newest_alert,
    )
