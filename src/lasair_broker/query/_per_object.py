"""Queries that speak of one object at a time, as a filter must: what they give for an object follows from the
rows of that object alone, so that it is the same in a batch as in the whole archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lasair_broker.schema import TABLES

from ._errors import QueryError
from ._query import Query
from ._tree import (
    Call,
    ColumnRef,
    Derived,
    Expr,
    Join,
    NamedQuery,
    Output,
    QueryTree,
    Select,
    SetOperation,
    Source,
    TableSource,
    conjuncts,
)
from ._types import integer
from ._typing import contains_aggregate
from ._walk import Single, expressions, queries_in

__all__ = ["LINKS", "OBJECT", "Link", "of_objects"]

OBJECT = "lasair object"
"""Name of the column that says which object a row is of; no column of the schema has a blank."""


@dataclass(frozen=True, slots=True)
class Link:
    """How rows that are not of an object are found for one: where `column` of `table` equals `source_column`
    of `source`, whose rows are of objects."""

    table: str
    column: str
    source: str
    source_column: str


LINKS = (
    Link("crossmatch_tns", "tns_name", "objects", "tns_name"),
    Link("external_events", "mw_id", "mma_hits", "mw_id"),
    Link("external_events", "mw_id", "event_hits", "mw_id"),
    Link("objects", "diaObjectId", "partners", "partnerDiaObjectId"),
)
"""The ways there are. By the last, all columns of an object's partner in another survey can be had."""

_ID = "diaObjectId"
_HINT = "compare its diaObjectId with that of objects"

_Column = tuple[str, str]
"""The alias of its source, and its name."""

_Named = Mapping[str, frozenset[str]]
"""For each query of a WITH clause the columns of its result that are the object's number."""


def of_objects(query: Query) -> Query:
    """The query with one more column, `OBJECT`: the diaObjectId of the object that a row is of.

    ORDER BY, TOP and OFFSET are left out: they choose among objects.

    Raises
    ------
    QueryError
        If what it gives for an object depends on other objects, or cannot be told to be of an object.
    """
    tree = replace(query.tree, order=(), limit=None, offset=None)
    return replace(query, tree=_of_objects(tree, {})[0])


def _of_objects(tree: QueryTree, named: _Named) -> tuple[QueryTree, frozenset[str]]:
    """With `OBJECT` as the last column; and the names of all its columns that are the object's number.

    Raises QueryError as `of_objects`.
    """
    inner: dict[str, frozenset[str]] = dict(named)
    queries = []
    for name, query in tree.named:
        changed, inner[name] = _of_objects(query, inner)
        queries.append((name, changed))
    if tree.limit is not None or tree.offset is not None:
        raise _other("TOP and OFFSET choose among objects")
    body = tree.body
    if isinstance(body, SetOperation):
        (left, left_keys), (right, right_keys) = (_of_objects(t, inner) for t in (body.left, body.right))
        both = zip(left.outputs, right.outputs, strict=True)
        keys = {ours.name for ours, theirs in both if ours.name in left_keys and theirs.name in right_keys}
        body = replace(body, left=left, right=right, outputs=(*body.outputs, left.outputs[-1]))
        return replace(tree, named=tuple(queries), body=body), frozenset(keys | {OBJECT})
    source, sources = _sources(body.source, inner)
    body = replace(body, source=source)
    known = _checked(body, sources, frozenset(), inner)
    number = _number(body, sources, known)
    keys = {
        o.name for o in body.outputs if isinstance(o.expression, ColumnRef) and _at(o.expression) in known
    }
    body = replace(body, outputs=(*body.outputs, Output(OBJECT, number)))
    return replace(tree, named=tuple(queries), body=body), frozenset(keys | {OBJECT})


def _number(
    select: Select, sources: Sequence[tuple[Single, frozenset[str]]], known: frozenset[_Column]
) -> ColumnRef:
    """The column that is the object's number: that of `objects` if it is there, as others may be NULL."""
    found = known
    if (
        select.group
        or select.having is not None
        or any(contains_aggregate(o.expression) for o in select.outputs)
    ):
        found = frozenset(_at(g) for g in select.group if isinstance(g, ColumnRef)) & known
        if not found:
            raise _other("it groups rows of several objects", "GROUP BY diaObjectId")
    if not found:
        raise _other("its rows are not of objects", "select from objects")
    objects = {s.alias for s, _ in sources if isinstance(s, TableSource) and s.table == "objects"}
    alias, name = min(found, key=lambda column: (column[0] not in objects, column))
    return ColumnRef(alias, name, integer(63))


