"""Filters: what they are, their versions, with whom they are shared."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web import sharing
from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.v1.base import (
    PAGING,
    Body,
    Share,
    checked,
    collaboration_named,
    number,
    page,
    paged,
    person,
)
from lasair_broker.web.api.v1.parameters import ParameterForm, ParametersField, declared_in
from lasair_broker.web.filters import services
from lasair_broker.web.filters.models import (
    Category,
    Filter,
    FilterVersion,
    Renotify,
    Trigger,
)
from lasair_broker.web.filters.wording import Wording

_WORDS = tuple(field.name for field in fields(Wording))


class FilterOut(serializers.ModelSerializer[Filter]):
    """A filter."""

    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)
    active_version = serializers.IntegerField(source="active_version.number", default=None, allow_null=True)
    stars = serializers.IntegerField(
        source="star_count", default=0, help_text="Of people who find it useful."
    )
    starred = serializers.BooleanField(default=False, help_text="Whether one of them is you.")

    class Meta:
        model = Filter
        fields: ClassVar[list[str]] = [
            "id", "name", "description", "category", "owner", "visibility", "collaboration", "active_version",
            "fork_count", "stars", "starred", "created", "modified",
        ]  # fmt: skip


class VersionOut(serializers.ModelSerializer[FilterVersion]):
    """A version of a filter."""

    author = serializers.CharField(source="author.username", default=None, allow_null=True)
    parameters = ParameterForm(many=True)

    class Meta:
        model = FilterVersion
        fields: ClassVar[list[str]] = [
            "number", "state", *_WORDS, "comment", "author", "created", "previewed", "preview_count",
            "preview_fraction", "preview_per_night", "preview_seconds",
        ]  # fmt: skip


class WordingIn(Body):
    """A query, in ADQL or in Lasair's form, and when it tells."""

    adql = serializers.CharField(max_length=65_536, required=False, allow_blank=True)
    selected = serializers.CharField(max_length=16_384, required=False, allow_blank=True)
    tables = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    conditions = serializers.CharField(max_length=65_536, required=False, allow_blank=True)
    trigger = serializers.ChoiceField(Trigger.choices, required=False)
    renotify = serializers.ChoiceField(Renotify.choices, required=False)
    renotify_days = serializers.FloatField(required=False, allow_null=True, min_value=0.0)
    renotify_columns = serializers.ListField(child=serializers.CharField(), required=False)
    parameters = ParametersField()
    comment = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class FilterIn(WordingIn):
    """A new filter with its first version."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")


class Description(Body):
    """What a filter is called."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    category = serializers.ChoiceField(Category.choices, required=False)


