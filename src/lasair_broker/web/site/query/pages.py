"""The page on which queries are written and run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from lasair_broker.archive import QueryError as ArchiveQueryError
from lasair_broker.query import Query, QueryError, parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.api.throttles import wait_for_page
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import jobs, saved
from lasair_broker.web.queries.models import Job, QueryText, SavedQuery
from lasair_broker.web.queries.texts import Text, described_columns, query_of, text_of
from lasair_broker.web.site.contents import ArrowRows, shown
from lasair_broker.web.site.faults import fault
from lasair_broker.web.site.query.editor import EXAMPLES, choices
from lasair_broker.web.site.query.parameters import (
    TYPES,
    Row,
    in_address,
    parameters_of_rows,
    rows_for,
    rows_in,
    rows_of,
    with_address,
)
from lasair_broker.web.site.query.tables import cells, columns_of

_RECENT = 8
_LONGEST = 65_536
_LONGEST_ADDRESS = 3500
"""Servers take no addresses much longer; the answer to a longer query is all on one page."""


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The editor: empty, or with a saved query, an earlier one, or one that the address brings."""
    adql, name, rows = _wanted(request)
    return render(request, "site/query/index.html", _context(request, adql, name, rows))


@require_http_methods(["GET", "HEAD", "POST"])
def run(request: HttpRequest) -> HttpResponse:
    """Run a query: in the background for somebody who is logged in, else at once and for a few rows.

    By address, as the links of the table of the answer have it, it runs at once for the anonymous only.
    """
    user = request.user
    by_address = request.method != "POST"
    given = request.GET if by_address else request.POST
    adql, rows = given.get("adql", "")[:_LONGEST], rows_in(given)
    if by_address and isinstance(user, User):
        return redirect(f"{reverse('query:index')}?{given.urlencode()}")
    if wait := wait_for_page(request):
        response = fault(request, 429)
        response["Retry-After"] = str(math.ceil(wait))
        return response
    try:
        parameters = parameters_of_rows(rows)
        if isinstance(user, User):
            name = request.POST.get("name", "")[:200]
            text = Text(adql=adql, parameters=parameters)
            return redirect("query:job", job_id=jobs.submit(user, text, name=name).pk)
        query = parse(adql, catalogue_for(user), parameters)
        context = _context(request, adql, "", rows) | _answer(request, query, adql, rows)
        return render(request, "site/query/index.html", context)
    except QueryError as error:
        told = error.pointed(adql)
    except (ArchiveQueryError, Invalid) as error:
        told = str(error)
    context = _context(request, adql, "", rows_for(adql, user, rows)) | {"fault": told}
    return render(request, "site/query/index.html", context, status=400)


def _answer(request: HttpRequest, query: Query, adql: str, rows: Sequence[Row]) -> dict[str, Any]:
    with cancelled_when_gone(request) as cancelled:
        found, more = ask(request.user, query, cancelled=cancelled)
    described = described_columns(query)
    parameters = request.GET.copy()
    parameters["adql"] = adql
    for field, values in in_address(rows).items():
        parameters.setlist(field, values)
    short = len(parameters.urlencode()) < _LONGEST_ADDRESS
    table = shown(
        request,
        "rows",
        columns_of(described) if short else [replace(c, sortable=False) for c in columns_of(described)],
        ArrowRows(found, cells, more),
        caption="Result",
        size=50 if short else max(1, found.num_rows),
        searchable=short,
        downloads=None if short else (),
        search_label="Words, or psfFlux > 1000",
        empty="No row fulfils the conditions. Loosen one of them and run it again.",
        parameters=parameters,
    )
    return {"table": table, "rows": found.num_rows, "more": more}


def _wanted(request: HttpRequest) -> tuple[str, str, list[Row]]:
    """The query that the editor begins with, its name, and its parameters with the values of the address."""
    found: QueryText | None = None
    number = request.GET.get("saved") or request.GET.get("job") or ""
    if number.isascii() and number.isdecimal() and len(number) < 10:
        if "saved" in request.GET:
            found = saved.visible(request.user, int(number))
        else:
            found = jobs.visible(request.user, int(number))
    if found is None:
        adql = request.GET.get("adql", "")[:_LONGEST]
        return adql, "", rows_for(adql, request.user, rows_in(request.GET))
    name = found.name if isinstance(found, Job | SavedQuery) else ""
    text = text_of(found)
    rows = rows_of(with_address(text.parameters, request.GET))
    return text.adql or query_of(text, request.user).text, name, rows


def _context(request: HttpRequest, adql: str, name: str, rows: Sequence[Row] = ()) -> dict[str, Any]:
    user = request.user
    return {
        "adql": adql or EXAMPLES[0][1],
        "parameters": rows,
        "parameter_types": TYPES,
        "name": name,
        "examples": EXAMPLES,
        "choices": choices(user),
        "limits": limits_of(user),
        "recent": Job.objects.visible_to(user)[:_RECENT],
        "saved": SavedQuery.objects.visible_to(user).select_related("owner").order_by("name")[:100],
    }
