"""Bringing an archive of an older version, or with fewer columns, to the present one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lasair_broker.schema import TABLES, quoted, sql_type

from ..errors import ArchiveError, ArchiveVersionError
from . import _tables

__all__ = ["MIGRATIONS", "migrate"]

Migration = Callable[[Any], None]


def _sort_what_is_said_of_objects(connection: Any) -> None:
    """Version 2 keeps these tables sorted: what there is becomes the recent part."""
    names = "annotations", "area_hits", "classifications", "mma_hits", "sherlock_classifications"
    for name in (*names, "sherlock_crossmatches", "watchlist_hits"):
        connection.execute(f"ALTER TABLE {quoted(name)} RENAME TO {quoted(f'{name}_recent')}")


def _a_column_for_each_class(connection: Any) -> None:
    """Version 3 has one row of classifications an object and model; there was nothing in the table before."""
    connection.execute("DROP VIEW IF EXISTS classifications")
    for part in ("classifications_recent", "classifications_sorted"):
        connection.execute(f"DROP TABLE IF EXISTS {quoted(part)}")


MIGRATIONS: Mapping[int, Migration] = {2: _sort_what_is_said_of_objects, 3: _a_column_for_each_class}
"""What brings a layout to the version of its key from the one before. It gets a connection within a
transaction."""


def migrate(
    connection: Any, version: int = _tables.VERSION, migrations: Mapping[int, Migration] = MIGRATIONS
) -> None:
    """Make or migrate all tables, in one transaction.

    Parameters
    ----------
    connection
        A DuckDB connection to the archive's database.
    version, migrations
        The version wanted, and the way there.

    Raises
    ------
    ArchiveVersionError
        If the archive is of a newer version.
    ArchiveError
        If a column has another type than the schema says.
    """
    connection.begin()
    try:
        for statement in _tables.bookkeeping():
            connection.execute(statement)
        found = connection.execute("SELECT version FROM archive_layout").fetchone()
        if found is None:
            _note_version(connection, version)
        elif found[0] > version:
            raise ArchiveVersionError(
                f"the archive has layout {found[0]}, but this program knows layouts up to {version}: "
                "it was written by a newer version of Lasair, which must be used to open it"
            )
        else:
            for step in range(found[0] + 1, version + 1):
                migrations[step](connection)
            if found[0] < version:
                _note_version(connection, version)
        _complete(connection)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _note_version(connection: Any, version: int) -> None:
    # Written into the statement, as DuckDB imports pandas to see whether a value is one of its own.
    connection.execute("DELETE FROM archive_layout")
    connection.execute(f"INSERT INTO archive_layout VALUES ({version:d})")  # noqa: S608 - a number


def _complete(connection: Any) -> None:
    """Make the tables and add the columns that the schema has and the database has not."""
    present: dict[str, dict[str, str]] = {}
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database()"
    ).fetchall()
    for table, column, kind in rows:
        present.setdefault(table, {})[column] = kind
    changed = False
    for part in _tables.stored():
        columns = present.get(part.name)
        if columns is None:
            connection.execute(_tables.create(part))
            changed = True
            continue
        for statement in _tables.missing_columns(part, set(columns)):
            connection.execute(statement)
            changed = True
        for column in TABLES[part.table].columns:
            wanted = sql_type(column.datatype, "duckdb").replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            if columns.get(column.name, wanted) != wanted:
                raise ArchiveError(
                    f"column {column.name} of {part.name} is {columns[column.name]}, "
                    f"but the schema says {wanted}"
                )
    if changed or any(table not in present for table in _tables.SORTED):
        for statement in _tables.views():
            connection.execute(statement)
