"""Match tables brought up to what is known now, without an alert."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.schema import TABLES, conform, quoted, table

from .._batch import last_of
from ..interface import Rematch
from ._rows import incoming
from ._tables import parts

__all__ = ["rematch"]


def rematch(connection: Any, matches: Mapping[str, Rematch]) -> None:
    """Put rows in the place of those that match tables have, within a transaction; see `Archive.rematch`."""
    for name, found in matches.items():
        definition = table(name)
        if "diaObjectId" not in definition.primary_key:
            raise ValueError(f"rows of table {name} are no matches of objects")
        if found.column not in definition.primary_key:
            raise ValueError(f"{found.column} is not of the key of table {name}")
        rows = last_of(conform(found.rows, name), TABLES[name].primary_key)
        kind = rows.schema.field(found.column).type
        values = pa.array(found.values, kind)
        if not pc.all(pc.is_in(rows.column(found.column), value_set=values), min_count=0).as_py():
            raise ValueError(f"some rows for table {name} have another {found.column} than those named")
        if not len(values):
            continue
        with incoming(connection, gone=pa.table({"value": values}), arrived=rows):
            for part in parts(name):
                connection.execute(
                    f"DELETE FROM {quoted(part)} WHERE {quoted(found.column)} IN (SELECT value FROM gone)"
                )
            connection.execute(f"INSERT INTO {quoted(parts(name)[0])} BY NAME SELECT * FROM arrived")
