"""Notices taken in, and the candidates of an event."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import Body, checked, number, person
from lasair_broker.web.messengers import event_of, notice_of, take_notice

_MOST = 10_000


class NoticeIn(Body):
    """A notice."""

    notice = serializers.CharField(
        trim_whitespace=False, help_text="GCN notice (JSON) or VOEvent (XML), as it was sent."
    )


class NoticeTaken(Body):
    """What became of it."""

    new = serializers.IntegerField(help_text="Events that were not known.")
    changed = serializers.IntegerField(help_text="Events that have changed.")
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="What of it had to be left out, and why."
    )


class NoticesView(APIView):
    """Notices of events."""

    permission_classes = (LoggedIn,)
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.WRITE}

    @described(NoticeIn, response=NoticeTaken, summary="Take in a notice (operators only)")
    def post(self, request: Request) -> Response:
        return Response(take_notice(person(request), checked(NoticeIn, request)["notice"].encode()))


class CandidatesView(APIView):
    """Objects that may be counterparts of an event."""

    @described(
        response=OpenApiTypes.OBJECT,
        summary="Candidates of an event as targets of a GCN notice, the best first",
        parameters=[parameter("limit", int, f"At most so many, 1 to {_MOST}. Default: 500.")],
    )
    def get(self, request: Request, origin: str, event: str) -> Response:
        limit = number(request, "limit", 500, 1, _MOST)
        return Response(notice_of(request.user, event_of(request.user, origin, event), limit))
