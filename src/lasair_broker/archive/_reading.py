"""Reading with statements that both engines understand: names in double quotes, parameters as $1, $2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from lasair_broker.schema import TABLES, quoted

__all__ = ["Reading", "column_list", "one_row"]


class Reading(Protocol):
    """A connection to an archive's database, in whichever engine; what it reads is of one moment."""

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a statement."""

    def batches(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The result of a statement, piece by piece."""


def one_row(reading: Reading, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of a result."""
    (row,) = reading.table(sql, parameters).to_pylist()
    return tuple(row.values())


def column_list(table: str, of: str = "") -> str:
    """The columns of a table as they stand in a SELECT, of the relation `of`."""
    prefix = f"{of}." if of else ""
    return ", ".join(prefix + quoted(column.name) for column in TABLES[table].columns)
