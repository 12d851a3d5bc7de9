"""Why a query takes an object or leaves it: each condition with its outcome and the values it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ._errors import QueryError
from ._frame import BatchFrame
from ._query import Query
from ._render import Renderer
from ._scope import Names
from ._tree import (
    Call,
    Case,
    ColumnRef,
    Const,
    Exists,
    Expr,
    Join,
    Ordering,
    Output,
    QueryTree,
    Select,
    Source,
    TableSource,
)
from ._types import BOOLEAN, integer
from ._typing import contains_aggregate, parts

__all__ = ["Condition", "why"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One of a query's conditions, as it turned out for an object.

    Attributes
    ----------
    text
        As the user wrote it.
    outcome
        Whether it is true; None if that is unknown, as a value is missing.
    values
        The columns that it looks at and their values, by the names that the user calls the tables; and the
        parameters, as :name.
    absent
        The tables that it looks at in which the object has no row; the outcome is then false.
    connective
        How the parts make up the condition; None if it has none.
    parts
        The conditions that it is made of.
    """

    text: str
    outcome: bool | None
    values: Mapping[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    connective: Literal["and", "or", "not"] | None = None
    parts: tuple[Condition, ...] = ()


def why(query: Query, frame: BatchFrame) -> list[Condition]:
    """What became of each condition of a query, those in ON included; the query takes the object if all
    are true.

    Where the object has several rows in a table that is joined, those are looked at that fulfil the most
    conditions.

    Parameters
    ----------
    query
        A query that gives a row for each object: it groups nothing, and unites nothing.
    frame
        The rows of one object: its row of `objects`, and all that it has in the other tables.

    Raises
    ------
    QueryError
        If the query is of another kind, or cannot be answered.
    ValueError
        If the frame has not one object.
    """
    if frame.num_rows("objects") != 1:
        raise ValueError(f"one object is wanted, not {frame.num_rows('objects')}")
    select = query.tree.body
    if not isinstance(select, Select) or select.group or select.having is not None or _aggregates(select):
        raise QueryError("the query looks at groups or several results, not at one object at a time")
    steps, on = _steps(_everywhere(select.source), query.names)
    conditions = [*on, *_joined_by_and(select.where, query.names)]
    seen: dict[Expr, None] = {}
    for condition in conditions:
        _collect(condition, query.names, seen)
    crossed = [source for source, joined in steps if joined is None]
    outputs = [Output(f"c{n}", expression) for n, expression in enumerate(seen)]
    outputs += [Output(f"present{n}", _present(source)) for n, source in enumerate(crossed)]
    tree = QueryTree(
        Select(tuple(outputs), _rebuilt(steps), None, (), None, False),
        query.tree.named,
        (Ordering(_fulfilled(conditions), True),),
        limit=1,
    )
    renderer = Renderer("duckdb", "$1")
    sql = renderer.query(tree)
    rows = frame.database.run(sql, frame.now if renderer.uses_now else None).to_pylist()
    # A RIGHT JOIN may leave no row at all; then nothing is seen, and the tables are absent.
    row = rows[0] if rows else dict.fromkeys([output.name for output in outputs])
    absent = {
        alias for n, source in enumerate(crossed) if not row[f"present{n}"] for alias in _aliases_of(source)
    }
    values = {expression: row[f"c{n}"] for n, expression in enumerate(seen)}
    return [_condition(condition, query.names, values, absent) for condition in conditions]


def _aggregates(select: Select) -> bool:
    return any(contains_aggregate(output.expression) for output in select.outputs)


def _everywhere(source: Source) -> Source:
    """Without the ranges of the sky that the conditions leave open, as those are what is asked about."""
    if isinstance(source, TableSource):
        return replace(source, ranges=None)
    if isinstance(source, Join):
        return replace(source, left=_everywhere(source.left), right=_everywhere(source.right))
    return source


def _steps(source: Source, names: Names) -> tuple[list[tuple[Source, Join | None]], list[Expr]]:
    """The sources that inner joins put together, with the LEFT JOINs among them, and what the inner joins
    ask. The source with `objects` in it comes first, as it alone surely has a row."""
    if isinstance(source, Join) and source.kind in ("INNER", "CROSS"):
        left, left_on = _steps(source.left, names)
        right, right_on = _steps(source.right, names)
        return left + right, left_on + right_on + _joined_by_and(source.on, names)
    if isinstance(source, Join) and source.kind == "LEFT":
        left, on = _steps(source.left, names)
        return [*left, (source.right, source)], on
    return [(source, None)], []


def _rebuilt(steps: Sequence[tuple[Source, Join | None]]) -> Source:
    """The sources side by side, each with a row of NULLs if it has none."""
    first = next((s for s, join in steps if join is None and _has_objects(s)), steps[0][0])
    whole: Source = first
    for source, join in steps:
        if join is not None:
            whole = Join("LEFT", whole, source, join.on)
        elif source is not first:
            whole = Join("LEFT", whole, source, Const(True, BOOLEAN))
    return whole


def _has_objects(source: Source) -> bool:
    return isinstance(source, TableSource) and source.table == "objects"


def _present(source: Source) -> Expr:
    """Whether a source has any row."""
    one = Output("one", Const(1, integer(1)))
    return Exists(QueryTree(Select((one,), source, None, (), None, False)))


def _aliases_of(source: Source) -> set[str]:
    if isinstance(source, Join):
        return _aliases_of(source.left) | _aliases_of(source.right)
    return {source.alias}


def _fulfilled(conditions: Sequence[Expr]) -> Expr:
    """How many of the conditions are true."""
    few = integer(31)
    total: Expr = Const(0, few)
    for condition in conditions:
        one = Case(((condition, Const(1, few)),), Const(0, few), few)
        total = Call("add", (total, one), few)
    return total


def _parts_of(condition: Expr, names: Names) -> tuple[Expr, ...]:
    """The parts that the user wrote, not those that we made of a BETWEEN."""
    if not isinstance(condition, Call) or condition.function not in ("and", "or", "not"):
        return ()
    found: list[Expr] = []
    for part in condition.args:
        if part in names.written:
            found.append(part)
        elif isinstance(part, Call) and part.function == condition.function != "not":
            inner = _parts_of(part, names)
            if not inner:
                return ()
            found += inner
        else:
            return ()
    return tuple(found)


def _joined_by_and(condition: Expr | None, names: Names) -> list[Expr]:
    if condition is None:
        return []
    both = isinstance(condition, Call) and condition.function == "and"
    return list((both and _parts_of(condition, names)) or (condition,))


def _collect(condition: Expr, names: Names, seen: dict[Expr, None]) -> None:
    seen[condition] = None
    for part in _parts_of(condition, names):
        _collect(part, names, seen)
    for column in _columns(condition):
        seen[column] = None


def _columns(expression: Expr) -> list[ColumnRef]:
    if isinstance(expression, ColumnRef):
        return [expression]
    return list(dict.fromkeys(column for part in parts(expression) for column in _columns(part)))


def _literals(expression: Expr) -> list[Const]:
    if isinstance(expression, Const):
        return [expression]
    return [literal for part in parts(expression) for literal in _literals(part)]


def _condition(condition: Expr, names: Names, values: Mapping[Expr, Any], absent: set[str]) -> Condition:
    inner = _parts_of(condition, names)
    columns = _columns(condition)
    without = tuple(dict.fromkeys(names.called[c.source] for c in columns if c.source in absent))
    connective: Literal["and", "or", "not"] | None = None
    if inner and isinstance(condition, Call):
        connective = "and" if condition.function == "and" else "or" if condition.function == "or" else "not"
    return Condition(
        names.written.get(condition, ""),
        False if without else values[condition],
        {f"{names.called[c.source]}.{c.name}": values[c] for c in columns if c.source not in absent}
        | {f":{c.parameter}": c.value for c in _literals(condition) if c.parameter},
        without,
        connective,
        tuple(_condition(part, names, values, absent) for part in inner),
    )
