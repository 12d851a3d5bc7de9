"""How the tables lie in PostgreSQL, and the statements that make them.

Light curves are partitioned by time, so that indexes of what is still written stay small. Rows that are
replaced with each alert have room beside them for the next version, and no index on a column that changes, so
that PostgreSQL need not touch an index (heap-only tuples).
"""

# Names in statements are the schema's own, values are numbers or parameters:

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lasair_broker.schema import TABLES, ddl, quoted, sql_type

__all__ = [
    "NAMESPACE",
    "PARTITIONED",
    "PARTITION_DAYS",
    "READER",
    "READING",
    "VERSION",
    "bookkeeping",
    "create",
    "distribution",
    "key_of",
    "missing_columns",
    "partition",
    "partitions_of",
    "staging",
]

VERSION = 1
"""Version of this layout. A change that new columns and tables do not cover needs a new one, and a
migration."""

NAMESPACE = "archive"
"""The PostgreSQL schema of the archive's tables; the user database has its own in the same database."""

READER = "lasair_reader"
"""The role as which users' queries run: it may read the archive, and nothing else."""

READING = {
    "search_path": NAMESPACE,
    "TimeZone": "UTC",
    "jit": "off",  # compiling takes longer than what these statements do
    "application_name": "lasair",
    "random_page_cost": "1.1",
}
"""Parameters of the server for every session."""

PARTITIONED = ("diaSources", "diaForcedSources", "diaNondetectionLimits")
"""Tables partitioned by `midpointMjdTai`."""

PARTITION_DAYS = 256
_FIRST_MJD, _LAST_MJD = 40_000, 100_000
"""Times outside, which no survey has, share one partition."""

_FILL_FACTOR = {"objects": 60, "object_ledger": 60, "filter_hits": 80, "stream_positions": 50}
"""Percent of a page that is filled at first, for tables whose rows are replaced."""

_KEYS: dict[str, tuple[str, ...]] = {
    "alerts": (),
    "cutouts": (),
    "filter_hits": ("hitId", "diaObjectId"),
    "watchlist_events": ("eventId", "diaObjectId"),
}
"""Keys other than the primary key. A file may be read twice under one name, so that alerts and their images
have none; what is of one object anyway has the object's number in its key, too, as it is sharded by it."""

_SHARDED_BY = {"alerts": "diaSourceId", "cutouts": "diaSourceId", "ssSources": "diaSourceId"}
"""The columns by which tables are sharded that are not, or not always, of an object."""

_MORE_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "objects": (("objectName",),),
    "alerts": (("midpointMjdTai",), ("pack", "packOffset")),
    "cutouts": (("diaSourceId",),),
    "filter_hits": (("committedMjdTai",),),
}
"""Indexes beside those of the schema, for look-ups that DuckDB's zone maps serve."""


def key_of(table: str) -> tuple[str, ...]:
    """The columns that tell the rows of a table apart; empty if none do."""
    return _KEYS.get(table, TABLES[table].primary_key)


def create(table: str) -> list[str]:
    """The statements that make a table."""
    statements = ddl(table, "postgresql").split(";\n")
    definition = TABLES[table]
    key = f",\n  PRIMARY KEY ({', '.join(map(quoted, definition.primary_key))})"
    ours = f",\n  PRIMARY KEY ({', '.join(map(quoted, key_of(table)))})" if key_of(table) else ""
    made = statements[0].replace(key, ours)
    if table in PARTITIONED:
        made += ' PARTITION BY RANGE ("midpointMjdTai")'
    elif table in _FILL_FACTOR:
        made += f" WITH (fillfactor = {_FILL_FACTOR[table]})"
    more = [
        f"CREATE INDEX {quoted(f'{table}_{columns[0]}_more_idx')} ON {quoted(table)} "
        f"({', '.join(map(quoted, columns))})"
        for columns in _MORE_INDEXES.get(table, ())
    ]
    rest = [f"CREATE TABLE {quoted(f'{table}_other')} PARTITION OF {quoted(table)} DEFAULT"]
    return [made, *statements[1:], *more, *(rest if table in PARTITIONED else [])]


def distribution() -> list[str]:
    """The statements that spread the tables over the servers of Citus.

    All that is of objects is sharded by their number and lies together, so that an object with all that is
    said of it is on one server, and a search is on all of them at once. Alerts with their images are sharded
    by their detection. The others are small and stand on every server.
    """
    statements = []
    first: dict[str, str] = {}
    for name in TABLES:
        column = _SHARDED_BY.get(name, "diaObjectId")
        target = f"'{NAMESPACE}.{quoted(name)}'"
        if name not in _SHARDED_BY and column not in key_of(name):
            statements.append(f"SELECT create_reference_table({target})")
            continue
        together = f", colocate_with => '{NAMESPACE}.{quoted(first[column])}'" if column in first else ""
        first.setdefault(column, name)
        statements.append(f"SELECT create_distributed_table({target}, '{column}'{together})")
    return statements


def missing_columns(table: str, present: Iterable[str]) -> list[str]:
    """The statements that add the columns which the schema has and the stored table has not."""
    there = set(present)
    return [
        f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(column.name)} "
        f"{sql_type(column.datatype, 'postgresql')}"
        for column in TABLES[table].columns
        if column.name not in there
    ]


def partitions_of(midpointMjdTai: npt.NDArray[np.float64]) -> set[int]:
    """The first days of the partitions of some times (MJD), those in the partition for all others aside."""
    if not len(midpointMjdTai):
        return set()
    low, high = float(midpointMjdTai.min()), float(midpointMjdTai.max())
    if high - low > PARTITION_DAYS:
        number = np.unique(np.floor_divide(midpointMjdTai, PARTITION_DAYS))
    else:
        number = np.unique(np.floor_divide(np.array([low, high]), PARTITION_DAYS))
    days = (number[np.isfinite(number)] * PARTITION_DAYS).tolist()
    return {int(day) for day in days if _FIRST_MJD <= day < _LAST_MJD}


def partition(table: str, first_day: int) -> str:
    """The statement that makes the partition of a table that begins on a day (MJD)."""
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(f'{table}_{first_day}')} PARTITION OF {quoted(table)} "
        f"FOR VALUES FROM ({first_day}) TO ({first_day + PARTITION_DAYS})"
    )


def staging(name: str, columns: str) -> str:
    """The statement that makes a temporary table, empty at the beginning of each transaction."""
    return f"CREATE TEMPORARY TABLE {quoted(name)} ({columns}) ON COMMIT DELETE ROWS"


def bookkeeping() -> list[str]:
    """The statements that make the archive's own tables.

    ``archive_layout`` has one row, the version of the layout; ``archive_packs`` the committed length of each
    pack.
    """
    return [
        "CREATE TABLE IF NOT EXISTS archive_layout (version integer NOT NULL)",
        "CREATE TABLE IF NOT EXISTS archive_packs (pack text PRIMARY KEY, length bigint NOT NULL)",
    ]
