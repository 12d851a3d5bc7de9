"""Avro as columns: any writer schema decoded and encoded by one compiled kernel, and object containers."""

from ._build import Binary, Text
from ._codec import MAX_ITEMS, Codec
from ._columns import Decoded, Level
from ._container import (
    Block,
    Container,
    ContainerReader,
    Containers,
    container_parts,
    read_container,
    write_container,
)
from ._errors import ERRORS, AvroError, ColumnError, ContainerError, SchemaError
from ._memory import addresses
from ._plan import VIEW, Column

__all__ = [
    "ERRORS",
    "MAX_ITEMS",
    "VIEW",
    "AvroError",
    "Binary",
    "Block",
    "Codec",
    "Column",
    "ColumnError",
    "Container",
    "ContainerError",
    "ContainerReader",
    "Containers",
    "Decoded",
    "Level",
    "SchemaError",
    "Text",
    "addresses",
    "container_parts",
    "read_container",
    "write_container",
]
