"""Rows on their way into a table: copied into a temporary one, and merged by one statement."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import TABLES, conform, quoted

from .._batch import last_of
from .._reading import column_list
from ._session import Session
from ._tables import key_of, staging

__all__ = ["Staging"]

Int64 = npt.NDArray[np.int64]


class Staging:
    """The temporary tables of the session that writes.

    They are made when they are first needed, and are empty when a transaction begins: making one for each
    batch would cost more than the rows in it, and bloat the server's own tables.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made: set[str] = set()
        self._fresh: set[str] = set()
        self._filled: set[str] = set()

    def put(self, name: str, rows: pa.Table) -> str:
        """Rows as a temporary table, in the place of those put under this name before; how it is called."""
        called = f"staged_{name}"
        if called not in self._made:
            columns = ", ".join(f"{quoted(field.name)} {_sql_type(field.type)}" for field in rows.schema)
            self._session.run(staging(called, columns))
            self._made.add(called)
            self._fresh.add(called)
        elif called in self._filled:
            self._session.run(f"TRUNCATE {quoted(called)}")
        self._filled.add(called)
        self._session.copy(rows, called, temporary=True)
        return quoted(called)

    def ids(self, name: str, column: str, values: Int64) -> str:
        """Numbers as a temporary table of one column; how it is called."""
        return self.put(f"{name}_{column}", pa.table({column: pa.array(values, pa.int64())}))

    def upsert(self, table: str, rows: pa.Table) -> None:
        """Put rows in the place of those with the same primary key."""
        rows = last_of(conform(rows, table), TABLES[table].primary_key)
        if not rows.num_rows:
            return
        key = key_of(table)
        staged = self.put(table, rows)
        columns = column_list(table)
        changed = [column.name for column in TABLES[table].columns if column.name not in key]
        replaced = ", ".join(f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in changed)
        # In the order of the key, so that two workers that replace the same rows wait for each other once.
        self._session.run(
            f"INSERT INTO {quoted(table)} ({columns}) SELECT {columns} FROM {staged} ORDER BY {_list(key)} "
            f"ON CONFLICT ({_list(key)}) DO {f'UPDATE SET {replaced}' if changed else 'NOTHING'}"
        )

    def delete(self, table: str, column: str, values: Int64) -> None:
        """Delete the rows that have one of some numbers in a column."""
        if len(values):
            gone = self.ids("gone", column, values)
            self._session.run(
                f"DELETE FROM {quoted(table)} t USING {gone} g WHERE t.{quoted(column)} = g.{quoted(column)}"
            )

    def committed(self) -> None:
        """The transaction was committed."""
        self._fresh.clear()
        self._filled.clear()

    def rolled_back(self) -> None:
        """The transaction was undone, and with it what was made in it."""
        self._made -= self._fresh
        self.committed()


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


_TYPES = {
    pa.bool_(): "boolean",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}


def _sql_type(kind: pa.DataType) -> str:
    return _TYPES[kind]
