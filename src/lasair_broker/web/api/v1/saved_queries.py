"""Saved queries."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described
from lasair_broker.web.api.v1.base import (
    PAGING,
    Body,
    Share,
    checked,
    collaboration_named,
    page,
    paged,
    person,
)
from lasair_broker.web.api.v1.jobs import TextIn
from lasair_broker.web.api.v1.parameters import ParameterForm, ParametersField, declared_in, text_with
from lasair_broker.web.errors import Invalid
from lasair_broker.web.queries import saved
from lasair_broker.web.queries.models import SavedQuery
from lasair_broker.web.queries.texts import Text


class SavedQueryOut(serializers.ModelSerializer[SavedQuery]):
    """A saved query."""

    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)
    parameters = ParameterForm(many=True)

    class Meta:
        model = SavedQuery
        fields: ClassVar[list[str]] = [
            "id", "name", "description", "adql", "selected", "tables", "conditions", "parameters", "owner",
            "visibility", "collaboration", "created", "modified",
        ]  # fmt: skip


class SavedQueryIn(TextIn):
    """A query to be kept."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")


class SavedQueryChange(Body):
    """What can be changed of a saved query; its text as a whole."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    adql = serializers.CharField(max_length=65_536, required=False)
    selected = serializers.CharField(max_length=16_384, required=False)
    tables = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    conditions = serializers.CharField(max_length=65_536, required=False, allow_blank=True)
    parameters = ParametersField()


class SavedQueriesView(APIView):
    """Saved queries."""

    @described(response=paged(SavedQueryOut), summary="The saved queries that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = SavedQuery.objects.visible_to(request.user).select_related("owner", "collaboration")
        return page(request, seen, SavedQueryOut)

    @described(SavedQueryIn, SavedQueryOut, status=201, summary="Save a query")
    def post(self, request: Request) -> Response:
        given = checked(SavedQueryIn, request)
        made = saved.save(
            person(request), given["name"], text_with(request.user, given), description=given["description"]
        )
        return Response(SavedQueryOut(made).data, 201)


class SavedQueryView(APIView):
    """A saved query."""

    @described(response=SavedQueryOut, summary="A saved query")
    def get(self, request: Request, query_id: int) -> Response:
        return Response(SavedQueryOut(saved.visible(request.user, query_id)).data)

    @described(SavedQueryChange, SavedQueryOut, summary="Change a saved query")
    def patch(self, request: Request, query_id: int) -> Response:
        given = checked(SavedQueryChange, request)
        words = {name: given[name] for name in ("adql", "selected", "tables", "conditions") if name in given}
        if "adql" in words and len(words) > 1:
            raise Invalid({"": "give either adql, or selected with tables and conditions"})
        if words and not ("adql" in words or "selected" in words):
            raise Invalid({"selected": "give the whole query"})
        if "parameters" in given and not words:
            raise Invalid({"parameters": "give the whole query with them"})
        saved.change(
            person(request),
            query_id,
            name=given.get("name"),
            description=given.get("description"),
            text=Text(**words, parameters=declared_in(given)) if words else None,
        )
        return Response(SavedQueryOut(saved.visible(request.user, query_id)).data)

    @described(status=204, summary="Remove a saved query")
    def delete(self, request: Request, query_id: int) -> Response:
        saved.remove(person(request), query_id)
        return Response(status=204)


class SavedQueryShareView(APIView):
    """With whom a saved query is shared."""

    @described(Share, SavedQueryOut, summary="Share a saved query")
    def post(self, request: Request, query_id: int) -> Response:
        given = checked(Share, request)
        user = person(request)
        saved.visible(user, query_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        saved.share(user, query_id, given["visibility"], collaboration)
        return Response(SavedQueryOut(saved.visible(user, query_id)).data)
