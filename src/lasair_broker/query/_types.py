"""The types of values in a query.

Integers carry the number of bits their magnitude may need, so that arithmetic on them is known to be exact,
or is done in double precision; texts carry their greatest length, so that no query can build a text that
fills the memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lasair_broker.schema import Column

__all__ = [
    "BOOLEAN",
    "DOUBLE",
    "GEOMETRY",
    "JSON",
    "TIMESTAMP",
    "UNKNOWN",
    "Kind",
    "Type",
    "integer",
    "of_column",
    "text",
]

Kind = Literal[
    "boolean",
    "integer",
    "real",
    "text",
    "timestamp",
    "binary",
    "json",
    "point",
    "circle",
    "polygon",
    "region",
    "unknown",
]


GEOMETRY: tuple[Kind, ...] = ("point", "circle", "polygon", "region")


@dataclass(frozen=True, slots=True)
class Type:
    """A type: `bits` matters for integers, `length` for texts (and for polygons, whose numbers it counts),
    `single` for columns of single precision."""

    kind: Kind
    bits: int = 0
    length: int = 0
    single: bool = False

    @property
    def numeric(self) -> bool:
        return self.kind in ("integer", "real", "unknown")


BOOLEAN = Type("boolean")
DOUBLE = Type("real")
TIMESTAMP = Type("timestamp")
JSON = Type("json", length=10_000)
UNKNOWN = Type("unknown")
"""The type of NULL, and of columns of tables that are not described."""

_LENGTH_OF_UNBOUNDED_TEXT = 10_000
_BITS = {"short": 15, "int": 31, "long": 63}


def integer(bits: int) -> Type:
    return Type("integer", bits=bits)


def text(length: int) -> Type:
    return Type("text", length=length)


def of_column(column: Column) -> Type:
    """The type of a column of the schema."""
    match column.datatype:
        case "boolean":
            return BOOLEAN
        case "short" | "int" | "long":
            return integer(_BITS[column.datatype])
        case "float":
            return Type("real", single=True)
        case "double":
            return DOUBLE
        case "char" | "string" | "text":
            return text(column.length or _LENGTH_OF_UNBOUNDED_TEXT)
        case "timestamp":
            return TIMESTAMP
        case "binary":
            return Type("binary")
