"""What goes between the site and other servers: photometry that is fetched, objects that are sent."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described, parameter
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import PAGING, Body, checked, collaboration_named, page, paged, person
from lasair_broker.web.api.v1.objects import number_of
from lasair_broker.web.photometry.models import FluxOf
from lasair_broker.web.queries.models import Phase
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.transfers import services
from lasair_broker.web.transfers.models import Transfer


class TransferOut(serializers.ModelSerializer[Transfer]):
    """Something that is fetched or sent in the background; `phase` is one of UWS' words."""

    diaObjectId = serializers.CharField(allow_null=True)
    destination = serializers.IntegerField(source="destination_id", allow_null=True)
    photometry = serializers.IntegerField(
        source="photometry_id", allow_null=True, help_text="Number of the set with the points."
    )

    class Meta:
        model = Transfer
        fields: ClassVar[list[str]] = [
            "id", "kind", "subject", "diaObjectId", "phase", "progress", "created", "started", "ended",
            "count", "left_out", "photometry", "destination", "link", "error",
        ]  # fmt: skip


class ServiceOut(Body):
    """A service of another survey."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    flux_of = serializers.ChoiceField(FluxOf.choices, help_text="What its fluxes are of.")


class AllServices(Body):
    """The services that this site asks."""

    results = ServiceOut(many=True)


class FetchIn(Body):
    """What is to be fetched."""

    service = serializers.CharField(max_length=32, help_text="Its name; `photometry/services` has them.")
    visibility = serializers.ChoiceField(
        Visibility.choices, required=False, help_text="Of the points; else as it is, and private at first."
    )
    collaboration = serializers.SlugField(required=False, allow_null=True, help_text="Of visibility group.")


class ServicesView(APIView):
    """Services of other surveys."""

    @described(response=AllServices, summary="The services of other surveys from which photometry is fetched")
    def get(self, request: Request) -> Response:
        found: Any = list(services.services().values())
        return Response({"results": ServiceOut(found, many=True).data})


class FetchView(APIView):
    """Photometry of an object from elsewhere."""

    permission_classes = (LoggedIn,)

    @described(
        FetchIn, TransferOut, status=201, summary="Have photometry of an object fetched from a service"
    )
    def post(self, request: Request, key: str) -> Response:
        user, given = person(request), checked(FetchIn, request)
        made = services.fetch(
            user,
            number_of(key),
            given["service"],
            visibility=given.get("visibility"),
            collaboration=collaboration_named(user, given.get("collaboration")),
        )
        return Response(TransferOut(made).data, 201)


class TransfersView(APIView):
    """What is fetched and sent in the background."""

    permission_classes = (LoggedIn,)

    @described(
        response=paged(TransferOut),
        summary="What you had fetched or sent in the background, newest first",
        parameters=[*PAGING, parameter("phase", str, f"Only these: {', '.join(Phase.values)}.")],
    )
    def get(self, request: Request) -> Response:
        found = Transfer.objects.visible_to(request.user)
        if phase := request.query_params.get("phase"):
            found = found.filter(phase=phase[:9])
        return page(request, found, TransferOut, newest_first=True)


class TransferView(APIView):
    """Something that is fetched or sent in the background."""

    permission_classes = (LoggedIn,)

    @described(
        response=TransferOut, summary="How far something is that is fetched or sent, and what came of it"
    )
    def get(self, request: Request, transfer_id: int) -> Response:
        return Response(TransferOut(services.visible(request.user, transfer_id)).data)


class TransferCancelView(APIView):
    """Stop what is fetched or sent."""

    permission_classes = (LoggedIn,)

    @described(response=TransferOut, summary="Stop what is fetched or sent in the background")
    def post(self, request: Request, transfer_id: int) -> Response:
        return Response(TransferOut(services.cancel(person(request), transfer_id)).data)
