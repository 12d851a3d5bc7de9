"""The faulty rows of an upload, as a table that pages, sorts and downloads after the upload is over."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.watchlists.services import RowsRefused

_KEPT_SECONDS = 3600
_COLUMNS = (
    Column("place", "Where", sortable=True),
    Column("column", "Column", sortable=True),
    Column("value", "There is", sortable=True, template="site/lists/_faulty_value.html"),
    Column("problem", "What is wrong", sortable=True),
    Column("advice", "What to do"),
)


def report(request: HttpRequest, error: RowsRefused) -> dict[str, Any]:
    """What a page tells of an upload that was refused. Its faulty rows are kept for an hour, until the next
    upload that is refused, for the other pages of the table."""
    read = error.upload
    problems = [asdict(problem) for problem in read.problems]
    cache.set(_key(request), problems, _KEPT_SECONDS)
    return {
        "table": _table(request, problems),
        "count": read.num_problems,
        "more": read.num_problems - len(problems),
        "good": read.rows.num_rows,
    }


@login_required
@require_safe
def faulty_rows(request: HttpRequest) -> HttpResponse:
    """The faulty rows of the user's last upload that was refused."""
    problems = cache.get(_key(request))
    if problems is None:
        raise NotFound("the faulty rows of your last upload are no longer kept: upload the file again")
    return render(request, "site/lists/faulty_rows.html", {"table": _table(request, problems)})


def _key(request: HttpRequest) -> str:
    return f"faulty-rows-{person(request).pk}"


def _table(request: HttpRequest, problems: list[dict[str, Any]]) -> Table:
    return shown(
        request,
        "faulty",
        _COLUMNS,
        ListedRows(problems, _COLUMNS),
        caption="Faulty rows",
        size=25,
        in_address=False,
        path=reverse("lists:faulty-rows"),
    )
