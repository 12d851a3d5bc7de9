"""Where people send objects: TOMs and SkyPortals."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described
from lasair_broker.web.api.permissions import LoggedIn
from lasair_broker.web.api.v1.base import PAGING, Body, checked, page, paged, person
from lasair_broker.web.api.v1.objects import number_of
from lasair_broker.web.api.v1.transfers import TransferOut
from lasair_broker.web.transfers import sending
from lasair_broker.web.transfers.models import Destination


class DestinationOut(serializers.ModelSerializer[Destination]):
    """A destination; its token is shown to nobody."""

    class Meta:
        model = Destination
        fields: ClassVar[list[str]] = ["id", "name", "system", "address", "created"]


class DestinationIn(Body):
    """A new destination."""

    name = serializers.CharField(max_length=100)
    system = serializers.ChoiceField(Destination.System.choices)
    address = serializers.CharField(
        max_length=300, help_text="Where its pages begin; the operator of this site allows its host."
    )
    token = serializers.CharField(max_length=500, help_text="It is kept encrypted, and never shown again.")


class DestinationChange(Body):
    """What can be set of a destination; with a new address comes the token."""

    name = serializers.CharField(max_length=100, required=False)
    address = serializers.CharField(max_length=300, required=False)
    token = serializers.CharField(max_length=500, required=False)


class SendIn(Body):
    """Where to."""

    destination = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    private = serializers.BooleanField(
        required=False, default=False, help_text="Also added points that not everybody sees."
    )


class DestinationsView(APIView):
    """Destinations."""

    permission_classes = (LoggedIn,)

    @described(response=paged(DestinationOut), summary="Where you send objects", parameters=PAGING)
    def get(self, request: Request) -> Response:
        return page(request, Destination.objects.visible_to(request.user), DestinationOut)

    @described(DestinationIn, DestinationOut, status=201, summary="Store where objects are to be sent")
    def post(self, request: Request) -> Response:
        made = sending.add(person(request), **checked(DestinationIn, request))
        return Response(DestinationOut(made).data, 201)


class DestinationView(APIView):
    """A destination."""

    permission_classes = (LoggedIn,)

    @described(response=DestinationOut, summary="A destination of yours")
    def get(self, request: Request, destination_id: int) -> Response:
        return Response(DestinationOut(sending.destination(request.user, destination_id)).data)

    @described(DestinationChange, DestinationOut, summary="Change a destination of yours")
    def patch(self, request: Request, destination_id: int) -> Response:
        found = sending.change(person(request), destination_id, **checked(DestinationChange, request))
        return Response(DestinationOut(found).data)

    @described(status=204, summary="Remove a destination with its token, for good")
    def delete(self, request: Request, destination_id: int) -> Response:
        sending.remove(person(request), destination_id)
        return Response(status=204)


class DestinationTestView(APIView):
    """Whether a destination takes its token."""

    permission_classes = (LoggedIn,)

    @described(response=TransferOut, status=201, summary="Try whether a destination takes its token")
    def post(self, request: Request, destination_id: int) -> Response:
        return Response(TransferOut(sending.test(person(request), destination_id)).data, 201)


class SendView(APIView):
    """An object for a destination."""

    permission_classes = (LoggedIn,)

    @described(SendIn, TransferOut, status=201, summary="Send an object with its photometry to a destination")
    def post(self, request: Request, key: str) -> Response:
        user, given = person(request), checked(SendIn, request)
        made = sending.send(user, number_of(key), given["destination"], private=given["private"])
        return Response(TransferOut(made).data, 201)
