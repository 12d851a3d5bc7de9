"""What the views of the versioned API have in common."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lasair_broker.query import QueryError, parse
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.api.description import parameter
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.sharing import Visibility

MOST_IN_PAGE = 1000
_LARGEST_ID = 2**63 - 1

PAGING = [
    parameter("after", str, "The place after which the page begins; `next` has it."),
    parameter("limit", int, f"At most so many, 1 to {MOST_IN_PAGE}."),
]


class Body(serializers.Serializer[Any]):
    """What a request brings, or an answer."""


class Share(Body):
    """With whom a thing is shared."""

    visibility = serializers.ChoiceField(Visibility.choices)
    collaboration = serializers.SlugField(required=False, allow_null=True, help_text="Of visibility group.")


class Name(Body):
    """A name for a copy."""

    name = serializers.CharField(max_length=200)


def person(request: Request) -> User:
    """Whoever asks; the permission has seen to it that it is somebody."""
    if not isinstance(request.user, User):
        raise NotFound("log in for this")
    return request.user


def checked(kind: type[serializers.Serializer[Any]], request: Request, **options: Any) -> dict[str, Any]:
    """The body of a request, if it is what it should be."""
    given = kind(data=request.data, **options)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number among the parameters of the address."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
        raise Invalid({name: f"give a whole number, {least} to {most}"})
    return int(text)


def real(request: Request, name: str, least: float, most: float, default: float | None = None) -> float:
    """A number among the parameters of the address."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise Invalid({name: f"give a number, {least:g} to {most:g}"})
    return value


def page(
    request: Request,
    rows: QuerySet[Any],
    kind: type[serializers.BaseSerializer[Any]],
    *,
    newest_first: bool = False,
    **context: Any,
) -> Response:
    """A page of rows of the user database, by number, and the address of the next one."""
    limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
    if newest_first:
        rows = rows.filter(pk__lt=number(request, "after", _LARGEST_ID, 0, _LARGEST_ID)).order_by("-pk")
    else:
        rows = rows.filter(pk__gt=number(request, "after", 0, 0, _LARGEST_ID)).order_by("pk")
    found: list[Model] = list(rows[: limit + 1])
    results = kind(found[:limit], many=True, context={"request": request, **context}).data
    last = found[limit - 1].pk if len(found) > limit else None
    return Response({"results": results, "next": next_page(request, last)})


def next_page(request: Request, after: object) -> str | None:
    """The address of the page after a place; None if there is none."""
    if after is None:
        return None
    asked = {name: value for name, value in request.query_params.items() if name != "after"}
    return request.build_absolute_uri(f"{request.path}?{urlencode({**asked, 'after': after})}")


@functools.cache
def paged(kind: Any) -> type[Body]:
    """The description of a page."""
    inner = kind(many=True)
    fields = {"results": inner, "next": serializers.CharField(allow_null=True), "__doc__": "A page."}
    return type(f"PageOf{kind.__name__}", (Body,), fields)


def collaboration_named(user: User, slug: str | None) -> Collaboration | None:
    """A collaboration that the user may know of."""
    if slug is None:
        return None
    found = Collaboration.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise Invalid({"collaboration": f"there is no collaboration {slug}"})
    return found


def list_hits(
    request: Request, table: str, column: str, list_id: int, keys: tuple[str, ...]
) -> HttpResponseBase:
    """A page of the objects that a list, map or annotator has, in order of `keys`: whole numbers; in other
    formats than JSON all that the user may have at once.

    Whether the user may see the list, the query language asks too.
    """
    from lasair_broker.web.api.formats import answer_table, asked_format, rows

    if asked_format(request) != "json":
        query = parse(f"SELECT * FROM {table} WHERE {column} = {int(list_id)}", catalogue_for(request.user))  # noqa: S608 - our own language, which is parsed; names are ours
        whole, more = ask(request.user, query)
        return answer_table(request, whole, f"{table}_{int(list_id)}", more=more)
    limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
    where = f"{column} = {int(list_id)}"
    if text := request.query_params.get("after"):
        place = text.split("-")
        if len(place) != len(keys) or not all(p.isascii() and p.isdecimal() and len(p) < 20 for p in place):
            raise Invalid({"after": "is no place in this list; take it from `next`"})
        beyond = [
            " AND ".join([f"{keys[j]} = {place[j]}" for j in range(i)] + [f"{key} > {place[i]}"])
            for i, key in enumerate(keys)
        ]
        where += " AND (" + " OR ".join(f"({part})" for part in beyond) + ")"
    text = f"SELECT TOP {limit} * FROM {table} WHERE {where} ORDER BY {', '.join(keys)}"  # noqa: S608 - our own language, which is parsed; names are ours
    try:
        query = parse(text, catalogue_for(request.user))
    except QueryError as error:
        raise NotFound(str(error)) from None
    found, _ = ask(request.user, query)
    last = "-".join(str(found[key][-1].as_py()) for key in keys) if found.num_rows == limit else None
    return Response({"results": rows(found), "next": next_page(request, last)})


class RowsPage(Body):
    """A page of rows of a table."""

    results = serializers.ListField(child=serializers.DictField())
    next = serializers.CharField(allow_null=True)
