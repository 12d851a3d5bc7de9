"""Ways through a checked tree."""

from __future__ import annotations

from collections.abc import Iterator

from ._tree import (
    ColumnRef,
    Derived,
    Exists,
    Expr,
    InQuery,
    Join,
    NamedQuery,
    QueryTree,
    Scalar,
    Select,
    SetOperation,
    Source,
    TableSource,
)
from ._typing import parts

__all__ = ["Single", "columns", "expressions", "queries_in", "singles", "table_sources"]

Single = TableSource | NamedQuery | Derived
"""A source that is no join."""


def expressions(select: Select) -> Iterator[Expr]:
    """Every expression of a SELECT, those in ON included; queries within them aside."""
    yield from (output.expression for output in select.outputs)
    yield from select.group
    yield from (e for e in (select.where, select.having) if e is not None)
    yield from _joined_on(select.source)


def _joined_on(source: Source) -> Iterator[Expr]:
    """What the joins of a FROM clause ask."""
    if isinstance(source, Join):
        yield from _joined_on(source.left)
        yield from _joined_on(source.right)
        if source.on is not None:
            yield source.on


def queries_in(expression: Expr) -> Iterator[tuple[Expr | None, QueryTree]]:
    """The queries in an expression, each with the value that is looked for in its result."""
    yield from _queries_at(expression)
    for part in parts(expression):
        yield from queries_in(part)


def _queries_at(expression: Expr) -> Iterator[tuple[Expr | None, QueryTree]]:
    if isinstance(expression, InQuery):
        yield expression.value, expression.query
    elif isinstance(expression, Exists | Scalar):
        yield None, expression.query


def columns(tree: QueryTree) -> Iterator[ColumnRef]:
    """Every column that a query looks at; some more than once."""
    for _, query in tree.named:
        yield from columns(query)
    for ordering in tree.order:
        if not isinstance(ordering.by, str):
            yield from _columns_of(ordering.by)
    if isinstance(tree.body, SetOperation):
        yield from columns(tree.body.left)
        yield from columns(tree.body.right)
        return
    for single in singles(tree.body.source):
        if isinstance(single, Derived):
            yield from columns(single.query)
    for expression in expressions(tree.body):
        yield from _columns_of(expression)


def _columns_of(expression: Expr) -> Iterator[ColumnRef]:
    if isinstance(expression, ColumnRef):
        yield expression
    for part in parts(expression):
        yield from _columns_of(part)
    for _, query in _queries_at(expression):
        yield from columns(query)


def table_sources(tree: QueryTree, table: str | None) -> Iterator[tuple[Select, TableSource]]:
    """Every mention of a table (None: of any), with the SELECT that it is in."""
    for _, query in tree.named:
        yield from table_sources(query, table)
    if isinstance(tree.body, SetOperation):
        yield from table_sources(tree.body.left, table)
        yield from table_sources(tree.body.right, table)
        return
    for single in singles(tree.body.source):
        if isinstance(single, TableSource) and table in (None, single.table):
            yield tree.body, single
        elif isinstance(single, Derived):
            yield from table_sources(single.query, table)
    for expression in expressions(tree.body):
        for _, inner in queries_in(expression):
            yield from table_sources(inner, table)


def singles(source: Source) -> Iterator[Single]:
    """The sources that joins put together."""
    if isinstance(source, Join):
        yield from singles(source.left)
        yield from singles(source.right)
    else:
        yield source
