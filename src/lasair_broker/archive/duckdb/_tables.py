"""How the tables lie in DuckDB: which are kept sorted and by what, and the statements that make them.

A table kept sorted is two tables and a view over both: ``NAME_sorted`` is made of runs, each sorted by the
columns below, so that DuckDB's zone maps lead a look-up to a few blocks; ``NAME_recent`` takes the newest
rows in the order in which they come. Sorting a run is cheap when it is done for many batches at once, and the
rows are then compressed only once.
"""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass

from lasair_broker.schema import TABLES, ddl, quoted, sql_type

__all__ = [
    "PARTS",
    "RUNS",
    "SORTED",
    "VERSION",
    "Part",
    "bookkeeping",
    "column_list",
    "create",
    "missing_columns",
    "parts",
    "stored",
    "views",
]

VERSION = 3
"""Version of this layout. A change that new columns and tables do not cover needs a new one, and a
migration."""

PARTS = ("recent", "sorted")

RUNS = ("diaSources", "diaForcedSources", "diaNondetectionLimits")
"""Tables whose recent rows are sorted into a run whenever enough have come: a light curve is many rows, and
each that lies by itself costs a block. Of the others a look-up wants one row, so that they wait for a
compaction."""

SORTED: dict[str, tuple[str, ...]] = {
    "objects": ("healpix29", "diaObjectId"),
    "object_ledger": ("diaObjectId",),
    "diaSources": ("healpix29", "diaObjectId", "midpointMjdTai", "diaSourceId"),
    "diaForcedSources": ("healpix29", "diaObjectId", "midpointMjdTai", "diaForcedSourceId"),
    "diaNondetectionLimits": ("healpix29", "diaObjectId", "midpointMjdTai", "band"),
    "ssSources": ("ssObjectId", "midpointMjdTai", "diaSourceId"),
    "alerts": ("diaSourceId",),
    "cutouts": ("diaSourceId",),
    "classification_history": ("diaObjectId", "newestSourceMjdTai", "model"),
}
"""The tables kept sorted, and their sorting columns; the first is an integer by which compaction slices
them. What is said of objects (annotations, classes, hits of lists and maps) is sorted by its key."""

SORTED |= {
    name: definition.primary_key
    for name, definition in TABLES.items()
    if definition.primary_key[0] == "diaObjectId" and name not in SORTED
}


@dataclass(frozen=True, slots=True)
class Part:
    """A table as stored: its name in the database, and the table of the schema whose columns it has."""

    name: str
    table: str


def stored() -> list[Part]:
    """All stored tables of the schema."""
    return [Part(name, table) for table in TABLES for name in parts(table)]


def parts(table: str) -> list[str]:
    """The stored tables that table `table` of the schema consists of; new rows go into the first."""
    return [f"{table}_{part}" for part in PARTS] if table in SORTED else [table]


def column_list(table: str) -> str:
    """The columns of a table as they stand in a SELECT."""
    return ", ".join(quoted(column.name) for column in TABLES[table].columns)


def create(part: Part) -> str:
    """The statement that makes a stored table."""
    return ddl(part.table, "duckdb", part.name, compressed=part.name != f"{part.table}_recent")


def missing_columns(part: Part, present: set[str]) -> list[str]:
    """The statements that add the columns which the schema has and the stored table has not."""
    return [
        f"ALTER TABLE {quoted(part.name)} "
        f"ADD COLUMN {quoted(column.name)} {sql_type(column.datatype, 'duckdb')}"
        for column in TABLES[part.table].columns
        if column.name not in present
    ]


def views() -> list[str]:
    """The statements that make the views over tables kept sorted."""
    return [
        f"CREATE OR REPLACE VIEW {quoted(table)} AS "
        + " UNION ALL ".join(f"SELECT {column_list(table)} FROM {quoted(part)}" for part in parts(table))
        for table in SORTED
    ]


def bookkeeping() -> list[str]:
    """The statements that make the archive's own tables.

    ``archive_layout`` has one row, the version of the layout; ``archive_packs`` the committed length of each
    pack; ``archive_compaction`` how far a compaction that was interrupted had come.
    """
    return [
        "CREATE TABLE IF NOT EXISTS archive_layout (version INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS archive_packs (pack VARCHAR NOT NULL, length BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS archive_compaction (name VARCHAR NOT NULL, below BIGINT NOT NULL)",
    ]
