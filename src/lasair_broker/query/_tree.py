"""The checked tree of a query: every name resolved, every value typed, nothing in it that the user wrote
but literals.

It is made of frozen dataclasses, so equal expressions are equal and can be looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ._types import BOOLEAN, Type

__all__ = [
    "Aggregate",
    "Block",
    "Call",
    "Case",
    "ColumnRef",
    "Const",
    "Derived",
    "Exists",
    "Expr",
    "In",
    "InQuery",
    "Join",
    "NamedQuery",
    "Ordering",
    "Output",
    "QueryTree",
    "Scalar",
    "Select",
    "SetOperation",
    "Source",
    "TableSource",
    "conjuncts",
]


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; None is NULL. `parameter` is the one that it stands for, which is for people only."""

    value: bool | int | float | str | None
    type: Type
    parameter: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column of the source with the alias `source`."""

    source: str
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function of the list in `_functions`."""

    function: str
    args: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Case:
    """The value of the first branch whose condition is true."""

    branches: tuple[tuple[Expr, Expr], ...]
    default: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class In:
    """Whether a value equals one of some."""

    value: Expr
    items: tuple[Expr, ...]
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class InQuery:
    """Whether a value equals one of those a query gives."""

    value: Expr
    query: QueryTree
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a query gives any row."""

    query: QueryTree
    type: Type = BOOLEAN


@dataclass(frozen=True, slots=True)
class Scalar:
    """The one value of a query's only row; NULL without a row."""

    query: QueryTree
    type: Type


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT, SUM, AVG, MIN or MAX over a group; the argument None is ``*``."""

    function: str
    argument: Expr | None
    distinct: bool
    type: Type


Expr = Const | ColumnRef | Call | Case | In | InQuery | Exists | Scalar | Aggregate


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result."""

    name: str
    expression: Expr


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table of the catalogue, or its rows with one of `only` in a column, or in some ranges of `healpix29`.

    Attributes
    ----------
    only
        Columns and the values that the user may see in them.
    ranges
        Half-open ranges of `healpix29` outside which no row can pass; None: anywhere.
    """

    alias: str
    table: str
    only: tuple[tuple[str, tuple[int | str, ...]], ...] = ()
    ranges: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A reference to a query of the WITH clause."""

    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class Derived:
    """A query in the FROM clause."""

    alias: str
    query: QueryTree


@dataclass(frozen=True, slots=True)
class Join:
    """Two sources side by side; `on` is None for a cross join only."""

    kind: Literal["INNER", "LEFT", "RIGHT", "FULL", "CROSS"]
    left: Source
    right: Source
    on: Expr | None


Source = TableSource | NamedQuery | Derived | Join


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT without its ORDER BY."""

    outputs: tuple[Output, ...]
    source: Source
    where: Expr | None
    group: tuple[Expr, ...]
    having: Expr | None
    distinct: bool


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Two results put together; the names are the left one's."""

    kind: Literal["UNION", "EXCEPT", "INTERSECT"]
    all: bool
    left: QueryTree
    right: QueryTree
    outputs: tuple[Output, ...]


Block = Select | SetOperation


@dataclass(frozen=True, slots=True)
class Ordering:
    """By an expression of a SELECT, or by the result's column of that name. NULL comes last either way."""

    by: Expr | str
    descending: bool


@dataclass(frozen=True, slots=True)
class QueryTree:
    """A query with its WITH clause, order and limits."""

    body: Block
    named: tuple[tuple[str, QueryTree], ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        return self.body.outputs


def conjuncts(condition: Expr | None) -> tuple[Expr, ...]:
    """The conditions that ANDs join."""
    if condition is None:
        return ()
    if isinstance(condition, Call) and condition.function == "and":
        return conjuncts(condition.args[0]) + conjuncts(condition.args[1])
    return (condition,)
