"""A checked query: what it gives, and how each engine is asked for it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lasair_broker.schema import Engine

from ._catalogue import PUBLIC, Catalogue
from ._check import Checker
from ._errors import QueryError
from ._parameters import Parameter, bound
from ._parse import parse_text, texts_in_single_quotes
from ._render import Renderer
from ._scope import Names
from ._tree import Const, Join, QueryTree, SetOperation, Source, TableSource
from ._types import Type

__all__ = ["Query", "checked", "mjd_now", "parse"]

_UNIX_EPOCH_MJD = 40587.0
_TAI_MINUS_UTC = 37.0
"""Seconds, since 2017; no leap second has come since, and none is planned."""


@dataclass(frozen=True)
class Query:
    """A query that may be run.

    Attributes
    ----------
    text
        In ADQL: as the user wrote it, or as it follows from Lasair's triple.
    tree
        What it means.
    names
        What the user calls the sources, and wrote for the conditions.
    """

    text: str
    tree: QueryTree
    names: Names = field(repr=False, compare=False)

    @property
    def columns(self) -> dict[str, Type]:
        """The names and types of the result's columns."""
        return {output.name: output.expression.type for output in self.tree.outputs}

    @property
    def tables(self) -> frozenset[str]:
        """The tables that it reads directly in its FROM clauses, sub-queries in conditions aside."""
        return frozenset(_tables(self.tree))

    def render(self, engine: Engine, now: float | None = None) -> str:
        """The query in an engine's SQL.

        Parameters
        ----------
        engine
            "duckdb" or "postgresql".
        now
            What ``mjdnow()`` means, MJD TAI; None: this moment.

        Raises
        ------
        QueryError
            If the query is too large.
        """
        try:
            return Renderer(engine, mjd_now() if now is None else now).query(self.tree)
        except RecursionError:
            raise QueryError("the query is nested too deeply") from None


def parse(text: str, catalogue: Catalogue = PUBLIC, parameters: Sequence[Parameter] = ()) -> Query:
    """Check a query in ADQL 2.1 and Lasair's additions to it.

    Parameters
    ----------
    text
        The query.
    catalogue
        What the user may read.
    parameters
        The values that it names.

    Raises
    ------
    QueryError
        If it is no query, names what is not there, or asks for what is not allowed; if a parameter in it is
        not declared, or one that is declared is not in it or has no value.
    """
    return checked(text, catalogue, bound(parameters))


def checked(
    text: str,
    catalogue: Catalogue,
    literals: Mapping[str, Const | None],
    strings_in_double_quotes: bool = False,
) -> Query:
    """As `parse`, with the literals that stand for parameters, by their folded names (None: it has no
    value); also for texts with
    strings in double quotes."""
    try:
        tree, extensions = parse_text(text, strings_in_double_quotes)
        checker = Checker(catalogue, extensions, literals)
        adql = texts_in_single_quotes(text) if strings_in_double_quotes else text
        return Query(adql, checker.check(tree), checker.names)
    except RecursionError:
        raise QueryError("the query is nested too deeply") from None


def mjd_now() -> float:
    """This moment, MJD TAI."""
    return _UNIX_EPOCH_MJD + (time.time() + _TAI_MINUS_UTC) / 86400.0


def _tables(tree: QueryTree) -> set[str]:
    found: set[str] = set()
    for _, query in tree.named:
        found |= _tables(query)
    if isinstance(tree.body, SetOperation):
        return found | _tables(tree.body.left) | _tables(tree.body.right)
    return found | _tables_of(tree.body.source)


def _tables_of(source: Source) -> set[str]:
    if isinstance(source, TableSource):
        return {source.table}
    if isinstance(source, Join):
        return _tables_of(source.left) | _tables_of(source.right)
    query = getattr(source, "query", None)
    return _tables(query) if query is not None else set()
