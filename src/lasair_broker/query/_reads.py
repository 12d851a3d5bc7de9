"""What a query reads: tables, columns, and which values of a column matter to it."""

from __future__ import annotations

from collections.abc import Iterator

from ._query import Query
from ._tree import Call, ColumnRef, Const, Expr, In, Join, Source, conjuncts
from ._walk import columns, singles, table_sources

__all__ = ["columns_read", "values_wanted"]


def columns_read(query: Query) -> dict[str, frozenset[str]]:
    """Every table that a query reads, in its conditions too, and the columns that it looks at."""
    found: dict[str, set[str]] = {}
    tables: dict[str, str] = {}
    for _, source in table_sources(query.tree, None):
        tables[source.alias] = source.table  # an alias is used once in a whole query
        found.setdefault(source.table, set()).update(name for name, _ in source.only)
    for column in columns(query.tree):
        if column.source in tables:
            found[tables[column.source]].add(column.name)
    return {name: frozenset(columns) for name, columns in found.items()}


def values_wanted(query: Query, table: str, column: str) -> frozenset[int | str] | None:
    """The only values of a column of a table that matter to a query, as its conditions name them; None if it
    may look at any."""
    found: set[int | str] = set()
    for select, source in table_sources(query.tree, table):
        values = [
            _named_values(part, source.alias, column)
            for condition in (select.where, *_binding(select.source, source.alias))
            for part in conjuncts(condition)
        ]
        known = [some for some in values if some is not None]
        if not known:
            return None
        found |= min(known, key=len)
    return frozenset(found)


def _binding(source: Source, alias: str) -> Iterator[Expr | None]:
    """The conditions of joins without which no row of a table comes through; the ON of an outer join says
    nothing of the side that is kept whole."""
    if not isinstance(source, Join):
        return
    ours = [any(single.alias == alias for single in singles(side)) for side in (source.left, source.right)]
    binds = {"INNER": ours, "CROSS": ours, "LEFT": [False, ours[1]], "RIGHT": [ours[0], False]}
    if any(binds.get(source.kind, [])):
        yield source.on
    for side, has in zip((source.left, source.right), ours, strict=True):
        if has:
            yield from _binding(side, alias)


def _named_values(condition: Expr, alias: str, column: str) -> frozenset[int | str] | None:
    """The constants that a condition compares a column with."""
    items: tuple[Expr, ...] = ()
    value: Expr | None = None
    if isinstance(condition, In):
        value, items = condition.value, condition.items
    elif isinstance(condition, Call) and condition.function == "eq":
        left, right = condition.args
        value, items = (left, (right,)) if isinstance(left, ColumnRef) else (right, (left,))
    if not isinstance(value, ColumnRef) or (value.source, value.name) != (alias, column):
        return None
    constants = [
        item.value for item in items if isinstance(item, Const) and isinstance(item.value, int | str)
    ]
    return frozenset(constants) if len(constants) == len(items) else None
