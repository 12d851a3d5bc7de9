"""A batch in a DuckDB of its own, for queries that are not compiled."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from lasair_broker.schema import TABLES, arrow_schema

from ._errors import QueryError

__all__ = ["BatchDatabase"]


class BatchDatabase:
    """The tables of one batch in memory; a table is loaded when the first query reads it.

    Parameters
    ----------
    tables
        By their names in the schema; one that is missing is empty.
    row
        Name of a column added to `objects`: the number of each row.
    """

    def __init__(self, tables: Mapping[str, pa.Table], row: str) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"})
        # A query on a batch that does not fit in memory is one that has gone wrong: it may not fill the disk.
        self._connection.execute("SET temp_directory = ''")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET TimeZone = 'UTC'")
        for name in TABLES:
            data = _complete(tables.get(name), name)
            if name == "objects":
                data = data.append_column(row, pa.array(range(data.num_rows), pa.int32()))
            # A view of Arrow data: nothing is copied, and only the columns a query names are read.
            self._connection.register(name, data)
        self._connection.execute("SET lock_configuration = true")

    def run(self, sql: str, now: float | None) -> pa.Table:
        """The rows of a query; its only parameter, if it has one, is what ``mjdnow()`` means.

        Raises
        ------
        QueryError
            If DuckDB cannot answer it.
        """
        try:
            return self._connection.execute(sql, [] if now is None else [now]).to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(f"the query fails on a batch: {str(error).splitlines()[0]}") from error

    def interrupt(self) -> None:
        """Stop the query that runs now, from another thread."""
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()


def _complete(data: pa.Table | None, name: str) -> pa.Table:
    schema = arrow_schema(name)
    if data is None:
        return schema.empty_table()
    for field in schema:
        if field.name not in data.column_names:
            data = data.append_column(field, pa.nulls(data.num_rows, field.type))
    return data
