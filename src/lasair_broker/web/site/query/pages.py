"""The page on which queries are written and run."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

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
from lasair_broker.web.queries.texts import Text, described_columns
from lasair_broker.web.site.contents import ArrowRows, shown
from lasair_broker.web.site.faults import fault
from lasair_broker.web.site.query.editor import EXAMPLES, choices
from lasair_broker.web.site.query.tables import cells, columns_of

_RECENT = 8
_LONGEST = 65_536
_LONGEST_ADDRESS = 3500
"""Servers take no addresses much longer; the answer to a longer query is all on one page."""


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The editor: empty, or with a saved query, an earlier one, or one that the address brings."""
    return render(request, "site/query/index.html", _context(request, *_wanted(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def run(request: HttpRequest) -> HttpResponse:
    """Run a query: in the background for somebody who is logged in, else at once and for a few rows.

    By address, as the links of the table of the answer have it, it runs at once for the anonymous only.
    """
    user = request.user
    by_address = request.method != "POST"
    adql = (request.GET if by_address else request.POST).get("adql", "")[:_LONGEST]
    if by_address and isinstance(user, User):
        return redirect(f"{reverse('query:index')}?{urlencode({'adql': adql})}")
    if wait := wait_for_page(request):
        response = fault(request, 429)
        response["Retry-After"] = str(math.ceil(wait))
        return response
    try:
        if isinstance(user, User):
            name = request.POST.get("name", "")[:200]
            return redirect("query:job", job_id=jobs.submit(user, Text(adql=adql), name=name).pk)
        query = parse(adql, catalogue_for(user))
        context = _context(request, adql, "") | _answer(request, query, adql)
        return render(request, "site/query/index.html", context)
    except QueryError as error:
        told = error.pointed(adql)
    except (ArchiveQueryError, Invalid) as error:
        told = str(error)
    return render(request, "site/query/index.html", _context(request, adql, "") | {"fault": told}, status=400)


def _answer(request: HttpRequest, query: Query, adql: str) -> dict[str, Any]:
    with cancelled_when_gone(request) as cancelled:
        found, more = ask(request.user, query, cancelled=cancelled)
    described = described_columns(query)
    parameters = request.GET.copy()
    parameters["adql"] = adql
    in_address = len(parameters.urlencode()) < _LONGEST_ADDRESS
    table = shown(
        request,
        "rows",
        columns_of(described) if in_address else [replace(c, sortable=False) for c in columns_of(described)],
        ArrowRows(found, cells, more),
        caption="Result",
        size=50 if in_address else max(1, found.num_rows),
        searchable=in_address,
        downloads=None if in_address else (),
        search_label="Words, or psfFlux > 1000",
        empty="No row fulfils the conditions. Loosen one of them and run it again.",
        parameters=parameters,
    )
    return {"table": table, "rows": found.num_rows, "more": more}


def _wanted(request: HttpRequest) -> tuple[str, str]:
    """The query that the editor begins with, and its name."""
    found: QueryText | None = None
    number = request.GET.get("saved") or request.GET.get("job") or ""
    if number.isascii() and number.isdecimal() and len(number) < 10:
        if "saved" in request.GET:
            found = saved.visible(request.user, int(number))
        else:
            found = jobs.visible(request.user, int(number))
    if found is None:
        return request.GET.get("adql", "")[:_LONGEST], ""
    name = found.name if isinstance(found, Job | SavedQuery) else ""
    return found.adql or _as_adql(found, request.user), name


def _as_adql(found: QueryText, user: Any) -> str:
    from lasair_broker.web.queries.texts import query_of, text_of

    return query_of(text_of(found), user).text


def _context(request: HttpRequest, adql: str, name: str) -> dict[str, Any]:
    user = request.user
    return {
        "adql": adql or EXAMPLES[0][1],
        "name": name,
        "examples": EXAMPLES,
        "choices": choices(user),
        "limits": limits_of(user),
        "recent": Job.objects.visible_to(user)[:_RECENT],
        "saved": SavedQuery.objects.visible_to(user).select_related("owner").order_by("name")[:100],
    }
