"""The tables as Arrow schemas, and data brought into that shape."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from ._model import Datatype, SchemaError, Table, table
from ._suggest import did_you_mean

__all__ = ["arrow_schema", "arrow_type", "conform"]

_TYPES: dict[Datatype, pa.DataType] = {
    "boolean": pa.bool_(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "string": pa.string(),
    "text": pa.string(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def arrow_type(datatype: Datatype) -> pa.DataType:
    """The Arrow type that holds values of a Felis datatype."""
    return _TYPES[datatype]


@cache
def arrow_schema(name: str) -> pa.Schema:
    """The Arrow schema of table `name`.

    Every field is nullable, as Arrow's own operations leave it; `conform` sees to the columns that must have
    values.

    Raises
    ------
    SchemaError
        If there is no such table.
    """
    return pa.schema([pa.field(column.name, _TYPES[column.datatype]) for column in table(name).columns])


def conform(data: pa.Table, name: str) -> pa.Table:
    """`data` with exactly the columns of table `name`, in its order and of its types.

    Columns that `data` lacks become NULL. Values are cast only where none is lost, except that double
    precision may be rounded to single.

    Raises
    ------
    SchemaError
        If there is no such table, if `data` has a column that the table has not (with a suggestion) or one
        twice, if a column cannot be cast, or if a column that must have values lacks some.
    """
    definition, schema = table(name), arrow_schema(name)
    if data.schema.equals(schema):
        columns = data.columns
    else:
        _check_names(data, definition)
        columns = [_column(data, field, name) for field in schema]
    for column, values in zip(definition.columns, columns, strict=True):
        if not column.nullable and values.null_count:
            missing = (
                "is missing" if column.name not in data.column_names else f"has {values.null_count} NULLs"
            )
            raise SchemaError(f"column {column.name!r} of table {name} must have values but {missing}")
    return pa.Table.from_arrays(columns, schema=schema)


def _check_names(data: pa.Table, definition: Table) -> None:
    names = data.column_names
    for name in names:
        if name not in definition.by_name:
            hint = did_you_mean(name, definition.by_name)
            raise SchemaError(f"table {definition.name} has no column {name!r}{hint}")
    if len(set(names)) < len(names):
        doubled = sorted({name for name in names if names.count(name) > 1})
        raise SchemaError(f"table {definition.name} was given columns twice: {', '.join(doubled)}")


def _column(data: pa.Table, field: pa.Field, name: str) -> pa.ChunkedArray:
    place = data.schema.get_field_index(field.name)
    if place < 0:
        return pa.chunked_array([pa.nulls(data.num_rows, field.type)])
    values = data.column(place)
    if values.type == field.type:
        return values
    # Rounding double to single is what a single-precision column asks for; any other loss is a mistake.
    rounding = pa.types.is_floating(values.type) and pa.types.is_floating(field.type)
    try:
        return values.cast(field.type, safe=not rounding)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(f"column {field.name!r} of table {name}: {error}") from error
