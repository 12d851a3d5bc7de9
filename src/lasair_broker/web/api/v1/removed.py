"""What you removed and can have back."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web import trash
from lasair_broker.web.api.description import described
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import Body, person


class RemovedOut(Body):
    """Something that you removed."""

    kind = serializers.CharField()
    id = serializers.IntegerField()
    name = serializers.CharField()
    deleted = serializers.DateTimeField()
    gone = serializers.DateTimeField(help_text="When it goes for good.")


class AllRemoved(Body):
    """Everything that you removed and can have back, the last removed first."""

    results = RemovedOut(many=True)


class RemovedView(APIView):
    """What you removed and can have back."""

    permission_classes = (LoggedIn,)

    @described(response=AllRemoved, summary="What you removed in the last 30 days and can have back")
    def get(self, request: Request) -> Response:
        return Response({"results": RemovedOut(trash.removed_by(person(request)), many=True).data})


class RemovedRestoreView(APIView):
    """Something that you removed."""

    permission_classes = (LoggedIn,)

    @described(status=204, summary="Have something back; lists, maps and filters as they were")
    def post(self, request: Request, kind: str, number: int) -> Response:
        trash.restore_named(person(request), kind, number)
        return Response(status=204)
