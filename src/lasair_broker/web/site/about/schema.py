"""The tables that queries may read, and their columns."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.query import PUBLIC
from lasair_broker.schema import TABLES, Column, SchemaError, table, version
from lasair_broker.schema import Table as SchemaTable
from lasair_broker.web.errors import NotFound


@dataclass(frozen=True)
class Match:
    """A column that was looked for, and its table."""

    table: SchemaTable
    column: Column


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All tables; with words to look for, the columns that have all of them."""
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    context = {
        "tables": _readable(),
        "version": version,
        "words": words,
        "matches": _matches(words.lower().split()) if words else None,
    }
    return render(request, "site/about/schema.html", context)


@require_safe
def one(request: HttpRequest, name: str) -> HttpResponse:
    """A table."""
    try:
        found = table(name)
    except SchemaError as error:
        raise NotFound(str(error)) from None
    if found.name not in PUBLIC.relations:
        raise NotFound(f"there is no table {name}")
    return render(request, "site/about/table.html", {"table": found, "tables": _readable()})


def _readable() -> list[SchemaTable]:
    return [table(name) for name in TABLES if name in PUBLIC.relations]


def _matches(words: list[str]) -> list[Match]:
    """Columns whose name, description, unit, UCD or table have all words; those whose name has one first."""
    found = []
    for of in _readable():
        for column in of.columns:
            text = " ".join(
                [of.name, column.name, column.description, column.unit or "", column.ucd or ""]
            ).lower()
            if all(word in text for word in words):
                found.append(Match(of, column))
    return sorted(found, key=lambda match: not any(word in match.column.name.lower() for word in words))
