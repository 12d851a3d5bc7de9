"""Queries of the archive."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.query import Query
from lasair_broker.web.api.description import described, described_table
from lasair_broker.web.api.formats import FORMATS, answer_table
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import Body, checked
from lasair_broker.web.api.v1.parameters import ParametersField, ValuesField, text_with
from lasair_broker.web.archive import ask
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries.texts import query_of


class Asked(Body):
    """A query: ADQL, or Lasair's form."""

    adql = serializers.CharField(max_length=65_536, required=False)
    selected = serializers.CharField(max_length=16_384, required=False)
    tables = serializers.CharField(max_length=4096, required=False, default="objects")
    conditions = serializers.CharField(max_length=65_536, required=False, allow_blank=True, default="")
    parameters = ParametersField()
    values = ValuesField()
    limit = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    format = serializers.ChoiceField(list(FORMATS), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("adql" in attrs) == ("selected" in attrs):
            raise serializers.ValidationError("give either adql, or selected with tables and conditions")
        return attrs


class Column(Body):
    """A column of a result."""

    name = serializers.CharField()
    type = serializers.CharField()


class Checked(Body):
    """What a query would give."""

    columns = Column(many=True)
    rows = serializers.IntegerField(help_text="The most you get at once.")
    seconds = serializers.FloatField(help_text="The most it may take.")


class QueryView(APIView):
    """Run a query; it is stopped if you leave."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described_table(Asked, summary="Run a query")
    def post(self, request: Request) -> HttpResponseBase:
        given = checked(Asked, request)
        query = _query(request, given)
        with cancelled_when_gone(request) as cancelled:
            found, more = ask(request.user, query, limit=given.get("limit"), cancelled=cancelled)
        return answer_table(request, found, "result", more=more)


class QueryCheckView(APIView):
    """Check a query without running it."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described(Asked, Checked, summary="Check a query")
    def post(self, request: Request) -> Response:
        query = _query(request, checked(Asked, request))
        limits = limits_of(request.user)
        columns = [{"name": name, "type": kind.kind} for name, kind in query.columns.items()]
        return Response({"columns": columns, "rows": limits.rows, "seconds": limits.seconds})


def _query(request: Request, given: dict[str, Any]) -> Query:
    words = {name: given[name] for name in ("selected", "tables", "conditions") if "adql" not in given}
    text = text_with(request.user, {**given, "tables": "", "conditions": "", **words})
    return query_of(text, request.user)
