"""Filters that are being written: whether they can run, and what they would find."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.stream.filters import Makeup
from lasair_broker.web.api.description import described
from lasair_broker.web.api.formats import rows
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import Body, checked, person
from lasair_broker.web.api.v1.filter_runs import Night
from lasair_broker.web.api.v1.filters import WordingIn, wording_in
from lasair_broker.web.api.v1.jobs import JobOut
from lasair_broker.web.api.v1.query import Column
from lasair_broker.web.archive import archive
from lasair_broker.web.filters import trying
from lasair_broker.web.filters.queries import check_words
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import jobs


class WordsIn(WordingIn):
    """A wording that is not saved yet."""

    filter_id = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The filter it is for; none: a new one.",
    )


class CheckedFilter(Body):
    """What it would select."""

    columns = Column(many=True)


class TryIn(WordsIn):
    """A wording to be tried."""

    night = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=200_000,
        help_text="Only this night: the MJD at whose noon UTC it begins.",
    )


class ClassCount(Body):
    """How many objects are of a class."""

    classification = serializers.CharField(allow_null=True)
    objects = serializers.IntegerField()


class Trial(Body):
    """What a wording finds in the archive."""

    count = serializers.IntegerField()
    fraction = serializers.FloatField()
    per_night = serializers.FloatField()
    seconds = serializers.FloatField()
    nights = Night(many=True)
    classes = ClassCount(many=True)
    magnitudes = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="5th, 50th and 95th percentile."
    )
    rows = serializers.ListField(child=serializers.DictField())


class Past(Body):
    """A filter, and a past interval of the stream."""

    filter_id = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1, help_text="Default: the newest."
    )
    since_mjd = serializers.FloatField(help_text="MJD TAI of arrival.")
    until_mjd = serializers.FloatField(help_text="MJD TAI of arrival.")


class ReplayJobView(APIView):
    """A filter over the past."""

    permission_classes = (LoggedIn,)

    @described(Past, JobOut, status=201, summary="Run a filter over a past interval, in the background")
    def post(self, request: Request) -> Response:
        given = checked(Past, request)
        job = jobs.submit_replay(
            person(request),
            given["filter_id"],
            given.get("version"),
            given["since_mjd"],
            given["until_mjd"],
        )
        return Response(JobOut(job).data, 201)


class CheckView(APIView):
    """Check a filter."""

    permission_classes = (LoggedIn,)

    @described(WordsIn, CheckedFilter, summary="Check a filter without saving it")
    def post(self, request: Request) -> Response:
        given = checked(WordsIn, request)
        owner = trying.owner_of(person(request), given.get("filter_id"))
        query = check_words(wording_in(given), owner)
        return Response({"columns": [{"name": n, "type": kind.kind} for n, kind in query.columns.items()]})


class TryView(APIView):
    """Try a filter."""

    permission_classes = (LoggedIn,)

    @described(TryIn, Trial, summary="Try a filter on the archive without saving it")
    def post(self, request: Request) -> Response:
        user = person(request)
        given = checked(TryIn, request)
        with cancelled_when_gone(request) as cancelled:
            found = trying.try_wording(
                user,
                given.get("filter_id"),
                wording_in(given),
                archive(),
                night=given.get("night"),
                timeout=limits_of(user).seconds,
                cancelled=cancelled,
            )
        told: dict[str, Any] = {
            name: getattr(found, name) for name in ("count", "fraction", "per_night", "seconds")
        }
        makeup = found.makeup or Makeup((), None)
        told["nights"] = [asdict(night) for night in found.nights]
        told["classes"] = [{"classification": name, "objects": count} for name, count in makeup.classes]
        return Response({**told, "magnitudes": makeup.magnitudes, "rows": rows(found.rows)})
