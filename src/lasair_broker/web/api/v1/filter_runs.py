"""Filters and the archive: what they would find, have found, and why; and where it goes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.packets import mjd_tai_now
from lasair_broker.settings import load
from lasair_broker.stream.delivery import cursor_of, event_id
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.formats import rows
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
from lasair_broker.web.archive import archive, newest_hits
from lasair_broker.web.delivery import again
from lasair_broker.web.delivery import services as deliveries
from lasair_broker.web.delivery.models import Delivery
from lasair_broker.web.delivery.senders import senders_for
from lasair_broker.web.delivery.views import hits as hit_events
from lasair_broker.web.errors import Busy, Invalid, NotFound
from lasair_broker.web.filters import outputs, trying
from lasair_broker.web.filters.models import (
    Filter,
    FilterFailure,
    FilterOutput,
    FilterStatistics,
    LightCurve,
    OutputKind,
)
from lasair_broker.web.limits import limits_of

_VERSION = parameter("version", int, "Default: the newest that you see.")


class Night(Body):
    """A night in a preview."""

    night = serializers.IntegerField(help_text="The MJD at whose noon UTC it begins.")
    objects = serializers.IntegerField()
    passing = serializers.IntegerField()


class PreviewOut(Body):
    """What a version finds in the archive."""

    version = serializers.IntegerField()
    count = serializers.IntegerField()
    fraction = serializers.FloatField()
    per_night = serializers.FloatField()
    seconds = serializers.FloatField()
    nights = Night(many=True)
    rows = serializers.ListField(child=serializers.DictField())


class VerdictOut(Body):
    """What a filter makes of an object."""

    diaObjectId = serializers.CharField()
    objectName = serializers.CharField(allow_null=True)
    passes = serializers.BooleanField()
    conditions = serializers.ListField(child=serializers.DictField())


class StatisticsOut(serializers.ModelSerializer[FilterStatistics]):
    """What running a version came to in a night."""

    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = FilterStatistics
        fields: ClassVar[list[str]] = [
            "version", "night", "batches", "alerts", "rows", "failures", "seconds", "longest",
        ]  # fmt: skip


class FailureOut(serializers.ModelSerializer[FilterFailure]):
    """What is wrong with a filter."""

    class Meta:
        model = FilterFailure
        fields: ClassVar[list[str]] = ["message", "first", "last", "count"]


class HealthOut(Body):
    """How a filter fares."""

    version = serializers.IntegerField(allow_null=True)
    expected_per_night = serializers.FloatField(allow_null=True)
    expected_fraction = serializers.FloatField(allow_null=True)
    nights = serializers.ListField(child=serializers.DictField())
    statistics = StatisticsOut(many=True)
    failures = FailureOut(many=True)
    classes = serializers.ListField(
        child=serializers.DictField(), help_text="Of the objects of the last month, the most frequent first."
    )
    magnitudes = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="Of their newest detections: 5th, 50th and 95th percentile.",
    )


class OutputOut(serializers.ModelSerializer[FilterOutput]):
    """An output."""

    recipient = serializers.CharField(source="recipient.username", default=None, allow_null=True)

    class Meta:
        model = FilterOutput
        fields: ClassVar[list[str]] = [
            "id", "kind", "enabled", "light_curve", "format", "frequency", "recipient", "url", "secret",
            "hourly_limit", "quiet_from", "quiet_until", "created",
        ]  # fmt: skip


class OutputChange(Body):
    """What can be set of an output."""

    enabled = serializers.BooleanField(required=False)
    light_curve = serializers.ChoiceField(LightCurve.choices, required=False)
    format = serializers.ChoiceField(FilterOutput.Format.choices, required=False)
    frequency = serializers.ChoiceField(FilterOutput.Frequency.choices, required=False)
    recipient = serializers.CharField(required=False, help_text="A user, for e-mail. Default: you.")
    url = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    hourly_limit = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=1_000_000)
    quiet_from = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=23, help_text="Hour, UTC."
    )
    quiet_until = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=23, help_text="Hour, UTC."
    )


class OutputIn(OutputChange):
    """A new output."""

    kind = serializers.ChoiceField(OutputKind.choices)


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    """An attempt to deliver."""

    class Meta:
        model = Delivery
        fields: ClassVar[list[str]] = ["id", "at", "result", "hits", "seconds", "message"]


class Again(Body):
    """Which hits are wanted again: from a moment, or after the hit at a place."""

    since_mjd = serializers.FloatField(required=False, help_text="MJD TAI.")
    after = serializers.CharField(
        required=False,
        max_length=100,
        help_text="In place of since_mjd: the id of the last event of the stream of hits that you have, "
        "committedMjdTai/hitId of any message.",
    )
    until_mjd = serializers.FloatField(required=False, help_text="MJD TAI. Default: now.")
    output_id = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    only_count = serializers.BooleanField(
        required=False, default=False, help_text="Tell how many hits they are, and send none."
    )


class AskedAgain(Body):
    """What was asked for."""

    count = serializers.IntegerField(help_text="Outputs that get them; 0 if there are no hits.")
    hits = serializers.IntegerField(help_text="For each; if they are only counted, at most 100001.")


class PreviewView(APIView):
    """Try a version on the archive."""

    @described(response=PreviewOut, summary="Try a version on the archive")
    def post(self, request: Request, filter_id: int, version: int) -> Response:
        user = person(request)
        seen, found = trying.try_version(user, filter_id, version, archive(), timeout=limits_of(user).seconds)
        told = {name: getattr(found, name) for name in ("count", "fraction", "per_night", "seconds")}
        nights = [asdict(night) for night in found.nights]
        return Response({"version": seen.number, **told, "nights": nights, "rows": rows(found.rows)})


class WhyView(APIView):
    """Why an object passes, or does not."""

    @described(
        response=VerdictOut,
        summary="Why an object passes, or does not",
        parameters=[parameter("object", str, "Number or name.", required=True), _VERSION],
    )
    def get(self, request: Request, filter_id: int) -> Response:
        sharing.visible(Filter.objects.all(), request.user, filter_id)
        text = request.query_params.get("object", "").strip()
        if not text or len(text) > 64 or "\x00" in text:
            raise Invalid({"object": "give the number of an object, or its name"})
        key: int | str = text
        if text.isascii() and text.isdecimal():
            if len(text) > 19 or int(text) >= 2**63:
                raise NotFound(f"there is no object {text}")
            key = int(text)
        found = trying.why(person(request), filter_id, _version(request), key, archive())
        return Response({**asdict(found), "diaObjectId": str(found.diaObjectId)})


class HealthView(APIView):
    """How a filter fares."""

    @described(response=HealthOut, summary="How a filter fares")
    def get(self, request: Request, filter_id: int) -> Response:
        sharing.visible(Filter.objects.all(), request.user, filter_id)
        found = trying.health(person(request), filter_id, archive())
        return Response(
            {
                "version": found.version,
                "expected_per_night": found.expected_per_night,
                "expected_fraction": found.expected_fraction,
                "nights": [asdict(night) for night in found.nights],
                "statistics": StatisticsOut(found.statistics, many=True).data,
                "failures": FailureOut(found.failures, many=True).data,
                "classes": [
                    {"classification": name, "objects": count} for name, count in found.makeup.classes
                ],
                "magnitudes": found.makeup.magnitudes,
            }
        )


class HitsView(APIView):
    """The hits of a filter."""

    @described(response=RowsPage, summary="The hits of a filter, newest first", parameters=PAGING)
    def get(self, request: Request, filter_id: int) -> Response:
        sharing.visible(Filter.objects.all(), request.user, filter_id)
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        text = request.query_params.get("after")
        before = None if text is None else cursor_of(text)
        if text is not None and before is None:
            raise Invalid({"after": "is no place among hits; take it from `next`"})
        found = newest_hits(filter_id, limit, before).drop_columns(["deliveryError", "deliveryAttempts"])
        last = None
        if found.num_rows == limit:
            last = event_id((found["committedMjdTai"][-1].as_py(), found["hitId"][-1].as_py()))
        return Response({"results": rows(found), "next": next_page(request, last)})


class HitEventsView(APIView):
    """The hits of a filter as they come, as server-sent events."""

    @described(response=str, summary="Hits as they come, as server-sent events", media=("text/event-stream",))
    def get(self, request: Request, filter_id: int) -> HttpResponseBase:
        sharing.visible(Filter.objects.all(), request.user, filter_id)
        response = hit_events(request._request, filter_id)  # which has the user that the token stands for
        if response.status_code == 400:
            raise Invalid({"Last-Event-ID": "is not the id of an event of this stream"})
        if response.status_code == 404:
            raise NotFound("this filter has no output to browsers; add one")
        if response.status_code == 503:
            raise Busy("too many streams are open; ask again in a moment, or page by page")
        return response


class OutputsView(APIView):
    """The outputs of a filter."""

    @described(response=OutputOut(many=True), summary="Where a filter's hits go")
    def get(self, request: Request, filter_id: int) -> Response:
        found = sharing.editable(Filter.objects.all(), request.user, filter_id)
        return Response(OutputOut(found.outputs.select_related("recipient").order_by("pk"), many=True).data)

    @described(OutputIn, OutputOut, status=201, summary="Add an output")
    def post(self, request: Request, filter_id: int) -> Response:
        user = person(request)
        given = checked(OutputIn, request)
        kind = given.pop("kind")
        sharing.editable(Filter.objects.all(), user, filter_id)
        return Response(OutputOut(outputs.add(user, filter_id, kind, **_with_recipient(given))).data, 201)


class OutputView(APIView):
    """An output."""

    @described(OutputChange, OutputOut, summary="Change an output")
    def patch(self, request: Request, filter_id: int, output_id: int) -> Response:
        user = person(request)
        _output(request, filter_id, output_id)
        given = _with_recipient(checked(OutputChange, request))
        return Response(OutputOut(outputs.change(user, output_id, **given)).data)

    @described(status=204, summary="Remove an output")
    def delete(self, request: Request, filter_id: int, output_id: int) -> Response:
        _output(request, filter_id, output_id)
        outputs.remove(person(request), output_id)
        return Response(status=204)


class OutputTestView(APIView):
    """Try an output."""

    @described(response=DeliveryOut, summary="Try an output now")
    def post(self, request: Request, filter_id: int, output_id: int) -> Response:
        _output(request, filter_id, output_id)
        tried = deliveries.send_test(person(request), output_id, senders_for(load().delivery))
        return Response(DeliveryOut(tried).data)


class OutputSecretView(APIView):
    """A new signing secret."""

    @described(response=OutputOut, summary="Give a webhook a new signing secret")
    def post(self, request: Request, filter_id: int, output_id: int) -> Response:
        _output(request, filter_id, output_id)
        return Response(OutputOut(outputs.new_secret(person(request), output_id)).data)


class DeliveriesView(APIView):
    """The log of an output."""

    @described(response=paged(DeliveryOut), summary="The delivery log of an output", parameters=PAGING)
    def get(self, request: Request, filter_id: int, output_id: int) -> Response:
        _output(request, filter_id, output_id)
        return page(request, Delivery.objects.visible_to(request.user).filter(output=output_id), DeliveryOut)


class RedeliverView(APIView):
    """Hits again."""

    @described(Again, AskedAgain, summary="Have the hits of a past interval, or after a place, again")
    def post(self, request: Request, filter_id: int) -> Response:
        given, user = checked(Again, request), person(request)
        until = given["until_mjd"] if "until_mjd" in given else mjd_tai_now()
        span = again.span_of(given.get("since_mjd"), until, given.get("after", ""))
        if given["only_count"]:
            return Response({"count": 0, "hits": again.count(user, filter_id, span, archive())})
        asked, hits = again.ask_for_some(user, filter_id, span, archive(), given.get("output_id"))
        return Response({"count": len(asked), "hits": hits})


def _version(request: Request) -> int | None:
    return number(request, "version", 0, 1, 2**31 - 1) or None


def _output(request: Request, filter_id: int, output_id: int) -> None:
    sharing.editable(Filter.objects.all(), request.user, filter_id)
    if not FilterOutput.objects.filter(filter=filter_id, pk=output_id).exists():
        raise NotFound(f"there is no output {output_id}")


def _with_recipient(given: dict[str, Any]) -> dict[str, Any]:
    if "recipient" in given:
        user = User.objects.filter(username__iexact=given["recipient"], is_active=True).first()
        if user is None:
            raise Invalid({"recipient": f"there is no user {given['recipient']}"})
        given["recipient"] = user
    return given
