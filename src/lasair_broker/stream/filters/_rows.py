"""Rows of a table put together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from lasair_broker.schema import TABLES

__all__ = ["distinct", "rows_of"]


def rows_of(schema: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    """Rows of a table, put together; columns that are missing are NULL."""
    parts = [schema.empty_table()]
    for table in tables:
        columns = [
            table.column(field.name).cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)


def distinct(rows: pa.Table, name: str) -> pa.Table:
    """Of rows of a table with the same primary key the last."""
    key = list(TABLES[name].primary_key)
    if not key or not rows.num_rows:
        return rows
    numbered = rows.select(key).append_column("row", pa.array(np.arange(rows.num_rows)))
    last = numbered.group_by(key).aggregate([("row", "max")]).column("row_max")
    return rows if len(last) == rows.num_rows else rows.take(np.sort(last.to_numpy()))
