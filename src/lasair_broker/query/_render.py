"""The checked tree as SQL of an engine. Nothing of the user's text is in it but literals, and those are
written anew."""

from __future__ import annotations

import math

from lasair_broker.schema import Engine, quoted

from ._errors import QueryError
from ._functions import FUNCTIONS, Function
from ._tree import (
    Aggregate,
    Call,
    Case,
    ColumnRef,
    Const,
    Derived,
    Exists,
    Expr,
    In,
    InQuery,
    Join,
    NamedQuery,
    Ordering,
    QueryTree,
    Scalar,
    Select,
    SetOperation,
    Source,
    TableSource,
)
from ._types import GEOMETRY, Type

__all__ = ["Renderer"]

LONGEST_SQL = 500_000
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


class Renderer:
    """Writes one query for one engine.

    Parameters
    ----------
    engine
        Whose SQL.
    now
        What ``mjdnow()`` is: MJD TAI, or the name of a parameter.
    """

    def __init__(self, engine: Engine, now: float | str) -> None:
        self._engine = engine
        self.uses_now = False
        self._now = now if isinstance(now, str) else self._number(now)

    def query(self, tree: QueryTree) -> str:
        """The whole query.

        Raises
        ------
        QueryError
            If it has grown too long, as expressions nested many deep can.
        """
        sql = self._query(tree)
        if len(sql) > LONGEST_SQL:
            raise QueryError("the query is too large")
        return sql

    def _query(self, tree: QueryTree) -> str:
        body = tree.body
        parts = []
        if tree.named:
            named = ", ".join(f"{quoted(name)} AS ({self._query(query)})" for name, query in tree.named)
            parts.append(f"WITH {named}")
        parts.append(self._select(body) if isinstance(body, Select) else self._set_operation(body))
        if tree.order:
            parts.append("ORDER BY " + ", ".join(map(self._ordering, tree.order)))
        if tree.limit is not None:
            parts.append(f"LIMIT {tree.limit}")
        if tree.offset is not None:
            parts.append(f"OFFSET {tree.offset}")
        return " ".join(parts)

    def _select(self, select: Select) -> str:
        outputs = ", ".join(f"{self._value(o.expression)} AS {quoted(o.name)}" for o in select.outputs)
        parts = [
            f"SELECT {'DISTINCT ' if select.distinct else ''}{outputs} FROM {self._source(select.source)}"  # noqa: S608 - of checked parts only
        ]
        if select.where is not None:
            parts.append(f"WHERE {self._value(select.where)}")
        # A constant is one value for every group already, and a number in GROUP BY would be a place.
        group = [self._value(g) for g in select.group if not isinstance(g, Const)]
        if group:
            parts.append("GROUP BY " + ", ".join(group))
        elif select.group:
            parts.append("GROUP BY ()")
        if select.having is not None:
            parts.append(f"HAVING {self._value(select.having)}")
        return " ".join(parts)

    def _set_operation(self, operation: SetOperation) -> str:
        word = operation.kind + (" ALL" if operation.all else "")
        return f"({self._query(operation.left)}) {word} ({self._query(operation.right)})"

    def _ordering(self, ordering: Ordering) -> str:
        by = quoted(ordering.by) if isinstance(ordering.by, str) else self._value(ordering.by)
        return f"{by} {'DESC' if ordering.descending else 'ASC'} NULLS LAST"

    # FROM

    def _source(self, source: Source) -> str:
        match source:
            case TableSource():
                return self._table(source)
            case NamedQuery():
                return f"{quoted(source.name)} AS {quoted(source.alias)}"
            case Derived():
                return f"({self._query(source.query)}) AS {quoted(source.alias)}"
            case Join():
                left, right = self._source(source.left), self._source(source.right)
                if source.kind == "CROSS" or source.on is None:
                    return f"({left} CROSS JOIN {right})"
                return f"({left} {source.kind} JOIN {right} ON {self._value(source.on)})"

    def _table(self, source: TableSource) -> str:
        table, alias = quoted(source.table), quoted(source.alias)
        allowed = " AND ".join(
            f"{quoted(column)} IN ({', '.join(map(self._plain, values))})" if values else "FALSE"
            for column, values in source.only
        )
        if source.ranges is None:
            return f"(SELECT * FROM {table} WHERE {allowed}) AS {alias}" if allowed else f"{table} AS {alias}"  # noqa: S608 - of checked parts only
        # Both engines look at a few ranges one after the other far faster than at an OR of them.
        pieces = [
            f'SELECT * FROM {table} WHERE "healpix29" >= {low} AND "healpix29" < {high}'  # noqa: S608 - of checked parts only
            + (f" AND {allowed}" if allowed else "")
            for low, high in source.ranges
        ]
        return f"({' UNION ALL '.join(pieces)}) AS {alias}"

    # Values

    def _value(self, expression: Expr) -> str:
        match expression:
            case Const():
                return self._constant(expression)
            case ColumnRef():
                return f"{quoted(expression.source)}.{quoted(expression.name)}"
            case Call():
                return self._call(expression)
            case Case():
                branches = " ".join(
                    f"WHEN {self._value(c)} THEN {self._value(v)}" for c, v in expression.branches
                )
                return f"(CASE {branches} ELSE {self._value(expression.default)} END)"
            case In():
                items = ", ".join(map(self._value, expression.items))
                return f"({self._value(expression.value)} IN ({items}))"
            case InQuery():
                return f"({self._value(expression.value)} IN ({self._query(expression.query)}))"
            case Exists():
                return f"EXISTS ({self._query(expression.query)})"
            case Scalar():
                return f"({self._query(expression.query)})"
            case Aggregate():
                return self._aggregate(expression)

    def _aggregate(self, aggregate: Aggregate) -> str:
        inside = "*" if aggregate.argument is None else self._value(aggregate.argument)
        call = f"{aggregate.function.lower()}({'DISTINCT ' if aggregate.distinct else ''}{inside})"
        whole = aggregate.type.kind == "integer" and aggregate.function in ("SUM", "COUNT")
        return f"CAST({call} AS {self._type(aggregate.type)})" if whole else call

    def _call(self, call: Call) -> str:
        if call.function == "now":
            self.uses_now = True
            return self._now
        function = FUNCTIONS[call.function]
        args = [self._value(argument) for argument in call.args]
        if call.type.kind in GEOMETRY:
            return self._geometry(call, function, args)
        if call.function == "json_path":
            args[1] = self._json_path(str(call.args[1].value))  # type: ignore[union-attr]
        if call.function == "like" and self._engine == "duckdb":
            pattern = call.args[1]
            written = str(pattern.value) if isinstance(pattern, Const) else "%_%"
            if "_" not in written or written.count("%") < 2:
                return f"({args[0]} LIKE {args[1]})"  # DuckDB's own LIKE is linear in these
            args[1] = self._regular_expression(pattern, args[1])
        if (
            self._engine == "postgresql"
            and call.function in _COMPARISONS
            and call.args[0].type.kind == "text"
        ):
            args[0] = f'({args[0]} COLLATE "C")'  # by code points, as DuckDB
        template = function.duckdb if self._engine == "duckdb" else function.postgresql
        sql = template.format(*args)
        if len(sql) > LONGEST_SQL:
            raise QueryError("the query is too large")
        return f"({sql})" if template.startswith("CASE") else sql

    def _geometry(self, call: Call, function: Function, args: list[str]) -> str:
        """Its numbers in a row; NULL if one of them is missing."""
        template = function.duckdb if self._engine == "duckdb" else function.postgresql
        row = template.format(", ".join(args))
        known = [
            f"{sql} IS NOT NULL"
            for sql, value in zip(args, call.args, strict=True)
            if not isinstance(value, Const) or value.value is None
        ]
        return f"(CASE WHEN {' AND '.join(known)} THEN {row} END)" if known else row

    def _regular_expression(self, pattern: Expr, sql: str) -> str:
        """A LIKE pattern in RE2's syntax, which matches in linear time."""
        if isinstance(pattern, Const) and isinstance(pattern.value, str):
            letters = {"%": ".*", "_": "."}
            written = "".join(
                letters.get(c, c if c.isalnum() or ord(c) > 127 else f"\\{c}") for c in pattern.value
            )
            return self._text("(?s)" + written)
        return f"('(?s)' || replace(replace(regexp_escape({sql}), '\\%', '.*'), '_', '.'))"

    def _json_path(self, path: str) -> str:
        if self._engine == "duckdb":
            return self._text(path)
        steps = path[1:].replace("[", ".").replace("]", "").strip(".").split(".")
        return self._text("{" + ",".join(steps) + "}")

    # Literals

    def _constant(self, constant: Const) -> str:
        value = constant.value
        if value is None:
            kind = self._type(constant.type)
            return f"CAST(NULL AS {kind})" if kind else "NULL"
        if constant.type.kind == "timestamp":
            return f"CAST({self._text(str(value))} AS {self._type(constant.type)})"
        if constant.type.kind == "real":
            return self._number(float(value))
        return self._plain(value)

    def _plain(self, value: bool | int | float | str) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int):
            return str(value) if value >= 0 else f"({value})"
        return self._number(value) if isinstance(value, float) else self._text(value)

    def _number(self, value: float) -> str:
        if not math.isfinite(value):
            raise QueryError("a number is beyond double precision")
        kind = "DOUBLE" if self._engine == "duckdb" else "double precision"
        # DuckDB reads a number without an exponent as a decimal, which has few digits.
        return f"CAST('{value!r}' AS {kind})"

    def _text(self, value: str) -> str:
        written = "'" + value.replace("'", "''") + "'"
        # A backslash is plain in both engines' standard strings; PostgreSQL's typing needs to know that it
        # is text.
        return f"CAST({written} AS text)" if self._engine == "postgresql" else written

    def _type(self, kind: Type) -> str:
        duckdb = self._engine == "duckdb"
        match kind.kind:
            case "boolean":
                return "BOOLEAN"
            case "integer":
                return "BIGINT"
            case "real":
                return "DOUBLE" if duckdb else "double precision"
            case "text" | "json":
                return "VARCHAR" if duckdb else "text"
            case "timestamp":
                return "TIMESTAMPTZ" if duckdb else "timestamp with time zone"
            case "point" | "circle" | "polygon":
                return "DOUBLE[]" if duckdb else "double precision[]"
            case _:
                return ""
