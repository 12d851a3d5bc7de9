"""What the editor asks while somebody writes.

Other than at the API, a query that is wrong is no failure here: it is what the editor wants to know.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from lasair_broker.query import QueryError, parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.v1.query_forms import FormIn, both_ways
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters import trying
from lasair_broker.web.filters.queries import check_words
from lasair_broker.web.filters.wording import Wording

_LONGEST = 65_536


@require_POST
def check(request: HttpRequest) -> JsonResponse:
    """What is wrong with a text, and where; as a filter's query, if it is to be one."""
    given = _body(request)
    adql, user = str(given.get("adql", ""))[:_LONGEST], request.user
    try:
        if given.get("kind") == "filter" and isinstance(user, User):
            number = given.get("filter_id")
            owner = trying.owner_of(user, number if isinstance(number, int) else None)
            check_words(Wording(adql=adql), owner, user)
        else:
            parse(adql, catalogue_for(user))
    except QueryError as error:
        return _wrong(error)
    return JsonResponse({"fault": None})


@require_POST
def form(request: HttpRequest) -> JsonResponse:
    """A query as a form, or a form as a query; or why there is none."""
    given = FormIn(data=_body(request))
    if not given.is_valid():
        return JsonResponse({"fault": {"message": "the form lacks something", "position": None}})
    try:
        return JsonResponse(both_ways(request.user, given.validated_data))
    except QueryError as error:
        return _wrong(error)


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Invalid({"": "send a JSON object"})
    return found


def _wrong(error: QueryError) -> JsonResponse:
    return JsonResponse({"fault": {"message": str(error), "position": error.position}})
