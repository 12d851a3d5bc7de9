"""Arrow tables as DuckDB sees them, and conditions that let its zone maps work."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["incoming", "replace_rows", "sky_range"]


@contextmanager
def incoming(connection: Any, **tables: pa.Table) -> Iterator[None]:
    """Arrow tables under names that statements of this connection can read."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


def sky_range(values: npt.NDArray[np.int64], column: str) -> str:
    """A condition that the column lies between the least and the greatest of `values`."""
    if len(values) == 0:
        return "FALSE"
    return f"{column} BETWEEN {values.min()} AND {values.max()}"


def replace_rows(connection: Any, name: str, rows: pa.Table, key: tuple[str, ...]) -> None:
    """Put rows in the place of those of table `name` with the same key."""
    columns = ", ".join(f'"{column}"' for column in key)
    with incoming(connection, arrived=rows):
        connection.execute(
            f'DELETE FROM "{name}" WHERE ({columns}) IN (SELECT ({columns}) FROM arrived)'
            if len(key) > 1
            else f'DELETE FROM "{name}" WHERE {columns} IN (SELECT {columns} FROM arrived)'
        )
        connection.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM arrived')
