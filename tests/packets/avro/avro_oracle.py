"""fastavro as the oracle: reading, writing and comparing values."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from typing import Any

import fastavro

__all__ = ["container_values", "fastavro_read", "fastavro_write", "raw_schema", "same"]


def raw_schema(schema: Any) -> Any:
    """The schema without logical types, so that fastavro gives raw values as the codec does."""
    if isinstance(schema, list):
        return [raw_schema(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: [{**field, "type": raw_schema(field["type"])} for field in value]
        if key == "fields"
        else raw_schema(value)
        if key in ("type", "items", "values")
        else value
        for key, value in schema.items()
        if key != "logicalType"
    }


def fastavro_write(schema: Any, values: Sequence[Any]) -> list[bytes]:
    """Each value as a datum."""
    parsed = fastavro.parse_schema(raw_schema(schema))
    out = []
    for value in values:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, parsed, value)
        out.append(stream.getvalue())
    return out


def fastavro_read(schema: Any, datums: Sequence[bytes]) -> list[Any]:
    """The value of each datum, logical types left raw."""
    parsed = fastavro.parse_schema(raw_schema(schema))
    return [fastavro.schemaless_reader(io.BytesIO(datum), parsed) for datum in datums]


def container_values(data: bytes) -> list[Any]:
    """All values of a container, logical types left raw."""
    blocks: Any = fastavro.block_reader(io.BytesIO(data))
    parsed = fastavro.parse_schema(raw_schema(json.loads(blocks.metadata["avro.schema"])))
    return [
        fastavro.schemaless_reader(block.bytes_, parsed) for block in blocks for _ in range(block.num_records)
    ]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, in type too, NaN equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
