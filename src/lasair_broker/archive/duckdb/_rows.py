"""Arrow tables as DuckDB sees them, and conditions that let its zone maps work."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import conform, quoted

from ._tables import parts

__all__ = [
    "DuckDBReading",
    "append_rows",
    "incoming",
    "move_alerts",
    "read_places",
    "replace_range",
    "replace_rows",
    "sky_range",
    "snapshot",
]

_BATCH_ROWS = 100_000


class DuckDBReading:
    """A connection as `Reading`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a statement."""
        return self._connection.execute(sql, list(parameters)).to_arrow_table()

    def batches(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The result of a statement, piece by piece."""
        yield from self._connection.execute(sql, list(parameters)).to_arrow_reader(_BATCH_ROWS)


@contextmanager
def incoming(connection: Any, **tables: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
    """Arrow tables under names that statements of this connection can read."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


def append_rows(connection: Any, stored: str, rows: pa.Table) -> None:
    """Add rows to a stored table."""
    # As a stream, which is read once: of a table DuckDB makes a data set first, which is a fifth of the work
    # where there are hundreds of columns.
    with incoming(connection, arrived=rows.to_reader()):
        connection.execute(f"INSERT INTO {quoted(stored)} BY NAME SELECT * FROM arrived")


def sky_range(values: npt.NDArray[np.int64], column: str) -> str:
    """A condition that the column lies between the least and the greatest of `values`."""
    if len(values) == 0:
        return "FALSE"
    return f"{column} BETWEEN {values.min()} AND {values.max()}"


@contextmanager
def snapshot(connection: Any) -> Iterator[None]:
    """Let the statements within, which only read, see one state of the archive."""
    connection.begin()
    try:
        yield
    finally:
        connection.rollback()


def read_places(connection: Any, stored: str, columns: Sequence[str], places: pa.Table) -> pa.Table:
    """The rows of a stored table at the row ids in column `place` of `places`, in no order.

    Finding out first where rows are and then reading them is faster than doing both at once: a search for a
    few rows reads one column of all blocks, and the others only of the blocks that have some.
    """
    listed = ", ".join(f"t.{quoted(column)}" for column in columns)
    with incoming(connection, places=places):
        return connection.execute(
            f"SELECT {listed} FROM {quoted(stored)} t JOIN places ON t.rowid = places.place"
        ).to_arrow_table()


def replace_rows(
    connection: Any, stored: Sequence[str], rows: pa.Table, key: Sequence[str], *, near: str = "TRUE"
) -> None:
    """Put rows in the place of those with the same key, in a table stored as `stored` (the first takes them).

    `near` is a condition on table t that the rows to be replaced are known to meet.
    """
    same = " AND ".join(f"t.{quoted(column)} = arrived.{quoted(column)}" for column in key)
    with incoming(connection, arrived=rows):
        for part in stored:
            connection.execute(f"DELETE FROM {quoted(part)} t USING arrived WHERE {near} AND {same}")
        connection.execute(f"INSERT INTO {quoted(stored[0])} BY NAME SELECT * FROM arrived")


def replace_range(connection: Any, table: str, rows: pa.Table, cells: tuple[int, int] | None) -> None:
    """Put rows in the place of all that a table has, or has in a half-open range of healpix29."""
    within = "TRUE" if cells is None else f"healpix29 >= {int(cells[0])} AND healpix29 < {int(cells[1])}"
    for part in parts(table):
        connection.execute(f"DELETE FROM {quoted(part)} WHERE {within}")
    if rows.num_rows:
        with incoming(connection, arrived=conform(rows, table)):
            connection.execute(f"INSERT INTO {quoted(parts(table)[0])} BY NAME SELECT * FROM arrived")


def move_alerts(connection: Any, pack: str, alerts: pa.Table, cutouts: pa.Table) -> None:
    """Let alerts and images of a pack lie elsewhere; see `Archive.move_alerts`."""
    places = ", ".join(f"{quoted(name)} = m.{quoted(name)}" for name in cutouts.column_names[2:])
    with incoming(connection, moved_alerts=alerts, moved_cutouts=cutouts):
        for part in parts("alerts"):
            connection.execute(
                f'UPDATE {quoted(part)} a SET pack = m."movedPack", "packOffset" = m."movedOffset", '
                '"packLength" = m."movedLength" FROM moved_alerts m '
                'WHERE a.pack = ? AND a."packOffset" = m."packOffset"',
                [pack],
            )
        for part in parts("cutouts"):
            connection.execute(
                f'UPDATE {quoted(part)} c SET pack = m."movedPack", {places} FROM moved_cutouts m '
                'WHERE c.pack = ? AND c."diaSourceId" = m."diaSourceId"',
                [pack],
            )
            connection.execute(f"DELETE FROM {quoted(part)} WHERE pack = ?", [pack])
