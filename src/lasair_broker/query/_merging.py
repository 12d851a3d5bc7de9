"""USING and NATURAL, which make columns of two tables one."""

from __future__ import annotations

from ._errors import QueryError
from ._expressions import Expressions
from ._scope import Entry, Scope, found_in
from ._tree import Call, ColumnRef, Expr
from ._types import BOOLEAN
from ._typing import compared

__all__ = ["everything", "merged"]


def everything(scope: Scope, entries: list[Entry]) -> list[tuple[str, Expr]]:
    merged = [(name, expression) for name, expression in scope.merged.values()]
    plain: list[tuple[str, Expr]] = [
        (name, ColumnRef(entry.alias, name, kind))
        for entry in entries
        for name, kind in entry.columns.items()
        if (entry.alias, name) not in scope.hidden
    ]
    return merged + plain


def merged(
    scope: Scope, before: list[Entry], added: list[Entry], names: list[str], how: str, position: int | None
) -> Expr:
    """The condition of USING; the named columns become one each."""
    condition: Expr | None = None
    for name in dict.fromkeys(names):
        left = scope.merged[name.casefold()][1] if name.casefold() in scope.merged else None
        if left is None:
            left = _column_of(before, name, position)
        right = _column_of(added, name, position)
        equal = compared("eq", left, right, position)
        condition = equal if condition is None else Call("and", (condition, equal), BOOLEAN)
        one: Expr = right if how == "RIGHT" else left
        if how == "FULL":
            one = Expressions.coalesce([left, right], position)
        scope.merged[name.casefold()] = (name, one)
        scope.hidden |= {
            (e.alias, exact) for e in before + added if (exact := found_in(e.columns, name)) is not None
        }
    if condition is None:
        raise QueryError("USING names no column", position)
    return condition


def _column_of(entries: list[Entry], name: str, position: int | None) -> Expr:
    for entry in entries:
        exact = found_in(entry.columns, name)
        if exact is not None:
            return ColumnRef(entry.alias, exact, entry.columns[exact])
    raise QueryError(f"{name} is not on both sides of the JOIN", position)
