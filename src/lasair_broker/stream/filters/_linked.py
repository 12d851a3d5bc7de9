"""Rows that are of no object, or of another, and are found for an object through a column of its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.archive import QueryError
from lasair_broker.query import LINKS, Link
from lasair_broker.schema import TABLES, arrow_schema, quoted

from ._rows import distinct, rows_of

__all__ = ["LINKED", "State", "add_linked"]

_log = structlog.get_logger(__name__)

LINKED = frozenset(link.table for link in LINKS if "diaObjectId" not in TABLES[link.table].by_name)
"""Tables whose rows are of no object."""

_LINKED_AT_ONCE = 500


class State(Protocol):
    """What is known of objects: an archive, or an archive as it was."""

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], /, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The rows that a table has for objects; see `Archive.rows_of_objects`."""

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        """The rows of a SELECT statement; see `Archive.query`."""


def add_linked(
    archive: State,
    tables: dict[str, pa.Table],
    read: Mapping[str, frozenset[str]],
    new: Mapping[str, Sequence[pa.Table]],
) -> None:
    """Add to the tables of a batch the rows that its own rows name: of tables without a diaObjectId, and the
    states of the partners of its objects.

    If the archive does not answer, as it may when its memory is short, a table is left out.

    Parameters
    ----------
    read
        The tables wanted, and the columns of each.
    new
        Rows that will be committed with what is looked at.
    """
    for name in sorted(LINKED & set(read)):
        links = [link for link in LINKS if link.table == name]
        try:
            parts = [_named(archive, link, tables) for link in links]
        except QueryError as error:
            _log.warning("filters that read a table are left out", table=name, reason=str(error))
            continue
        tables[name] = distinct(rows_of(arrow_schema(name), [*parts, *new.get(name, ())]), name)
    for link in LINKS:
        if link.table not in LINKED and link.source_column in read.get(link.source, frozenset()):
            looked_at = read.get(link.table, frozenset()) | {link.column}
            tables[link.table] = _with_others(archive, link, tables, looked_at)


def _wanted(link: Link, tables: Mapping[str, pa.Table]) -> pa.Array:
    source = tables.get(link.source)
    if source is None or link.source_column not in source.column_names:
        return pa.array([], pa.int64())
    return pc.unique(source.column(link.source_column)).drop_null()


def _named(archive: State, link: Link, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The rows of the archive that a column names.

    Raises QueryError if it does not answer.
    """
    parts = [arrow_schema(link.table).empty_table()]
    wanted = _wanted(link, tables).to_pylist()
    for start in range(0, len(wanted), _LINKED_AT_ONCE):
        items = ", ".join(map(_literal, wanted[start : start + _LINKED_AT_ONCE]))
        sql = f"SELECT * FROM {quoted(link.table)} WHERE {quoted(link.column)} IN ({items})"  # noqa: S608 - names of the schema, and literals
        parts.append(archive.query(sql, max_rows=None))
    return rows_of(arrow_schema(link.table), parts)


def _with_others(
    archive: State, link: Link, tables: Mapping[str, pa.Table], columns: frozenset[str]
) -> pa.Table:
    """A table of objects, and behind its rows those of other objects that a column names: some columns."""
    mine = tables[link.table]
    wanted = _wanted(link, tables)
    others = wanted.filter(pc.invert(pc.is_in(wanted, value_set=mine.column(link.column).combine_chunks())))
    if not len(others):
        return mine
    names = [name for name in mine.column_names if name in columns]
    held = archive.rows_of_objects(link.table, others.to_pylist(), names)
    schema = pa.schema([mine.schema.field(name) for name in names])
    return pa.concat_tables([mine, rows_of(schema, [held])], promote_options="default")


def _literal(value: int | str) -> str:
    """A value as a literal of SQL: within single quotes only these mean anything, in DuckDB and PostgreSQL.

    The words come from packets and catalogues. One with a zero byte, which no engine takes, is in no table.
    """
    if isinstance(value, int):
        return str(value)
    return "NULL" if "\x00" in value else "'" + value.replace("'", "''") + "'"
