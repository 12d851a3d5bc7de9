"""What the editor asks while somebody writes.

Other than at the API, a query that is wrong is no failure here: it is what the editor wants to know.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from lasair_broker.query import QueryError, parameters_of, parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.v1.query_forms import FormIn, both_ways
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters import trying
from lasair_broker.web.filters.queries import check_words
from lasair_broker.web.filters.wording import Wording
from lasair_broker.web.site.query.parameters import parameters_of_rows, rows_in_json

_LONGEST = 65_536


@require_POST
def check(request: HttpRequest) -> JsonResponse:
    """What is wrong with a text, and where; as a filter's query, if it is to be one. And the parameters that
    it names, each with a type that fits, if it is a query whatever their values are."""
    given = _body(request)
    adql, user = str(given.get("adql", ""))[:_LONGEST], request.user
    rows = rows_in_json(given.get("parameters"))
    owner, author = user, None
    if given.get("kind") == "filter" and isinstance(user, User):
        number = given.get("filter_id")
        owner, author = trying.owner_of(user, number if isinstance(number, int) else None), user
    named: list[dict[str, str]] | None = None
    try:
        found = parameters_of(adql, catalogue_for(owner, author))
        named = [{"name": each.name, "type": each.type} for each in found]
        names = {each.name.casefold() for each in found}
        known = parameters_of_rows(row for row in rows if row.name.casefold() in names)
        declared = {each.name.casefold(): each for each in known}
        parameters = tuple(declared.get(each.name.casefold(), each) for each in found)
        if author is not None and isinstance(owner, User):
            check_words(Wording(adql=adql, parameters=parameters), owner, author)
        else:
            parse(adql, catalogue_for(user), parameters)
    except QueryError as error:
        return _wrong(error, named)
    return JsonResponse({"fault": None, "parameters": named})


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


def _wrong(error: QueryError, named: list[dict[str, str]] | None = None) -> JsonResponse:
    fault = {"message": str(error), "position": error.position}
    return JsonResponse({"fault": fault} | ({} if named is None else {"parameters": named}))
