"""Queries as forms: columns, joins and conditions that people can tick and fill in, and the way back.

A form says less than the language does. A query that it cannot say is not a form, and the error tells what in
it is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from lasair_broker.schema import TABLES, table

from ._errors import QueryError
from ._parse import FUNCTION_MARK, parameter_of, parse_text, position_of
from ._words import RESERVED
from ._written import operands

__all__ = [
    "Form",
    "FormColumn",
    "FormCondition",
    "FormJoin",
    "FormParameter",
    "JoinKind",
    "Operator",
    "form_of",
]

JoinKind = Literal["watchlist", "area", "annotator", "tns", "sherlock", "classifications"]
Operator = Literal[
    "=", "<>", "<", "<=", ">", ">=", "between", "in", "like", "known", "unknown", "within days", "before days"
]


@dataclass(frozen=True, slots=True)
class FormParameter:
    """A parameter in place of a value, by its name."""

    parameter: str


Value = int | float | str | FormParameter

_WORD = re.compile(r"[A-Za-z]\w*", re.ASCII)
_SIMPLE: dict[type[exp.Expression], Operator] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_WRITTEN_MIRRORED: dict[str, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TABLE_OF: dict[str, str] = {
    "watchlist": "watchlist_hits",
    "area": "area_hits",
    "annotator": "annotations",
    "tns": "crossmatch_tns",
    "sherlock": "sherlock_classifications",
    "classifications": "classifications",
}
_KIND_OF: dict[str, JoinKind] = {
    "watchlist_hits": "watchlist",
    "area_hits": "area",
    "annotations": "annotator",
    "crossmatch_tns": "tns",
    "sherlock_classifications": "sherlock",
    "classifications": "classifications",
}
_WHICH = {"watchlist": "wl_id", "area": "ar_id", "annotator": "topic"}


@dataclass(frozen=True, slots=True)
class FormColumn:
    """A column of a source, or its AB magnitude if it is a flux.

    Attributes
    ----------
    source
        ``objects``, or the name of a join.
    called
        A name of its own in the result; "" for none.
    """

    source: str
    name: str
    magnitude: bool = False
    called: str = ""


@dataclass(frozen=True, slots=True)
class FormJoin:
    """What the objects are joined with.

    Attributes
    ----------
    which
        The number of a list or map, or the topic of an annotator; "" for the others.
    name
        What columns of it are called by.
    optional
        Whether objects without it stay.
    """

    kind: JoinKind
    which: str = ""
    name: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class FormCondition:
    """A condition on a column. `values` are one for most operators, two for "between", any number for "in",
    none for "known" and "unknown"."""

    column: FormColumn
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """A query that gives columns of objects that fulfil all of some conditions."""

    columns: tuple[FormColumn, ...]
    joins: tuple[FormJoin, ...] = ()
    conditions: tuple[FormCondition, ...] = ()
    order: FormColumn | None = None
    descending: bool = False
    most: int | None = None

    def adql(self) -> str:
        """The query.

        Raises
        ------
        QueryError
            If no column is selected, or a condition lacks a value.
        """
        if not self.columns:
            raise QueryError("no column is selected", suggestion="tick at least one")
        top = f"TOP {int(self.most)} " if self.most is not None else ""
        lines = [f"SELECT {top}" + ",\n       ".join(_selected(column) for column in self.columns)]
        lines.append("FROM objects")
        lines += [_joined(join) for join in self.joins]
        if self.conditions:
            lines.append("WHERE " + "\n  AND ".join(_condition(each) for each in self.conditions))
        if self.order is not None:
            lines.append(f"ORDER BY {_value(self.order)}" + (" DESC" if self.descending else ""))
        return "\n".join(lines)


def form_of(text: str) -> Form:
    """The form that says a query, which `parse` takes.

    Raises
    ------
    QueryError
        If no form says it, with the place of what it cannot say.
    """
    tree, _ = parse_text(text)
    if not isinstance(tree, exp.Select):
        raise _beyond("several results put together", None)
    for part, what in (
        ("with_", "WITH"), ("with", "WITH"), ("group", "GROUP BY"), ("having", "HAVING"),
        ("distinct", "DISTINCT"), ("offset", "OFFSET"),
    ):  # fmt: skip
        if tree.args.get(part):
            raise _beyond(what, None)
    source = tree.args.get("from_") or tree.args.get("from")
    first = source.this if source is not None else None
    if not isinstance(first, exp.Table) or _name(first.this).casefold() not in ("objects", "objects_ext"):
        raise _beyond("a query that does not begin with objects", first or tree)
    reader = _Reader(_name(first.args["alias"].this) if first.args.get("alias") else _name(first.this))
    joins = tuple(reader.join(join) for join in tree.args.get("joins") or [])
    where = tree.args.get("where")
    order = tree.args.get("order")
    if order is not None and len(order.expressions) != 1:
        raise _beyond("ORDER BY several columns", order)
    by = order.expressions[0] if order is not None else None
    conditions = () if where is None else tuple(reader.condition(part) for part in _all_of(where.this))
    limit = tree.args.get("limit")
    return Form(
        columns=tuple(reader.selected(part) for part in tree.expressions),
        joins=joins,
        conditions=conditions,
        order=None if by is None else reader.column(by.this),
        descending=bool(by is not None and by.args.get("desc")),
        most=None if limit is None else int(limit.expression.name),
    )


class _Reader:
    """Reads the parts of a query; `objects` is what it calls the objects."""

    def __init__(self, objects: str) -> None:
        self._sources = {objects.casefold(): ("objects", "objects"), "objects_ext": ("objects", "objects")}
        """For what the user calls a source, the form's name of it and its table."""

    def join(self, join: exp.Join) -> FormJoin:
        found = join.this
        side = str(join.args.get("side") or "").upper()
        table_name = _name(found.this) if isinstance(found, exp.Table) else ""
        known = next((name for name in TABLES if name.casefold() == table_name.casefold()), "")
        kind = _KIND_OF.get(known)
        on = join.args.get("on")
        if kind is None or on is None or side not in ("", "LEFT") or join.args.get("using"):
            raise _beyond("this join", found)
        alias = found.args.get("alias")
        name = _name(alias.this) if alias else known
        self._sources[name.casefold()] = (name, known)
        which, linked = "", False
        for part in _all_of(on):
            columns = (
                [side for side in (part.left, part.right) if isinstance(side, exp.Column)]
                if isinstance(part, exp.EQ)
                else []
            )
            if len(columns) == 2:
                linked = self._links(kind, columns) or linked
            elif len(columns) == 1 and kind in _WHICH and not which:
                which = self._which(kind, name, part)
            else:
                raise _beyond("this condition of a join", part)
        if not linked or (kind in _WHICH and not which):
            raise _beyond("this join", found)
        return FormJoin(kind, which, name, side == "LEFT")

    def _links(self, kind: JoinKind, columns: Sequence[exp.Column]) -> bool:
        key = "tns_name" if kind == "tns" else "diaObjectId"
        return all(self.column(column).name == key for column in columns)

    def _which(self, kind: JoinKind, name: str, part: exp.Expression) -> str:
        condition = self.condition(part)
        column = condition.column
        if (column.source, column.name, condition.operator) != (name, _WHICH[kind], "="):
            raise _beyond("this condition of a join", part)
        if isinstance(condition.values[0], FormParameter):
            raise _beyond("a parameter for which list is joined", part)
        return str(condition.values[0])

    def selected(self, node: exp.Expression) -> FormColumn:
        called = ""
        if isinstance(node, exp.Alias):
            called, node = _name(node.args["alias"]), node.this
        column = self.column(node)
        return FormColumn(column.source, column.name, column.magnitude, called)

    def column(self, node: exp.Expression) -> FormColumn:
        node = _bare(node)
        if _function(node) == "FLUX2MAG" and len(node.expressions) == 1:
            inner = self.column(node.expressions[0])
            if not inner.magnitude:
                return FormColumn(inner.source, inner.name, True)
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            raise _beyond("anything but columns and magnitudes", node)
        written = _name(node.this)
        if node.args.get("table") is not None:
            source, of = self._sources.get(node.table.casefold(), ("", ""))
            return FormColumn(source, _spelt(of, written, node))
        for source, of in self._sources.values():
            if any(column.name.casefold() == written.casefold() for column in table(of).columns):
                return FormColumn(source, _spelt(of, written, node))
        raise _beyond(f"the name {written}", node)

    def condition(self, node: exp.Expression) -> FormCondition:
        node = _bare(node)
        simple = _SIMPLE.get(type(node))
        if simple is not None:
            return self._comparison(simple, node)
        if isinstance(node, exp.Between):
            values = (_literal(node.args["low"]), _literal(node.args["high"]))
            return FormCondition(self.column(node.this), "between", values)
        if isinstance(node, exp.In) and not node.args.get("query"):
            return FormCondition(self.column(node.this), "in", tuple(map(_literal, node.expressions)))
        if isinstance(node, exp.Like):
            return FormCondition(self.column(node.this), "like", (_literal(node.expression),))
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return FormCondition(self.column(node.this), "unknown")
        if isinstance(node, exp.Not):
            inner = _bare(node.this)
            if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
                return FormCondition(self.column(inner.this), "known")
        raise _beyond("this condition", node)

    def _comparison(self, operator: Operator, node: exp.Expression) -> FormCondition:
        left, right = _bare(node.this), _bare(node.expression)
        if isinstance(left, exp.Sub) and _function(left.this) == "MJDNOW":
            ages: dict[Operator, Operator] = {"<": "within days", ">": "before days"}
            if operator in ages:
                return FormCondition(self.column(left.expression), ages[operator], (_literal(right),))
        if isinstance(left, exp.Literal | exp.Neg) or (
            isinstance(left, exp.Column) and parameter_of(left) is not None
        ):
            left, right, operator = right, left, _WRITTEN_MIRRORED[operator]
        return FormCondition(self.column(left), operator, (_literal(right),))


