"""Objects that the user keeps."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import PAGING, Body, checked, collaboration_named, page, paged, person
from lasair_broker.web.tags import services
from lasair_broker.web.tags.models import Tag


class TagOut(serializers.ModelSerializer[Tag]):
    """An object that you keep under a word."""

    diaObjectId = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)

    class Meta:
        model = Tag
        fields: ClassVar[list[str]] = ["id", "diaObjectId", "label", "owner", "collaboration", "created"]


class TagIn(Body):
    """An object to be kept."""

    diaObjectId = serializers.IntegerField(min_value=-(2**63), max_value=2**63 - 1)
    label = serializers.CharField(max_length=50, required=False, default=services.SAVED)  # type: ignore[assignment]  # also an attribute of fields
    collaboration = serializers.SlugField(
        required=False, allow_null=True, help_text="Whose members see it, too; you are one."
    )


class TagsView(APIView):
    """Objects that you keep."""

    permission_classes = (LoggedIn,)

    @described(
        response=paged(TagOut),
        summary="The objects that you keep, newest first",
        parameters=[
            *PAGING,
            parameter("label", str, "Only under this word."),
            parameter("diaObjectId", int, "Only this object."),
            parameter("mine", bool, "With `true`, without those of your collaborations."),
        ],
    )
    def get(self, request: Request) -> Response:
        found = Tag.objects.visible_to(request.user).select_related("owner", "collaboration")
        if request.query_params.get("mine") == "true":
            found = found.filter(owner=person(request))
        if label := request.query_params.get("label"):
            found = found.filter(label=label.replace("\x00", "")[:50])
        number = request.query_params.get("diaObjectId", "")
        if number.removeprefix("-").isdecimal() and number.isascii() and abs(int(number[:20])) < 2**63:
            found = found.filter(diaObjectId=int(number))
        return page(request, found, TagOut, newest_first=True)

    @described(TagIn, TagOut, status=201, summary="Keep an object under a word")
    def post(self, request: Request) -> Response:
        given = checked(TagIn, request)
        user = person(request)
        group = collaboration_named(user, given.get("collaboration"))
        made = services.keep(user, given["diaObjectId"], given["label"], group)
        return Response(TagOut(made).data, 201)


class TagView(APIView):
    """An object that you keep."""

    permission_classes = (LoggedIn,)

    @described(status=204, summary="Keep an object under a word no longer")
    def delete(self, request: Request, tag_id: int) -> Response:
        services.drop(person(request), tag_id)
        return Response(status=204)
