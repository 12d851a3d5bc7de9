"""The text of a query, checked against what its user may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser

from lasair_broker.query import Parameter, Query, origins, parse, triple
from lasair_broker.schema import table
from lasair_broker.web.accounts.models import User
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.parameters import kept, parameters_in
from lasair_broker.web.queries.models import QueryText


@dataclass(frozen=True)
class Text:
    """A query: ADQL, or Lasair's triple; and the values of the parameters that it names."""

    adql: str = ""
    selected: str = ""
    tables: str = ""
    conditions: str = ""
    parameters: tuple[Parameter, ...] = ()

    def columns(self) -> dict[str, Any]:
        """What a row has of it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"parameters": kept(self.parameters)}


def text_of(row: QueryText) -> Text:
    """The query that a row has."""
    return Text(row.adql, row.selected, row.tables, row.conditions, parameters_in(row.parameters))


def query_of(text: Text, user: User | AnonymousUser | None) -> Query:
    """The query, as this user may run it now.

    Raises
    ------
    QueryError
        If it is no query, or asks for what the user may not read.
    """
    catalogue = catalogue_for(user)
    if text.adql or not text.selected:
        return parse(text.adql, catalogue, text.parameters)
    return triple(text.selected, text.tables, text.conditions, catalogue, text.parameters)


def described_columns(query: Query) -> list[dict[str, Any]]:
    """The columns of a query's result: name, type, and as far as they are a table's own, unit, UCD and
    description."""
    known = origins(query)
    found = []
    for name, kind in query.columns.items():
        column: dict[str, Any] = {"name": name, "type": kind.kind, "unit": "", "ucd": "", "description": ""}
        if name in known:
            of = table(known[name][0]).column(known[name][1])
            column |= {"unit": of.unit or "", "ucd": of.ucd or "", "description": of.description}
        found.append(column)
    return found
