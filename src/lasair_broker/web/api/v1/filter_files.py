"""Filters as YAML."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import Body, checked, person
from lasair_broker.web.api.v1.filters import FilterOut
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters import files
from lasair_broker.web.filters.models import Filter


class FilterFile(Body):
    """Filters in the form of a file of subscriptions."""

    yaml = serializers.CharField(max_length=files.LARGEST, trim_whitespace=False)


class FileOfFilters(Body):
    """What such a file says."""

    filters = serializers.ListField(child=serializers.DictField())


class FilterExportView(APIView):
    """Filters as YAML."""

    permission_classes = (LoggedIn,)

    @described(
        response=FileOfFilters,
        summary="Filters as YAML: your own, or those you name",
        parameters=[
            parameter("filter", int, "The number of one that you see; any number of times.", many=True)
        ],
        media=("application/yaml",),
    )
    def get(self, request: Request) -> HttpResponse:
        return file_of(person(request), request.query_params.getlist("filter"))


class FilterImportView(APIView):
    """Filters from YAML."""

    permission_classes = (LoggedIn,)

    @described(
        FilterFile,
        FilterOut(many=True),
        status=201,
        summary="Make the filters of a file, all or none; each is a private draft",
    )
    def post(self, request: Request) -> Response:
        made = files.imported(person(request), checked(FilterFile, request)["yaml"])
        return Response(FilterOut(made, many=True).data, 201)


def file_of(user: User, numbers: list[str]) -> HttpResponse:
    """The filters of these numbers as a file; without numbers all of the user's own."""
    if not all(text.isascii() and text.isdecimal() and len(text) < 10 for text in numbers):
        raise Invalid({"filter": "give numbers of filters"})
    chosen = [int(text) for text in numbers] or list(
        Filter.objects.filter(owner=user).order_by("pk").values_list("pk", flat=True)
    )
    if len(chosen) > files.MOST:
        raise Invalid({"filter": f"at most {files.MOST} filters go into a file; name them"})
    name = f"lasair-filter-{chosen[0]}" if len(chosen) == 1 else "lasair-filters"
    return HttpResponse(
        files.exported(user, chosen),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.yaml"'},
    )
