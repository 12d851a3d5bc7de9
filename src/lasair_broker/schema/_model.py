"""The data model: tables and columns as the YAML files beside this module state them, in Felis vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ._suggest import did_you_mean

__all__ = ["TABLES", "Column", "Datatype", "Index", "SchemaError", "Table", "description", "table", "version"]

Datatype = Literal[
    "boolean", "short", "int", "long", "float", "double", "char", "string", "text", "binary", "timestamp"
]
"""The datatypes of Felis that our tables use. Timestamps are UTC, to the microsecond."""


class SchemaError(ValueError):
    """A table or column that the schema does not know, or data that do not fit it."""


class _Felis(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Felis):
    """A column of a table.

    Attributes
    ----------
    name
        As users write it.
    datatype
        In Felis' words.
    length
        Longest text in characters, as TAP states it; no engine enforces it. None if the type has no length.
    nullable
        False for the few columns without which a row means nothing.
    description
        What the value is, in a sentence or two.
    unit
        As IVOA's VOUnit; None if the value has no unit.
    ucd
        IVOA's UCD1+ words.
    principal
        Whether the column is one of those that a reader wants to see first.
    """

    name: str
    datatype: Datatype
    length: int | None = None
    nullable: bool = True
    description: str
    unit: str | None = Field(default=None, alias="ivoa:unit")
    ucd: str | None = Field(default=None, alias="ivoa:ucd")
    principal: bool = Field(default=False, alias="tap:principal")


class Index(_Felis):
    """An index that an engine with indexes keeps."""

    name: str
    description: str
    columns: tuple[str, ...]

    @field_validator("columns", mode="before")
    @classmethod
    def _names(cls, references: list[str]) -> tuple[str, ...]:
        return _column_names(references)


class Table(_Felis):
    """A table: its columns in order, its key and its indexes."""

    name: str
    description: str
    table_index: int = Field(alias="tap:table_index")
    primary_key: tuple[str, ...] = Field(alias="primaryKey")
    indexes: tuple[Index, ...] = ()
    columns: tuple[Column, ...]

    @field_validator("primary_key", mode="before")
    @classmethod
    def _key_names(cls, references: str | list[str]) -> tuple[str, ...]:
        return _column_names([references] if isinstance(references, str) else references)

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by their names, in order."""
        return MappingProxyType({column.name: column for column in self.columns})

    def column(self, name: str) -> Column:
        """The column `name`.

        Raises
        ------
        SchemaError
            If there is none; the message says which was probably meant.
        """
        found = self.by_name.get(name)
        if found is None:
            raise SchemaError(f"table {self.name} has no column {name!r}{did_you_mean(name, self.by_name)}")
        return found


def table(name: str) -> Table:
    """The table `name`.

    Raises
    ------
    SchemaError
        If there is none; the message says which was probably meant.
    """
    found = TABLES.get(name)
    if found is None:
        raise SchemaError(f"there is no table {name!r}{did_you_mean(name, TABLES)}")
    return found


def _column_names(references: list[str]) -> tuple[str, ...]:
    """Felis refers to a column as ``#table.column``."""
    return tuple(reference.rpartition(".")[2] for reference in references)


def _read(*path: str) -> dict[str, Any]:
    text = files(__package__).joinpath(*path).read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are the safe one
    return loaded


@cache
def _header() -> dict[str, Any]:
    return _read("lasair.yaml")


def _load() -> Mapping[str, Table]:
    tables = (Table.model_validate(_read("tables", f"{name}.yaml")) for name in _header()["tables"])
    return MappingProxyType({table.name: table for table in tables})


TABLES: Mapping[str, Table] = _load()
"""Every table by its name, in the order in which a reader should meet them."""

description: str = _header()["description"]
"""What the tables hold together."""

version: str = _header()["version"]
"""Version of the data model; it grows when a table changes."""
