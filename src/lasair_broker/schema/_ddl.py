"""The tables as statements that make them in an engine."""

from __future__ import annotations

from typing import Literal

from ._model import Column, Datatype, Table, table

__all__ = ["Engine", "ddl", "quoted", "sql_type"]

Engine = Literal["duckdb", "postgresql"]
"""The engines an archive can live in."""

_TYPES: dict[Engine, dict[Datatype, str]] = {
    "duckdb": {
        "boolean": "BOOLEAN",
        "short": "SMALLINT",
        "int": "INTEGER",
        "long": "BIGINT",
        "float": "FLOAT",
        "double": "DOUBLE",
        "char": "VARCHAR",
        "string": "VARCHAR",
        "text": "VARCHAR",
        "binary": "BLOB",
        "timestamp": "TIMESTAMPTZ",
    },
    "postgresql": {
        "boolean": "boolean",
        "short": "smallint",
        "int": "integer",
        "long": "bigint",
        "float": "real",
        "double": "double precision",
        # A survey's text that is longer than we thought must not stop a batch, so no length is enforced.
        "char": "text",
        "string": "text",
        "text": "text",
        "binary": "bytea",
        "timestamp": "timestamp with time zone",
    },
}


def sql_type(datatype: Datatype, engine: Engine) -> str:
    """The type of a column of a Felis datatype in an engine."""
    return _TYPES[engine][datatype]


def quoted(identifier: str) -> str:
    """An identifier as both engines read it without folding its case."""
    return '"' + identifier.replace('"', '""') + '"'


def ddl(name: str, engine: Engine, table_name: str | None = None, *, compressed: bool = True) -> str:
    """Statements, separated by semicolons, that make table `name` in `engine`, under its own or another name.

    Where rows stay only until they are sorted in, DuckDB need not spend its time on compressing them
    (`compressed` false).

    DuckDB gets no primary key and no index: it cannot delete and insert the same key in one transaction, and
    its indexes make large upserts hopeless. PostgreSQL gets both, and the descriptions as comments.

    Raises
    ------
    SchemaError
        If there is no such table.
    """
    definition = table(name)
    target = quoted(table_name or name)
    if engine == "duckdb":
        how = "" if compressed else " USING COMPRESSION uncompressed"
        return _create(target, [_column_line(column, engine, how) for column in definition.columns])
    lines = [_column_line(column, engine) for column in definition.columns]
    lines.append(f"PRIMARY KEY ({_list(definition.primary_key)})")
    return ";\n".join(
        [_create(target, lines), *_indexes(definition, target, table_name), *_comments(definition, target)]
    )


def _create(target: str, lines: list[str]) -> str:
    return f"CREATE TABLE {target} (\n  " + ",\n  ".join(lines) + "\n)"


def _column_line(column: Column, engine: Engine, how: str = "") -> str:
    always = "" if column.nullable else " NOT NULL"
    return f"{quoted(column.name)} {sql_type(column.datatype, engine)}{how}{always}"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))


def _indexes(definition: Table, target: str, table_name: str | None) -> list[str]:
    # An index's name is unique in its schema, so a table under another name needs other index names.
    prefix = f"{table_name}_" if table_name else ""
    return [
        f"CREATE INDEX {quoted(prefix + index.name)} ON {target} ({_list(index.columns)})"
        for index in definition.indexes
    ]


def _comments(definition: Table, target: str) -> list[str]:
    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    columns = (
        f"COMMENT ON COLUMN {target}.{quoted(column.name)} IS {literal(column.description)}"
        for column in definition.columns
    )
    return [f"COMMENT ON TABLE {target} IS {literal(definition.description)}", *columns]
