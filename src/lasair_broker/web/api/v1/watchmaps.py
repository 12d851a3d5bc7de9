"""Watchmaps: regions of the sky, and the objects in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web import sharing
from lasair_broker.web.api.description import described, described_table
from lasair_broker.web.api.v1.base import (
    PAGING,
    Body,
    Name,
    RowsPage,
    Share,
    checked,
    collaboration_named,
    list_hits,
    page,
    paged,
    person,
)
from lasair_broker.web.api.v1.watchlists import TooLarge
from lasair_broker.web.errors import Invalid
from lasair_broker.web.watchmaps import services
from lasair_broker.web.watchmaps.models import Watchmap

_MOST_FIELDS = 10_000


class WatchmapOut(serializers.ModelSerializer[Watchmap]):
    """A watchmap."""

    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)

    class Meta:
        model = Watchmap
        fields: ClassVar[list[str]] = [
            "id", "name", "description", "owner", "visibility", "collaboration", "active", "order",
            "area_deg2", "origin", "definition", "match", "match_done", "match_total", "match_hits",
            "match_message", "created", "modified",
        ]  # fmt: skip


class WatchmapIn(Body):
    """A new watchmap: a circle (ra, decl and radius), a polygon (ra and decl of its corners), fields (ra,
    decl and radius of each), or a MOC file."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")
    ra = serializers.ListField(
        child=serializers.FloatField(min_value=0.0, max_value=360.0),
        required=False,
        min_length=1,
        max_length=_MOST_FIELDS,
    )
    decl = serializers.ListField(
        child=serializers.FloatField(min_value=-90.0, max_value=90.0),
        required=False,
        min_length=1,
        max_length=_MOST_FIELDS,
    )
    radius = serializers.FloatField(
        min_value=0.0, max_value=180.0, required=False, help_text="Degrees; without, ra and decl are corners."
    )
    file = serializers.FileField(required=False, help_text="A MOC as FITS, JSON or ASCII.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("ra" in attrs):
            raise serializers.ValidationError("give either a file, or ra and decl")
        if "ra" in attrs and len(attrs["ra"]) != len(attrs.get("decl", ())):
            raise serializers.ValidationError({"decl": "give as many as of ra"})
        return attrs


class WatchmapChange(Body):
    """What can be set of a watchmap."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    active = serializers.BooleanField(required=False, help_text="Matched on the stream.")


class MocFile(Body):
    """A MOC file."""

    file = serializers.FileField(help_text="A MOC as FITS, JSON or ASCII.")


class WatchmapsView(APIView):
    """Watchmaps."""

    @described(response=paged(WatchmapOut), summary="The watchmaps that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = Watchmap.objects.visible_to(request.user).select_related("owner", "collaboration").defer("moc")
        return page(request, seen, WatchmapOut)

    @described(
        {"application/json": WatchmapIn, "multipart/form-data": WatchmapIn},
        WatchmapOut,
        status=201,
        summary="Make a watchmap",
    )
    def post(self, request: Request) -> Response:
        user, given = person(request), checked(WatchmapIn, request)
        name, description = given["name"], given["description"]
        if "file" in given:
            made = services.create_from_file(user, name, _content(given["file"]), description=description)
        elif "radius" not in given:
            made = services.create_polygon(user, name, given["ra"], given["decl"], description=description)
        elif len(given["ra"]) == 1:
            made = services.create_circle(
                user, name, given["ra"][0], given["decl"][0], given["radius"], description=description
            )
        else:
            made = services.create_fields(
                user, name, given["ra"], given["decl"], given["radius"], description=description
            )
        return Response(WatchmapOut(made).data, 201)


class WatchmapView(APIView):
    """A watchmap."""

    @described(response=WatchmapOut, summary="A watchmap")
    def get(self, request: Request, map_id: int) -> Response:
        return Response(WatchmapOut(services.get(request.user, map_id)).data)

    @described(WatchmapChange, WatchmapOut, summary="Change a watchmap, or switch it on or off")
    def patch(self, request: Request, map_id: int) -> Response:
        made = services.describe(person(request), map_id, **checked(WatchmapChange, request))
        return Response(WatchmapOut(made).data)

    @described(status=204, summary="Remove a watchmap")
    def delete(self, request: Request, map_id: int) -> Response:
        services.delete(person(request), map_id)
        return Response(status=204)


class MocView(APIView):
    """The region of a watchmap."""

    @described(response=bytes, media=("application/fits",), summary="The region of a watchmap, a MOC")
    def get(self, request: Request, map_id: int) -> HttpResponse:
        moc = services.region(request.user, map_id).to_fits()
        return HttpResponse(
            moc,
            content_type="application/fits",
            headers={"Content-Disposition": f'attachment; filename="watchmap_{map_id}.fits"'},
        )

    @described({"multipart/form-data": MocFile}, WatchmapOut, summary="Replace the region by that of a MOC")
    def put(self, request: Request, map_id: int) -> Response:
        user = person(request)
        sharing.editable(Watchmap.objects.all(), user, map_id)
        made = services.replace(user, map_id, _content(checked(MocFile, request)["file"]))
        return Response(WatchmapOut(made).data)


class WatchmapShareView(APIView):
    """With whom a watchmap is shared."""

    @described(Share, WatchmapOut, summary="Share a watchmap")
    def post(self, request: Request, map_id: int) -> Response:
        given, user = checked(Share, request), person(request)
        services.get(user, map_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        return Response(WatchmapOut(services.share(user, map_id, given["visibility"], collaboration)).data)


class WatchmapCopyView(APIView):
    """A copy of one's own."""

    @described(Name, WatchmapOut, status=201, summary="Make a copy of your own")
    def post(self, request: Request, map_id: int) -> Response:
        made = services.copy(person(request), map_id, checked(Name, request)["name"])
        return Response(WatchmapOut(made).data, 201)


class WatchmapHitsView(APIView):
    """The objects in a watchmap."""

    @described_table(
        response=RowsPage,
        summary="The objects in a watchmap: a page as JSON, or all in another format",
        parameters=PAGING,
    )
    def get(self, request: Request, map_id: int) -> HttpResponseBase:
        services.get(request.user, map_id)
        return list_hits(request, "area_hits", "ar_id", map_id, ("diaObjectId",))


def _content(file: Any) -> bytes:
    most = settings.LASAIR_SITE.upload_bytes
    if file.size > most:
        raise TooLarge(f"the file has {file.size:,} bytes; at most {most:,}")
    content: bytes = file.read()
    if not content:
        raise Invalid({"file": "is empty"})
    return content