def _sources(source: Source, named: _Named) -> tuple[Source, list[tuple[Single, frozenset[str]]]]:
    """A FROM clause whose queries say of what object their rows are; and its single sources, each with the
    columns that are the object's number."""
    if isinstance(source, Join):
        left, lefts = _sources(source.left, named)
        right, rights = _sources(source.right, named)
        return replace(source, left=left, right=right), lefts + rights
    if isinstance(source, Derived):
        query, keys = _of_objects(source.query, named)
        source = replace(source, query=query)
    elif isinstance(source, NamedQuery):
        keys = named[source.name]
    else:
        keys = frozenset([_ID] if _of_object(source.table) else [])
    return source, [(source, keys)]


def _checked(
    select: Select,
    sources: Sequence[tuple[Single, frozenset[str]]],
    outer: frozenset[_Column],
    named: _Named,
    also_equal: Sequence[tuple[_Column, _Column]] = (),
) -> frozenset[_Column]:
    """The columns that are known to be the number of the object that the query is at.

    `outer` are those of the queries around this one.

    Raises QueryError if a source, or a query in a condition, is not tied to that object.
    """
    equal = [*also_equal, *_equalities(select.where), *_on_equalities(select.source)]
    keys = {source.alias: frozenset((source.alias, name) for name in names) for source, names in sources}
    tables = {source.alias: source.table for source, _ in sources if isinstance(source, TableSource)}
    # Whose object it is that others are tied to: that of any source may be, first of all of `objects`.
    some = sorted((tables.get(alias) != "objects", alias) for alias, columns in keys.items() if columns)
    starts = [outer] if outer else [keys[alias] for _, alias in some] or [frozenset()]
    found = [_tied(start, equal, keys, tables) for start in starts]
    known, loose = next((each for each in found if not each[1]), found[0])
    for alias in loose:
        what = tables.get(alias, "a query in FROM")
        ways = [link for link in LINKS if link.table == what and not _of_object(what)]
        hints = [f"{what}.{link.column} with {link.source}.{link.source_column}" for link in ways]
        raise _other(f"{what} is not tied to the object", f"compare {' or '.join(hints)}" if hints else _HINT)
    for expression in expressions(select):
        for value, inner in queries_in(expression):
            _check_inner(inner, known, named, value)
    return known


def _tied(
    start: frozenset[_Column],
    equal: Sequence[tuple[_Column, _Column]],
    keys: Mapping[str, frozenset[_Column]],
    tables: Mapping[str, str],
) -> tuple[frozenset[_Column], list[str]]:
    """The columns that are the number of the object of which `start` are, and the sources whose rows are not
    tied to it."""
    known = set(start)
    linked: set[str] = set()
    before = -1
    while len(known) + len(linked) > before:
        before = len(known) + len(linked)
        for here, there in [*equal, *((right, left) for left, right in equal)]:
            if here in known and there in keys.get(there[0], ()):
                known |= keys[there[0]]
            way = Link(tables.get(there[0], ""), there[1], tables.get(here[0], ""), here[1])
            if way in LINKS and keys[here[0]] & known:
                linked.add(there[0])
    loose = [alias for alias, columns in keys.items() if not columns & known and alias not in linked]
    return frozenset(known), loose


def _check_inner(tree: QueryTree, outer: frozenset[_Column], named: _Named, value: Expr | None) -> None:
    """A query in a condition is to be about the same object; `value` is what its result is compared with."""
    inner: dict[str, frozenset[str]] = dict(named)
    for name, query in tree.named:
        _, inner[name] = _of_objects(query, inner)
    if isinstance(tree.body, SetOperation):
        _check_inner(tree.body.left, outer, inner, value)
        _check_inner(tree.body.right, outer, inner, value)
        return
    _, sources = _sources(tree.body.source, inner)
    result = tree.outputs[0].expression
    equal = []
    if isinstance(value, ColumnRef) and isinstance(result, ColumnRef):
        equal.append((_at(value), _at(result)))
    _checked(tree.body, sources, outer, inner, equal)


def _at(column: ColumnRef) -> _Column:
    return column.source, column.name


def _of_object(table: str) -> bool:
    return table in TABLES and _ID in TABLES[table].by_name


def _equalities(condition: Expr | None) -> Iterator[tuple[_Column, _Column]]:
    """The pairs of columns that a condition makes equal."""
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.function == "eq":
            left, right = part.args
            if isinstance(left, ColumnRef) and isinstance(right, ColumnRef):
                yield _at(left), _at(right)


def _on_equalities(source: Source) -> Iterator[tuple[_Column, _Column]]:
    if isinstance(source, Join):
        yield from _on_equalities(source.left)
        yield from _on_equalities(source.right)
        yield from _equalities(source.on)


def _other(what: str, hint: str | None = None) -> QueryError:
    return QueryError(f"a filter looks at one object at a time, but {what}", suggestion=hint)
