"""Watchlists: their rows, uploads, matches and triggers."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web import sharing
from lasair_broker.web.api.description import described, described_table, parameter
from lasair_broker.web.api.formats import answer_table, asked_format, rows
from lasair_broker.web.api.v1.base import (
    MOST_IN_PAGE,
    PAGING,
    Body,
    Name,
    RowsPage,
    Share,
    checked,
    collaboration_named,
    list_hits,
    next_page,
    number,
    page,
    paged,
    person,
)
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.watchlists import services
from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger, WatchlistVersion

_LARGEST_ID = 2**63 - 1


class TooLarge(APIException):
    """An upload is larger than this installation takes."""

    status_code = 413


class UploadOut(serializers.ModelSerializer[WatchlistVersion]):
    """The rows of an upload, and how far their match with the archive is."""

    class Meta:
        model = WatchlistVersion
        fields: ClassVar[list[str]] = [
            "number", "created", "source_name", "row_count", "match", "match_done", "match_total",
            "match_hits", "match_message",
        ]  # fmt: skip


class WatchlistOut(serializers.ModelSerializer[Watchlist]):
    """A watchlist."""

    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)
    current = UploadOut(allow_null=True)

    class Meta:
        model = Watchlist
        fields: ClassVar[list[str]] = [
            "id", "name", "description", "owner", "visibility", "collaboration", "default_radius", "active",
            "current", "created", "modified",
        ]  # fmt: skip


class WatchlistChange(Body):
    """What can be set of a watchlist."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    default_radius = serializers.FloatField(
        min_value=1.0, max_value=3600.0, required=False, help_text="Arcseconds."
    )
    active = serializers.BooleanField(required=False, help_text="Matched on the stream.")


class WatchlistIn(Body):
    """A new watchlist."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")
    default_radius = serializers.FloatField(min_value=1.0, max_value=3600.0, required=False, default=5.0)


class Upload(Body):
    """A file of positions."""

    file = serializers.FileField(help_text="CSV, VOTable, FITS or Parquet.")
    columns = serializers.CharField(
        required=False, help_text='Which column is what, as JSON: {"ra": "RAJ2000", …}.'
    )
    skip_bad_rows = serializers.BooleanField(required=False, default=False)


class RowIn(Body):
    """A row."""

    name = serializers.CharField(max_length=256)
    ra = serializers.FloatField(min_value=0.0, max_value=360.0)
    decl = serializers.FloatField(min_value=-90.0, max_value=90.0)
    radius = serializers.FloatField(min_value=1.0, max_value=3600.0, required=False)
    notes = serializers.CharField(max_length=4096, required=False, allow_null=True, allow_blank=True)


class ConeId(Body):
    """The number of a row."""

    cone_id = serializers.IntegerField()


class TriggerOut(serializers.ModelSerializer[WatchlistTrigger]):
    """A magnitude trigger."""

    class Meta:
        model = WatchlistTrigger
        fields: ClassVar[list[str]] = [
            "id", "cone_id", "name", "active", "kind", "direction", "magnitude", "change",
            "baseline_magnitude", "baseline_gap", "bands", "consecutive", "total", "forced", "min_snr",
            "rearm", "cooldown", "start_mjd",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = ["id"]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "start_mjd": {"required": False},
            "cone_id": {"min_value": 1, "max_value": _LARGEST_ID},
            "consecutive": {"min_value": 1, "max_value": 100},
        }


class WatchlistsView(APIView):
    """Watchlists."""

    @described(response=paged(WatchlistOut), summary="The watchlists that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = Watchlist.objects.visible_to(request.user)
        return page(request, seen.select_related("owner", "collaboration", "current"), WatchlistOut)

    @described(WatchlistIn, WatchlistOut, status=201, summary="Make a watchlist, without rows yet")
    def post(self, request: Request) -> Response:
        made = services.create(person(request), **checked(WatchlistIn, request))
        return Response(WatchlistOut(made).data, 201)


class WatchlistView(APIView):
    """A watchlist."""

    @described(response=WatchlistOut, summary="A watchlist")
    def get(self, request: Request, list_id: int) -> Response:
        return Response(WatchlistOut(services.get(request.user, list_id)).data)

    @described(WatchlistChange, WatchlistOut, summary="Change a watchlist, or switch it on or off")
    def patch(self, request: Request, list_id: int) -> Response:
        user, given = person(request), checked(WatchlistChange, request)
        active = given.pop("active", None)
        services.describe(user, list_id, **given)
        if active is not None:
            services.set_active(user, list_id, active)
        return Response(WatchlistOut(services.get(user, list_id)).data)

    @described(status=204, summary="Remove a watchlist")
    def delete(self, request: Request, list_id: int) -> Response:
        services.delete(person(request), list_id)
        return Response(status=204)


class UploadView(APIView):
    """The rows of a watchlist from a file."""

    parser_classes: ClassVar[list[Any]] = [MultiPartParser]  # type: ignore[misc]  # an instance's in the stubs

    @described(
        {"multipart/form-data": Upload}, UploadOut, status=201, summary="Replace the rows by those of a file"
    )
    def post(self, request: Request, list_id: int) -> Response:
        user = person(request)
        sharing.editable(Watchlist.objects.all(), user, list_id)
        given = checked(Upload, request)
        file = given["file"]
        if file.size > settings.LASAIR_SITE.upload_bytes:
            raise TooLarge(f"the file has {file.size:,} bytes; at most {settings.LASAIR_SITE.upload_bytes:,}")
        made = services.upload(
            user,
            list_id,
            file.read(),
            source_name=file.name or "",
            columns=_mapping(given.get("columns")),
            skip_bad_rows=given["skip_bad_rows"],
        )
        return Response(UploadOut(made).data, 201)


class RowsView(APIView):
    """The rows of a watchlist."""

    @described_table(
        summary="The rows of a watchlist: a page as JSON, or all in another format",
        parameters=[*PAGING, parameter("name", str, "Only rows whose name holds this.")],
    )
    def get(self, request: Request, list_id: int) -> HttpResponseBase:
        if asked_format(request) != "json":
            return answer_table(request, services.all_rows(request.user, list_id), f"watchlist_{list_id}")
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        after = number(request, "after", 0, 0, _LARGEST_ID)
        name = request.query_params.get("name", "")
        found = services.rows(request.user, list_id, after_cone_id=after, limit=limit, name=name)
        more = found.num_rows == limit
        last = found["cone_id"][-1].as_py() if more and not name else None
        return Response({"rows": rows(found), "truncated": more, "next": next_page(request, last)})

    @described(RowIn, ConeId, status=201, summary="Add a row")
    def post(self, request: Request, list_id: int) -> Response:
        return Response(
            {"cone_id": services.add_row(person(request), list_id, **checked(RowIn, request))}, 201
        )


class RowView(APIView):
    """A row of a watchlist."""

    @described(RowIn, status=204, summary="Change a row")
    def patch(self, request: Request, list_id: int, cone_id: int) -> Response:
        services.edit_row(person(request), list_id, cone_id, **checked(RowIn, request, partial=True))
        return Response(status=204)

    @described(status=204, summary="Remove a row")
    def delete(self, request: Request, list_id: int, cone_id: int) -> Response:
        services.delete_row(person(request), list_id, cone_id)
        return Response(status=204)


class WatchlistVersionsView(APIView):
    """The versions of a watchlist."""

    @described(response=UploadOut(many=True), summary="The uploads of a watchlist, oldest first")
    def get(self, request: Request, list_id: int) -> Response:
        return Response(UploadOut(services.get(request.user, list_id).versions.all(), many=True).data)


class RestoreView(APIView):
    """Earlier rows again."""

    @described(response=UploadOut, status=201, summary="Make the rows of an earlier version the newest again")
    def post(self, request: Request, list_id: int, version: int) -> Response:
        return Response(UploadOut(services.restore(person(request), list_id, version)).data, 201)


class WatchlistShareView(APIView):
    """With whom a watchlist is shared."""

    @described(Share, WatchlistOut, summary="Share a watchlist")
    def post(self, request: Request, list_id: int) -> Response:
        given, user = checked(Share, request), person(request)
        services.get(user, list_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        services.share(user, list_id, given["visibility"], collaboration)
        return Response(WatchlistOut(services.get(user, list_id)).data)


class WatchlistCopyView(APIView):
    """A copy of one's own."""

    @described(Name, WatchlistOut, status=201, summary="Make a copy of your own")
    def post(self, request: Request, list_id: int) -> Response:
        made = services.copy(person(request), list_id, checked(Name, request)["name"])
        return Response(WatchlistOut(made).data, 201)


