"""The tables that queries may read, and their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.query import PUBLIC
from lasair_broker.schema import TABLES, Column, SchemaError, table, version
from lasair_broker.schema import Table as SchemaTable
from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column as TableColumn


@dataclass(frozen=True)
class Match:
    """A column that was looked for, and its table."""

    table: SchemaTable
    column: Column

    name = property(lambda self: self.column.name)
    datatype = property(lambda self: self.column.datatype)
    unit = property(lambda self: self.column.unit)
    description = property(lambda self: self.column.description)


@dataclass(frozen=True)
class _Name(TableColumn):
    """The name of a column of a table, which leads to its distribution."""

    distributed: str = ""


_COLUMNS = (
    TableColumn("datatype", "Type", sortable=True, template="site/about/_column_type.html"),
    TableColumn("unit", "Unit", sortable=True),
    TableColumn("ucd", "UCD", sortable=True),
    TableColumn("description", "Description", sortable=True),
)
_MATCHES = (
    TableColumn("name", "Column", sortable=True, template="site/about/_match_name.html"),
    TableColumn(
        "table",
        "Table",
        sortable=True,
        plain=lambda row: row.table.name,
        template="site/about/_match_table.html",
    ),
    TableColumn("datatype", "Type", sortable=True),
    TableColumn("unit", "Unit", sortable=True),
    TableColumn("description", "Description", sortable=True),
)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All tables; with words to look for, the columns that have all of them."""
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    context: dict[str, Any] = {"tables": _readable(), "version": version, "words": words}
    if words:
        matches = _matches(words.lower().split())
        context["matches"] = shown(
            request,
            "matches",
            _MATCHES,
            ListedRows(matches, _MATCHES),
            caption="Columns found",
            searchable=False,
            empty="No column has these words. Try fewer.",
        )
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
    names = _Name(
        "name", "Column", sortable=True, template="site/about/_column_name.html", distributed=found.name
    )
    shape = (names, *_COLUMNS)
    columns = shown(
        request,
        "columns",
        shape,
        ListedRows(found.columns, shape),
        caption="Columns",
        size=len(found.columns),
        search_label="Search columns",
        row_attributes="site/about/_column_attributes.html",
    )
    return render(request, "site/about/table.html", {"table": found, "columns": columns})


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
