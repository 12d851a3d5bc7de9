"""Match tables brought up to what is known now, without an alert."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lasair_broker.schema import quoted

from .._batch import checked_rematch
from ..records import Rematch
from ._rows import incoming
from ._tables import parts

__all__ = ["rematch"]


def rematch(connection: Any, matches: Mapping[str, Rematch]) -> None:
    """Put rows in the place of those that match tables have, within a transaction; see `Archive.rematch`."""
    for name, found in matches.items():
        rows, values = checked_rematch(name, found)
        if not len(values):
            continue
        with incoming(connection, gone=pa.table({"value": values}), arrived=rows):
            for part in parts(name):
                connection.execute(
                    f"DELETE FROM {quoted(part)} WHERE {quoted(found.column)} IN (SELECT value FROM gone)"
                )
            connection.execute(f"INSERT INTO {quoted(parts(name)[0])} BY NAME SELECT * FROM arrived")
