"""Where the columns of a result come from."""

from __future__ import annotations

from collections.abc import Mapping

from ._query import Query
from ._tree import ColumnRef, Derived, Expr, NamedQuery, QueryTree, Select
from ._walk import singles

__all__ = ["origins"]


def origins(query: Query) -> dict[str, tuple[str, str]]:
    """For each column of the result that is a column of a table as it stands, (table, column).

    What is worked out, and what a set operation puts together, has no one origin and is left out.
    """
    named = dict(query.tree.named)
    found = {}
    for output in query.tree.outputs:
        origin = _origin(output.expression, query.tree, named)
        if origin is not None:
            found[output.name] = origin
    return found


def _origin(expression: Expr, tree: QueryTree, named: Mapping[str, QueryTree]) -> tuple[str, str] | None:
    if not isinstance(expression, ColumnRef) or not isinstance(tree.body, Select):
        return None
    source = next((s for s in singles(tree.body.source) if s.alias == expression.source), None)
    if source is None:
        return None
    if isinstance(source, Derived):
        inner = source.query
    elif isinstance(source, NamedQuery):
        inner = named[source.name]  # which can name only those before it
    else:
        return source.table, expression.name
    below = next((o.expression for o in inner.outputs if o.name == expression.name), None)
    return None if below is None else _origin(below, inner, named)
