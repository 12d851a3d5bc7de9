"""How the values of a column are distributed: a page, and a part of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.archive import QueryError
from lasair_broker.schema import table
from lasair_broker.web.distributions import Bin, distribution
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.sparklines import bars
from lasair_broker.web.site.tables import Column
from lasair_broker.web.site.templatetags.site import figure


@require_safe
def show(request: HttpRequest, name: str, column: str) -> HttpResponse:
    """The distribution of a column, as a chart and as a table."""
    context: dict[str, Any] = {"name": name, "column": column}
    try:
        found = distribution(name, column)
    except QueryError as error:
        context["fault"] = str(error)
    else:
        about = table(name).column(column)
        unit = about.unit or ""
        numbers = found.least is not None
        columns = [
            Column("low", "From" if numbers else "Value", unit, numeric=numbers, digits=4, sortable=True),
            *([Column("high", "To", unit, numeric=True, digits=4, sortable=True)] if numbers else []),
            Column("count", "Rows", numeric=True, digits=4, sortable=True),
        ]
        context |= {
            "found": found,
            "unit": unit,
            "about": about,
            "bars": bars([each.count for each in found.bins], _told(column, found.bins)),
            "first": _label(found.bins[0].low) if found.bins else "",
            "last": _label(found.bins[-1].high if numbers else found.bins[-1].low) if found.bins else "",
            "bins": shown(
                request,
                "bins",
                columns,
                ListedRows(found.bins, columns),
                caption=f"Values of {column}",
                searchable=not numbers,
                size=25,
                empty="No row has a value.",
                in_address=False,
            ),
        }
    part = request.htmx  # type: ignore[attr-defined]  # set by django_htmx's middleware
    response = render(request, f"site/about/{'_distribution' if part else 'distribution'}.html", context)
    response["Vary"] = "HX-Request"
    return response


def _told(column: str, bins: Sequence[Bin]) -> str:
    most = max(bins, key=lambda each: each.count, default=None)
    return f"Rows by {column}; the most at {_label(most.low)}" if most else f"No row has a {column}"


def _label(value: float | str | None) -> str:
    return value if isinstance(value, str) else figure(value)
