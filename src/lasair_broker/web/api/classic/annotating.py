"""Speaking of objects, as today's clients do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lasair_broker.archive import QueryError
from lasair_broker.web.accounts.models import User
from lasair_broker.web.annotators import services
from lasair_broker.web.api.classic.base import ClassicView, Parameters
from lasair_broker.web.api.models import Scope
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import ServiceError

_MOST = 10_000


class _Annotation(Parameters):
    objectId = serializers.CharField(max_length=64)
    topic = serializers.CharField(max_length=255)
    classification = serializers.CharField(max_length=80)
    version = serializers.CharField(max_length=80, allow_blank=True, default="")
    explanation = serializers.CharField(max_length=1024, allow_blank=True, default="")
    classdict = serializers.CharField(max_length=4096, allow_blank=True, default="")
    url = serializers.CharField(max_length=1024, allow_blank=True, default="")


class _Annotations(Parameters):
    annotations = serializers.ListField(child=_Annotation(), min_length=1, max_length=_MOST)


class AnnotateView(ClassicView):
    """One annotation."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}
    http_method_names: ClassVar[list[str]] = ["post", "options"]  # type: ignore[misc]
    parameters = _Annotation

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        _push(request, [given])
        return {
            "status": "success",
            "annotation_topic": "fast_annotations",
            "message": json.dumps(given),
        }


class AnnotateListView(ClassicView):
    """Many annotations, of any topics: all are taken, or none."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}
    http_method_names: ClassVar[list[str]] = ["post", "options"]  # type: ignore[misc]
    parameters = _Annotations

    def post(self, request: Request) -> Response:
        if not isinstance(request.data, Mapping):
            raise QueryError('send JSON: {"annotations": [{"objectId": …, "topic": …, "classification": …}]}')
        return super().post(request)

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        _push(request, given["annotations"])
        return {"status": "success", "n": len(given["annotations"])}


def _push(request: Request, annotations: list[dict[str, Any]]) -> None:
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for annotation in annotations:
        row = dict(annotation)
        by_topic.setdefault(row.pop("topic"), []).append(row)
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - for the type checker; the permission has seen to it
    try:
        with transaction.atomic():
            for topic, rows in by_topic.items():
                services.push(user, topic, rows, archive())
    except ServiceError as error:
        raise QueryError(str(error)) from None  # today's clients know 400 only
