"""Queries that run in the background."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, described_table, parameter
from lasair_broker.web.api.formats import answer_table, rows
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import (
    MOST_IN_PAGE,
    PAGING,
    Body,
    RowsPage,
    checked,
    next_page,
    number,
    page,
    paged,
    person,
)
from lasair_broker.web.api.v1.parameters import ParameterForm, ParametersField, ValuesField, text_with
from lasair_broker.web.queries import jobs
from lasair_broker.web.queries.models import Job, Phase

_LARGEST_ROW = 2**31 - 1


class JobOut(serializers.ModelSerializer[Job]):
    """A query in the background; `phase` is one of UWS' words."""

    before = serializers.SerializerMethodField(help_text="So many wait in line before it.")
    columns = serializers.ListField(child=serializers.DictField())
    parameters = ParameterForm(many=True)
    replay = serializers.DictField(
        allow_null=True, help_text="Of a filter over the past: filter_id, version, since_mjd, until_mjd."
    )

    class Meta:
        model = Job
        fields: ClassVar[list[str]] = [
            "id", "name", "adql", "selected", "tables", "conditions", "parameters", "most_rows", "replay",
            "phase", "before", "created", "started", "ended", "expires", "rows", "truncated", "bytes",
            "columns", "error", "error_position",
        ]  # fmt: skip

    def get_before(self, job: Job) -> int:
        return jobs.before(job)


class TextIn(Body):
    """A query: ADQL, or Lasair's form."""

    adql = serializers.CharField(max_length=65_536, required=False, allow_blank=True, default="")
    selected = serializers.CharField(max_length=16_384, required=False, allow_blank=True, default="")
    tables = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")
    conditions = serializers.CharField(max_length=65_536, required=False, allow_blank=True, default="")
    parameters = ParametersField()
    values = ValuesField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["adql"]) == bool(attrs["selected"]):
            raise serializers.ValidationError("give either adql, or selected with tables and conditions")
        return attrs


class JobIn(TextIn):
    """A query to be run in the background."""

    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    limit = serializers.IntegerField(min_value=1, max_value=3_000_000, required=False)


class JobName(Body):
    """A name, for your history."""

    name = serializers.CharField(max_length=200, allow_blank=True)


class JobsView(APIView):
    """Queries in the background."""

    permission_classes = (LoggedIn,)
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described(
        response=paged(JobOut),
        summary="Your background queries, newest first",
        parameters=[*PAGING, parameter("phase", str, f"Only these: {', '.join(Phase.values)}.")],
    )
    def get(self, request: Request) -> Response:
        found = Job.objects.visible_to(request.user)
        if phase := request.query_params.get("phase"):
            found = found.filter(phase=phase[:9])
        return page(request, found, JobOut, newest_first=True)

    @described(JobIn, JobOut, status=201, summary="Run a query in the background")
    def post(self, request: Request) -> Response:
        given = checked(JobIn, request)
        job = jobs.submit(
            person(request), text_with(request.user, given), name=given["name"], most_rows=given.get("limit")
        )
        return Response(JobOut(job).data, 201)


class JobView(APIView):
    """A query in the background."""

    permission_classes = (LoggedIn,)
    scopes: ClassVar[dict[str, Scope]] = {"PATCH": Scope.READ, "DELETE": Scope.READ}

    @described(response=JobOut, summary="A background query")
    def get(self, request: Request, job_id: int) -> Response:
        return Response(JobOut(jobs.visible(request.user, job_id)).data)

    @described(JobName, JobOut, summary="Name a background query")
    def patch(self, request: Request, job_id: int) -> Response:
        return Response(JobOut(jobs.rename(person(request), job_id, checked(JobName, request)["name"])).data)

    @described(status=204, summary="Remove a background query and its result")
    def delete(self, request: Request, job_id: int) -> Response:
        jobs.remove(person(request), job_id)
        return Response(status=204)


class CancelView(APIView):
    """Stop a query."""

    permission_classes = (LoggedIn,)
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described(response=JobOut, summary="Stop a background query")
    def post(self, request: Request, job_id: int) -> Response:
        return Response(JobOut(jobs.cancel(person(request), job_id)).data)


class JobRowsView(APIView):
    """The result of a query, page by page."""

    permission_classes = (LoggedIn,)

    @described(response=RowsPage, summary="The result of a background query, page by page", parameters=PAGING)
    def get(self, request: Request, job_id: int) -> Response:
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        first = number(request, "after", 0, 0, _LARGEST_ROW)
        found = jobs.rows(request.user, job_id, first, limit + 1)
        after = first + limit if found.num_rows > limit else None
        return Response({"results": rows(found.slice(0, limit)), "next": next_page(request, after)})


class ResultView(APIView):
    """The whole result of a query."""

    permission_classes = (LoggedIn,)

    @described_table(summary="The result of a background query")
    def get(self, request: Request, job_id: int) -> HttpResponseBase:
        job = jobs.visible(request.user, job_id)
        found = jobs.rows(request.user, job_id)
        return answer_table(request, found, f"lasair-query-{job.pk}", more=job.truncated)
