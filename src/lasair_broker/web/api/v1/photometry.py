"""Points that users add to light curves, apart from those of the surveys."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, described_table
from lasair_broker.web.api.formats import answer_table
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
from lasair_broker.web.api.v1.objects import number_of
from lasair_broker.web.errors import Invalid
from lasair_broker.web.photometry import rows, services
from lasair_broker.web.photometry.formats import read_file
from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.sharing import Visibility

_MOST_BYTES = 8 * 1024**2


class PhotometryOut(serializers.ModelSerializer[PhotometrySet]):
    """Points that were added together."""

    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)

    class Meta:
        model = PhotometrySet
        fields: ClassVar[list[str]] = [
            "id", "name", "provenance", "owner", "visibility", "collaboration", "service", "flux_of",
            "created", "modified",
        ]  # fmt: skip


class PhotometryChange(Body):
    """What can be set of points that were added together."""

    name = serializers.CharField(max_length=200, required=False)
    provenance = serializers.CharField(max_length=1024, required=False)


class PhotometryIn(Body):
    """New points, as rows or as a CSV file with the same columns."""

    name = serializers.CharField(max_length=200)
    provenance = serializers.CharField(max_length=1024, help_text="Where the points are from.")
    instrument = serializers.CharField(max_length=100, required=False, help_text="Of rows that name none.")
    visibility = serializers.ChoiceField(Visibility.choices, required=False, default=Visibility.PRIVATE)
    collaboration = serializers.SlugField(required=False, allow_null=True, help_text="Of visibility group.")
    points = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        min_length=1,
        max_length=rows.MOST_POINTS,
        help_text=f"{', '.join(rows.COLUMNS)}. Of scale: {', '.join(rows.SCALES)}; "
        f"of unit: {', '.join(rows.UNITS)}.",
    )
    file = serializers.FileField(
        required=False,
        help_text="CSV with a header of the same columns, or as it is what the forced photometry services of "
        "ZTF and ATLAS or ASAS-SN's Sky Patrol give.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("points" in attrs):
            raise serializers.ValidationError("give either points or a file")
        return attrs


_IN = {"application/json": PhotometryIn, "multipart/form-data": PhotometryIn}


class PhotometrySetsView(APIView):
    """Points that were added together."""

    @described(response=paged(PhotometryOut), summary="The added photometry that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        return page(request, services.visible(request.user), PhotometryOut)

    @described(_IN, PhotometryOut, status=201, summary="Add points to objects: all are taken, or none")
    def post(self, request: Request) -> Response:
        return Response(PhotometryOut(_add(request, None)).data, 201)


class ObjectPhotometryView(APIView):
    """Points that users added to an object."""

    @described_table(summary="The points that users added to an object, of those that you see")
    def get(self, request: Request, key: str) -> HttpResponseBase:
        found = services.of_objects(request.user, [number_of(key)])
        return answer_table(request, found, f"{number_of(key)}_photometry")

    @described(_IN, PhotometryOut, status=201, summary="Add points to an object: all are taken, or none")
    def post(self, request: Request, key: str) -> Response:
        return Response(PhotometryOut(_add(request, number_of(key))).data, 201)


class PhotometrySetView(APIView):
    """Points that were added together."""

    @described(response=PhotometryOut, summary="What is said of added points")
    def get(self, request: Request, set_id: int) -> Response:
        return Response(PhotometryOut(services.get(request.user, set_id)).data)

    @described(PhotometryChange, PhotometryOut, summary="Change what is said of added points")
    def patch(self, request: Request, set_id: int) -> Response:
        made = services.describe(person(request), set_id, **checked(PhotometryChange, request))
        return Response(PhotometryOut(made).data)

    @described(status=204, summary="Remove added points; for some weeks they can be had back")
    def delete(self, request: Request, set_id: int) -> Response:
        services.remove(person(request), set_id)
        return Response(status=204)


class PhotometryPointsView(APIView):
    """The points themselves."""

    @described_table(summary="Points that were added together")
    def get(self, request: Request, set_id: int) -> HttpResponseBase:
        return answer_table(request, services.of_set(request.user, set_id), f"photometry_{set_id}")


class PhotometryRestoreView(APIView):
    """Removed points again."""

    @described(response=PhotometryOut, summary="Bring back points that you removed")
    def post(self, request: Request, set_id: int) -> Response:
        return Response(PhotometryOut(services.restore(person(request), set_id)).data)


class PhotometryShareView(APIView):
    """With whom points are shared."""

    @described(Share, PhotometryOut, summary="Share points")
    def post(self, request: Request, set_id: int) -> Response:
        given, user = checked(Share, request), person(request)
        services.get(user, set_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        services.share(user, set_id, given["visibility"], collaboration)
        return Response(PhotometryOut(services.get(user, set_id)).data)


def _add(request: Request, diaObjectId: int | None) -> PhotometrySet:
    user, given = person(request), checked(PhotometryIn, request)
    if "file" in given:
        if given["file"].size > _MOST_BYTES:
            raise Invalid({"file": f"has {given['file'].size:,} bytes; send it in parts of {_MOST_BYTES:,}"})
        points: Any = read_file(given["file"].read()).rows
    else:
        points = list(rows.numbered(given["points"]))
    return services.add(
        user,
        points,
        name=given["name"],
        provenance=given["provenance"],
        instrument=given.get("instrument", ""),
        diaObjectId=diaObjectId,
        visibility=given["visibility"],
        collaboration=collaboration_named(user, given.get("collaboration")),
    )