class WatchlistHitsView(APIView):
    """The objects of a watchlist."""

    @described_table(
        response=RowsPage,
        summary="The objects at the positions of a watchlist: a page as JSON, or all in another format",
        parameters=PAGING,
    )
    def get(self, request: Request, list_id: int) -> HttpResponseBase:
        services.get(request.user, list_id)
        return list_hits(request, "watchlist_hits", "wl_id", list_id, ("diaObjectId", "cone_id"))


class TriggersView(APIView):
    """The magnitude triggers of a watchlist."""

    @described(response=TriggerOut(many=True), summary="The magnitude triggers of a watchlist")
    def get(self, request: Request, list_id: int) -> Response:
        return Response(TriggerOut(services.triggers(request.user, list_id), many=True).data)

    @described(TriggerOut, TriggerOut, status=201, summary="Add a magnitude trigger")
    def post(self, request: Request, list_id: int) -> Response:
        user = person(request)
        sharing.editable(Watchlist.objects.all(), user, list_id)
        return Response(
            TriggerOut(services.add_trigger(user, list_id, **checked(TriggerOut, request))).data, 201
        )


class TriggerView(APIView):
    """A magnitude trigger."""

    @described(TriggerOut, TriggerOut, summary="Change a magnitude trigger")
    def patch(self, request: Request, list_id: int, trigger_id: int) -> Response:
        _trigger(request, list_id, trigger_id)
        given = checked(TriggerOut, request, partial=True)
        return Response(TriggerOut(services.change_trigger(person(request), trigger_id, **given)).data)

    @described(status=204, summary="Remove a magnitude trigger")
    def delete(self, request: Request, list_id: int, trigger_id: int) -> Response:
        _trigger(request, list_id, trigger_id)
        services.remove_trigger(person(request), trigger_id)
        return Response(status=204)


def _trigger(request: Request, list_id: int, trigger_id: int) -> None:
    if (
        not WatchlistTrigger.objects.visible_to(request.user)
        .filter(pk=trigger_id, watchlist=list_id)
        .exists()
    ):
        raise NotFound(f"there is no trigger {trigger_id}")


def _mapping(text: str | None) -> dict[str, str] | None:
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Invalid({"columns": 'give JSON: {"ra": "RAJ2000", "decl": "DEJ2000"}'})
    return found