def _all_of(node: exp.Expression) -> list[exp.Expression]:
    """The conditions that ANDs join."""
    node = _bare(node)
    if not isinstance(node, exp.And):
        return [node]
    return [part for operand in operands(node) for part in _all_of(operand)]


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _name(node: exp.Expression | str) -> str:
    return node if isinstance(node, str) else str(node.name)


def _function(node: exp.Expression) -> str:
    return str(node.this).removeprefix(FUNCTION_MARK).upper() if isinstance(node, exp.Anonymous) else ""


def _spelt(of: str, written: str, node: exp.Expression) -> str:
    """The name of a column as the schema spells it."""
    for column in table(of).columns if of else ():
        if column.name.casefold() == written.casefold():
            return column.name
    raise _beyond(f"the name {written}", node)


def _literal(node: exp.Expression) -> Value:
    node = _bare(node)
    if isinstance(node, exp.Column) and (named := parameter_of(node)) is not None:
        return FormParameter(named)
    if isinstance(node, exp.Neg):
        inner = _literal(node.this)
        if isinstance(inner, int | float):
            return -inner
    if isinstance(node, exp.Boolean):
        raise _beyond("TRUE and FALSE", node)
    if not isinstance(node, exp.Literal):
        raise _beyond("a comparison with anything but a number or a text", node)
    if node.is_string:
        return str(node.this)
    written = str(node.this)
    return int(written) if written.isdigit() else float(written)


