"""Hits of lists, maps and events, each matched with the whole archive."""

# Names in statements are the schema's own, values are parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from lasair_broker.schema import TABLES

from .._batch import checked_list_hits
from ._lookups import rows_of_objects
from ._rows import replace_rows
from ._tables import parts

__all__ = ["renew_list_hits", "replace_list_hits"]


def replace_list_hits(connection: Any, name: str, list_id: int, hits: pa.Table, *, first: bool) -> None:
    """Store what matching a list, map or event against the whole archive found; see
    `Archive.replace_list_hits`."""
    rows, column = checked_list_hits(name, list_id, hits)
    if first:
        for part in parts(name):
            connection.execute(f"DELETE FROM {part} WHERE {column} = ?", [int(list_id)])
    replace_rows(connection, parts(name), rows, TABLES[name].primary_key)


def renew_list_hits(
    connection: Any, name: str, list_id: int, ids: Sequence[int], match: Callable[[pa.Table], pa.Table]
) -> None:
    """Match objects anew with a list, within a transaction; see `Archive.renew_list_hits`."""
    places = rows_of_objects(connection, "objects", ids, ["diaObjectId", "ra", "decl"])
    rows, column = checked_list_hits(name, list_id, match(places))
    for part in parts(name):
        connection.execute(
            f'DELETE FROM {part} WHERE {column} = ? AND "diaObjectId" IN (SELECT unnest(?::BIGINT[]))',
            [int(list_id), list(map(int, ids))],
        )
    replace_rows(connection, parts(name), rows, TABLES[name].primary_key)
