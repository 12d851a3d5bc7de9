"""Methods that older scripts still ask for."""

from __future__ import annotations

import re
from typing import Any

import orjson
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lasair_broker.web.api.classic.base import ClassicView, Parameters, object_key
from lasair_broker.web.api.classic.shapes import object_shape, sherlock_shape
from lasair_broker.web.archive import archive, newest_hits, rows_for
from lasair_broker.web.errors import NotFound
from lasair_broker.web.filters.models import Filter

_MOST_OBJECTS = 50


class _Objects(Parameters):
    objectIds = serializers.CharField(max_length=4096)
    lite = serializers.BooleanField(default=False)

    def validate_objectIds(self, value: str) -> list[int | str]:
        keys = [object_key(text) for text in value.split(",") if text.strip()]
        if not 1 <= len(keys) <= _MOST_OBJECTS:
            raise serializers.ValidationError(f"give 1 to {_MOST_OBJECTS} objects, separated by commas")
        return keys


class ObjectsView(ClassicView):
    """Several objects."""

    parameters = _Objects

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        return [
            object_shape(request, key, lite=given["lite"], lasair_added=True) for key in given["objectIds"]
        ]


class LightCurvesView(ClassicView):
    """The light curves of several objects."""

    parameters = _Objects

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        return [object_shape(request, key, lite=True, lasair_added=False) for key in given["objectIds"]]


class SherlockObjectsView(ClassicView):
    """What Sherlock says of several objects."""

    parameters = _Objects

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        both: dict[str, Any] = {"classifications": {}, "crossmatches": []}
        for key in given["objectIds"]:
            found = archive().object(key, ["diaObjectId"])["diaObjectId"].to_pylist()
            verdict, matches = (
                rows_for(request.user, name, found)
                for name in ("sherlock_classifications", "sherlock_crossmatches")
            )
            shape = sherlock_shape(str(key), verdict, matches, lite=given["lite"])
            both["classifications"] |= shape["classifications"]
            both["crossmatches"] += shape["crossmatches"]
        return both


class _Topics(Parameters):
    regex = serializers.CharField(max_length=128, default="", allow_blank=True)
    limit = serializers.IntegerField(min_value=1, max_value=10_000, default=1000)


class StreamsView(ClassicView):
    """The topics of filters that the user sees. What was a regular expression is looked for as text."""

    parameters = _Topics

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        # A user's regular expression could run for ever; the usual ".*" and anchors are understood.
        text = re.sub(r"\.\*|[\^$]", "", given["regex"])
        seen = Filter.objects.visible_to(request.user).filter(topic__icontains=text).order_by("topic")
        return [
            {"topic": found.topic, "more_info": request.build_absolute_uri(f"/filters/{found.pk}/")}
            for found in seen[: given["limit"]]
        ]


class _Stream(Parameters):
    limit = serializers.IntegerField(min_value=1, max_value=10_000, default=1000)


class StreamView(ClassicView):
    """The newest hits of a filter, by its topic; newest first."""

    parameters = _Stream

    def get(self, request: Request, topic: str = "") -> Response:
        return self._hits(request, topic, request.query_params)

    def post(self, request: Request, topic: str = "") -> Response:
        return self._hits(request, topic, request.data)

    def _hits(self, request: Request, topic: str, data: Any) -> Response:
        checked = _Stream(data=data)
        checked.is_valid(raise_exception=True)
        found = Filter.objects.visible_to(request.user).filter(topic=topic).first()
        if found is None:
            raise NotFound(f"there is no topic {topic}")
        hits = newest_hits(found.pk, checked.validated_data["limit"])
        return Response([orjson.loads(content) for content in hits["content"].to_pylist() if content])
