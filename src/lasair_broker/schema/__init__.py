"""The words of the system: tables, columns, types, units, UCDs and descriptions.

One YAML file a table, in the vocabulary of Felis, is the only place where a column is defined; Arrow schemas,
DDL and everything that shows or checks columns are derived from it.
"""

from ._arrow import arrow_schema, arrow_type, conform
from ._ddl import Engine, ddl, quoted, sql_type
from ._model import TABLES, Column, Datatype, Index, SchemaError, Table, description, table, version
from ._suggest import closest, did_you_mean

__all__ = [
    "TABLES",
    "Column",
    "Datatype",
    "Engine",
    "Index",
    "SchemaError",
    "Table",
    "arrow_schema",
    "arrow_type",
    "closest",
    "conform",
    "ddl",
    "description",
    "did_you_mean",
    "quoted",
    "sql_type",
    "table",
    "version",
]
