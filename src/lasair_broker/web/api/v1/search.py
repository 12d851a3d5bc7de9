"""Finding objects by what people have of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import Body, checked
from lasair_broker.web.search import Found, look_for, understood


class SearchIn(Body):
    """What is looked for."""

    q = serializers.CharField(max_length=100_000, help_text="Numbers, names or positions, a line each.")


class SearchOut(Body):
    """What was found, in the order of what was looked for."""

    objects = serializers.ListField(child=serializers.DictField())
    positions = serializers.ListField(child=serializers.DictField())
    bodies = serializers.ListField(child=serializers.CharField())
    missing = serializers.ListField(child=serializers.CharField())


class SearchView(APIView):
    """Objects by number, name or position."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described(
        response=SearchOut,
        summary="Objects by number, name (ZTF's, TNS') or position in any usual notation; one or a list",
        parameters=[parameter("q", str, "Numbers, names or positions, a line each.", required=True)],
    )
    def get(self, request: Request) -> Response:
        return _answer(look_for(understood(request.query_params.get("q", ""))))

    @described(SearchIn, SearchOut, summary="The same, for long lists")
    def post(self, request: Request) -> Response:
        return _answer(look_for(understood(checked(SearchIn, request)["q"])))


def _answer(found: Found) -> Response:
    return Response(
        {
            "objects": [{**row, "diaObjectId": str(row["diaObjectId"])} for row in found.rows],
            "positions": [asdict(line.position) for line in found.lines if line.position is not None],
            "bodies": found.bodies,
            "missing": found.missing,
        }
    )