class Fork(Body):
    """A name for the copy."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class Difference(Body):
    """Two versions compared."""

    diff = serializers.CharField(allow_blank=True, help_text="A unified diff; empty if they are the same.")


class FiltersView(APIView):
    """Filters."""

    @described(response=paged(FilterOut), summary="The filters that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = Filter.objects.with_stars(request.user).visible_to(request.user)
        return page(request, seen.select_related("owner", "collaboration", "active_version"), FilterOut)

    @described(FilterIn, FilterOut, status=201, summary="Make a filter")
    def post(self, request: Request) -> Response:
        given = checked(FilterIn, request)
        made = services.create(
            person(request),
            given["name"],
            wording_in(given),
            description=given["description"],
            comment=given["comment"],
        )
        return Response(FilterOut(made).data, 201)


class FilterView(APIView):
    """A filter."""

    @described(response=FilterOut, summary="A filter")
    def get(self, request: Request, filter_id: int) -> Response:
        return Response(FilterOut(_seen(request, filter_id)).data)

    @described(Description, FilterOut, summary="Rename or describe a filter")
    def patch(self, request: Request, filter_id: int) -> Response:
        services.describe(person(request), filter_id, **checked(Description, request))
        return Response(FilterOut(_seen(request, filter_id)).data)

    @described(status=204, summary="Remove a filter")
    def delete(self, request: Request, filter_id: int) -> Response:
        services.delete(person(request), filter_id)
        return Response(status=204)


class RestoreFilterView(APIView):
    """Undo the removal of a filter."""

    @described(response=FilterOut, summary="Restore a filter that you removed in the last 30 days")
    def post(self, request: Request, filter_id: int) -> Response:
        services.restore(person(request), filter_id)
        return Response(FilterOut(_seen(request, filter_id)).data)


class VersionsView(APIView):
    """The versions of a filter."""

    @described(response=VersionOut(many=True), summary="The versions of a filter, oldest first")
    def get(self, request: Request, filter_id: int) -> Response:
        return Response(VersionOut(services.visible_versions(request.user, filter_id), many=True).data)

    @described(WordingIn, VersionOut, status=201, summary="Save a new version")
    def post(self, request: Request, filter_id: int) -> Response:
        given = checked(WordingIn, request)
        made = services.save_version(person(request), filter_id, wording_in(given), comment=given["comment"])
        return Response(VersionOut(made).data, 201)


class ActivateView(APIView):
    """Run a version on the stream."""

    @described(response=VersionOut, summary="Run a version on the stream")
    def post(self, request: Request, filter_id: int, version: int) -> Response:
        return Response(VersionOut(services.activate(person(request), filter_id, version)).data)


class RollBackView(APIView):
    """Run an earlier version again."""

    @described(response=VersionOut, summary="Run an earlier version again")
    def post(self, request: Request, filter_id: int, version: int) -> Response:
        return Response(VersionOut(services.roll_back(person(request), filter_id, version)).data)


class DeactivateView(APIView):
    """Stop a filter."""

    @described(response=FilterOut, summary="Stop running a filter")
    def post(self, request: Request, filter_id: int) -> Response:
        services.deactivate(person(request), filter_id)
        return Response(FilterOut(_seen(request, filter_id)).data)


class DifferenceView(APIView):
    """Two versions compared."""

    @described(
        response=Difference,
        summary="Compare two versions",
        parameters=[parameter(name, int, required=True) for name in ("old", "new")],
    )
    def get(self, request: Request, filter_id: int) -> Response:
        old, new = (number(request, name, 0, 1, 2**31 - 1) for name in ("old", "new"))
        return Response({"diff": services.diff(request.user, filter_id, old, new)})


class ForkView(APIView):
    """A copy of one's own."""

    @described(Fork, FilterOut, status=201, summary="Make a copy of your own")
    def post(self, request: Request, filter_id: int) -> Response:
        made = services.fork(person(request), filter_id, checked(Fork, request)["name"])
        return Response(FilterOut(made).data, 201)


class StarView(APIView):
    """A star for a filter."""

    @described(response=FilterOut, summary="Give a filter a star: you find it useful")
    def post(self, request: Request, filter_id: int) -> Response:
        services.star(person(request), filter_id)
        return Response(FilterOut(_seen(request, filter_id)).data)

    @described(status=204, summary="Take your star back")
    def delete(self, request: Request, filter_id: int) -> Response:
        services.star(person(request), filter_id, given=False)
        return Response(status=204)


class FilterShareView(APIView):
    """With whom a filter is shared."""

    @described(Share, FilterOut, summary="Share a filter")
    def post(self, request: Request, filter_id: int) -> Response:
        given = checked(Share, request)
        user = person(request)
        _seen(request, filter_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        services.share(user, filter_id, given["visibility"], collaboration)
        return Response(FilterOut(_seen(request, filter_id)).data)


def _seen(request: Request, filter_id: int) -> Filter:
    return sharing.visible(
        Filter.objects.with_stars(request.user).select_related("owner", "collaboration", "active_version"),
        request.user,
        filter_id,
    )


def wording_in(given: dict[str, Any]) -> Wording:
    """The wording in the body of a request."""
    words = {name: given[name] for name in _WORDS if name in given}
    return Wording(**words | {"parameters": declared_in(given)})
