"""What can be wrong with a schema, a container or a datum, and how it is called."""

from __future__ import annotations

__all__ = [
    "AFTER_BAD",
    "BAD_BLOCK",
    "BAD_BOOLEAN",
    "BAD_ENUM",
    "BAD_INT",
    "BAD_LENGTH",
    "BAD_UNION",
    "BAD_UTF8",
    "BAD_VARINT",
    "ERRORS",
    "GOOD",
    "TOO_MANY_ITEMS",
    "TRAILING",
    "TRUNCATED",
    "AvroError",
    "ColumnError",
    "ContainerError",
    "SchemaError",
]

# Codes of `Decoded.error`. Kernels return them, so they are plain integers.
GOOD = 0
TRUNCATED = 1
BAD_VARINT = 2
BAD_INT = 3
BAD_BOOLEAN = 4
BAD_UNION = 5
BAD_ENUM = 6
BAD_LENGTH = 7
BAD_UTF8 = 8
BAD_BLOCK = 9
TOO_MANY_ITEMS = 10
TRAILING = 11
AFTER_BAD = 12

ERRORS: tuple[str, ...] = (
    "good",
    "the bytes end before the datum does",
    "an integer runs over ten bytes",
    "an int is outside 32 bits",
    "a boolean is neither 0 nor 1",
    "a union branch does not exist",
    "an enum symbol does not exist",
    "a length is negative or longer than what is left",
    "text is not UTF-8",
    "an array or map block is negative, longer than what is left, or not of the size it states",
    "more array and map items than allowed in one datum",
    "bytes are left over after the datum",
    "an earlier datum of the same block is bad, so this one cannot be found",
)
"""The text of each code of `Decoded.error`."""


class AvroError(ValueError):
    """Anything wrong with Avro input; the message says what and where."""


class SchemaError(AvroError):
    """A schema that is malformed, refers to an unknown name, or cannot be flattened into columns."""


class ContainerError(AvroError):
    """An object container file that is malformed; the message gives the byte where it was noticed."""


class ColumnError(AvroError):
    """Columns that cannot be encoded with a schema."""
