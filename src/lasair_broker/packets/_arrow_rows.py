"""Tables with packet columns (Parquet files of other brokers) as Avro datums."""

from __future__ import annotations

import io
import re
from typing import Any

import fastavro
import pyarrow as pa

__all__ = ["PACKET_COLUMNS", "ArrowDatums"]

PACKET_COLUMNS = frozenset({"diaSource", "candidate"})
"""A table holds packets if it has one of these columns."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""What Avro allows as the name of a field."""


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _avro_type(kind: pa.DataType, name: str) -> Any:
    """The Avro type of an Arrow type; None if packets have nothing of the kind (maps, decimals...)."""
    if pa.types.is_dictionary(kind):
        return _avro_type(kind.value_type, name)
    if pa.types.is_null(kind):
        return "null"
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind):
        return "long" if kind.bit_width == 64 or kind == pa.uint32() else "int"
    if pa.types.is_floating(kind):
        return "double" if kind.bit_width == 64 else "float"
    if pa.types.is_timestamp(kind):
        return {"type": "long", "logicalType": "timestamp-micros"}
    if _is_text(kind):
        return "string"
    if _is_bytes(kind):
        return "bytes"
    if _is_list(kind):
        items = _avro_type(kind.value_type, f"{name}_item")
        return None if items is None else {"type": "array", "items": _nullable(items)}
    if pa.types.is_struct(kind):
        members = [_avro_field(kind.field(i), name) for i in range(kind.num_fields)]
        return {
            "type": "record",
            "name": name,
            "fields": [member for member in members if member is not None],
        }
    return None


def _nullable(kind: Any) -> Any:
    return kind if kind == "null" else ["null", kind]


def _avro_field(field: pa.Field, path: str) -> dict[str, Any] | None:
    if not _NAME.fullmatch(field.name):
        return None
    kind = _avro_type(field.type, f"{path}_{field.name}")
    return None if kind is None else {"name": field.name, "type": _nullable(kind)}


class ArrowDatums:
    """Writes the rows of tables of one Arrow schema as Avro datums.

    Every field becomes nullable; columns of types or names that packets do not have are left out.

    Parameters
    ----------
    schema
        The Arrow schema of the tables.
    """

    def __init__(self, schema: pa.Schema) -> None:
        members = {field.name: _avro_field(field, "packet") for field in schema}
        self._columns = [name for name, member in members.items() if member is not None]
        self.schema = {
            "type": "record",
            "name": "packet",
            "fields": [members[name] for name in self._columns],
        }
        self._writer = fastavro.parse_schema(self.schema)

    def datums(self, table: pa.Table) -> list[bytes]:
        """One datum a row."""
        chosen = table.select(self._columns)
        for place, field in enumerate(chosen.schema):
            if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
                # Python's datetime has no nanoseconds.
                whole = chosen.column(place).cast(pa.timestamp("us", tz=field.type.tz), safe=False)
                chosen = chosen.set_column(place, field.name, whole)
        out = []
        for row in chosen.to_pylist():
            buffer = io.BytesIO()
            fastavro.schemaless_writer(buffer, self._writer, row)
            out.append(buffer.getvalue())
        return out
