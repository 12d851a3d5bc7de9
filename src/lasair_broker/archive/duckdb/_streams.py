"""What is noted of streams: how far each has been read, and the messages that could not be read."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa

from lasair_broker.schema import TABLES

from ._rows import incoming
from ._tables import column_list

__all__ = ["positions", "rejected", "take_rejected"]


def positions(connection: Any) -> dict[tuple[str, int], int]:
    """The offset to read next, by (topic, partition)."""
    rows = connection.execute('SELECT topic, "partition", "offset" FROM stream_positions').fetchall()
    return {(topic, partition): offset for topic, partition, offset in rows}


def rejected(connection: Any, limit: int | None) -> pa.Table:
    """Rows of `rejected`, oldest first."""
    return connection.execute(
        f'SELECT {column_list("rejected")} FROM rejected ORDER BY arrivedMjdTai, topic, "partition", "offset"'
        + ("" if limit is None else f" LIMIT {int(limit)}")
    ).to_arrow_table()


def take_rejected(connection: Any, keys: Collection[tuple[str, int, int]] | None) -> pa.Table:
    """Remove rows of `rejected` and return them."""
    rows = rejected(connection, None)
    if keys is not None:
        wanted = set(keys)
        found = zip(*(rows.column(name).to_pylist() for name in TABLES["rejected"].primary_key), strict=True)
        rows = rows.filter(pa.array([key in wanted for key in found], pa.bool_()))
    gone = rows.select(TABLES["rejected"].primary_key)
    with incoming(connection, gone=gone):
        connection.execute(
            'DELETE FROM rejected WHERE (topic, "partition", "offset") IN '
            '(SELECT (topic, "partition", "offset") FROM gone)'
        )
    return rows