def _beyond(what: str, node: exp.Expression | None) -> QueryError:
    return QueryError(f"a form cannot say {what}", position_of(node))


def _quoted(name: str) -> str:
    plain = _WORD.fullmatch(name) and name.upper() not in RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


def _value(column: FormColumn) -> str:
    written = f"{_quoted(column.source)}.{_quoted(column.name)}"
    return f"flux2mag({written})" if column.magnitude else written


def _selected(column: FormColumn) -> str:
    return _value(column) + (f" AS {_quoted(column.called)}" if column.called else "")


def _joined(join: FormJoin) -> str:
    source = _TABLE_OF[join.kind]
    name = _quoted(join.name or source)
    alias = "" if name == source else f" AS {name}"
    key = "tns_name" if join.kind == "tns" else "diaObjectId"
    on = f"{name}.{key} = objects.{key}"
    if join.kind in _WHICH:
        if join.kind != "annotator" and not (join.which.isascii() and join.which.isdecimal()):
            raise QueryError(f"a {join.kind} is chosen by its number", suggestion="choose one")
        which = join.which if join.kind != "annotator" else _written(join.which)
        on += f" AND {name}.{_WHICH[join.kind]} = {which}"
    return f"{'LEFT ' if join.optional else ''}JOIN {source}{alias} ON {on}"


def _condition(condition: FormCondition) -> str:
    column, values = _value(condition.column), [_written(value) for value in condition.values]
    wanted = {"between": 2, "known": 0, "unknown": 0}.get(condition.operator, 1)
    if len(values) != wanted and not (condition.operator == "in" and values):
        raise QueryError(
            f"the condition on {condition.column.name} lacks a value", suggestion="fill it in, or remove it"
        )
    match condition.operator:
        case "between":
            return f"{column} BETWEEN {values[0]} AND {values[1]}"
        case "in":
            return f"{column} IN ({', '.join(values)})"
        case "like":
            return f"{column} LIKE {values[0]}"
        case "known":
            return f"{column} IS NOT NULL"
        case "unknown":
            return f"{column} IS NULL"
        case "within days":
            return f"mjdnow() - {column} < {values[0]}"
        case "before days":
            return f"mjdnow() - {column} > {values[0]}"
    return f"{column} {condition.operator} {values[0]}"


def _written(value: Value) -> str:
    if isinstance(value, FormParameter):
        if not _WORD.fullmatch(value.parameter):
            raise QueryError(f"{value.parameter[:60]!r} is no name of a parameter")
        return f":{value.parameter}"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
