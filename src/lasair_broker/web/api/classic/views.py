"""Cones, queries, objects and what Sherlock says, as today's clients ask for them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import Q
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from lasair_broker.query import triple
from lasair_broker.web.accounts.entry import barred_from_passwords
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api import tokens
from lasair_broker.web.api.classic.base import ClassicView, Parameters, object_key
from lasair_broker.web.api.classic.shapes import object_shape, sherlock_shape
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.api.throttles import LoginThrottle
from lasair_broker.web.archive import archive, ask, rows_for
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.context import context_at
from lasair_broker.web.errors import NotFound


class _Cone(Parameters):
    ra = serializers.FloatField(min_value=0.0, max_value=360.0)
    dec = serializers.FloatField(min_value=-90.0, max_value=90.0)
    radius = serializers.FloatField(min_value=0.0, max_value=1000.0, default=5.0)
    requestType = serializers.ChoiceField(["count", "all", "nearest"])


class ConeView(ClassicView):
    """Objects near a position."""

    parameters = _Cone

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        found = archive().cone(given["ra"], given["dec"], given["radius"], ["diaObjectId"])
        if given["requestType"] == "count":
            return {"count": found.num_rows}
        ids, separations = (found[name].to_pylist() for name in ("diaObjectId", "separationArcsec"))
        objects = [{"object": i, "separation": s} for i, s in zip(ids, separations, strict=True)]
        nearest = {"nearest": objects[0]} if objects else {}
        if given["requestType"] == "nearest":
            return nearest
        return {"objects": objects, "count": len(objects), **nearest}


class _Query(Parameters):
    selected = serializers.CharField(max_length=4096)
    tables = serializers.CharField(max_length=1024)
    conditions = serializers.CharField(max_length=4096, allow_blank=True, default="")
    limit = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1000)
    offset = serializers.IntegerField(min_value=0, max_value=10_000_000, default=0)


class QueryView(ClassicView):
    """A query in Lasair's form."""

    parameters = _Query

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        query = triple(given["selected"], given["tables"], given["conditions"], catalogue_for(request.user))
        with cancelled_when_gone(request) as cancelled:
            found, _ = ask(
                request.user, query, limit=given["limit"], offset=given["offset"], cancelled=cancelled
            )
        return found.to_pylist()


class _Object(Parameters):
    objectId = serializers.CharField(max_length=64)
    lite = serializers.BooleanField(default=False)
    lasair_added = serializers.BooleanField(default=True)
    reliabilityThreshold = serializers.FloatField(required=False, min_value=0.0, max_value=1.0)


class ObjectView(ClassicView):
    """All that is known of an object."""

    parameters = _Object

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        return object_shape(
            request,
            object_key(given["objectId"]),
            lite=given["lite"],
            lasair_added=given["lasair_added"],
            reliability=given.get("reliabilityThreshold"),
        )


class _SherlockObject(Parameters):
    objectId = serializers.CharField(max_length=64)
    lite = serializers.BooleanField(default=False)


class SherlockObjectView(ClassicView):
    """What Sherlock says of an object."""

    parameters = _SherlockObject

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        key = object_key(given["objectId"])
        found = archive().object(key, ["diaObjectId"])["diaObjectId"].to_pylist()
        if not found:
            raise NotFound(f"there is no object {key}")
        verdict, matches = (
            rows_for(request.user, name, found)
            for name in ("sherlock_classifications", "sherlock_crossmatches")
        )
        return sherlock_shape(given["objectId"], verdict, matches, lite=given["lite"])


class _Position(Parameters):
    ra = serializers.FloatField(min_value=0.0, max_value=360.0)
    dec = serializers.FloatField(min_value=-90.0, max_value=90.0)
    lite = serializers.BooleanField(default=False)


class SherlockPositionView(ClassicView):
    """What Sherlock says of a position."""

    parameters = _Position

    def answer(self, request: Request, given: dict[str, Any]) -> Any:
        verdict, matches = context_at(given["ra"], given["dec"])
        return sherlock_shape("query0", verdict, matches, lite=given["lite"])


class _Login(Parameters):
    username = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class AuthTokenView(APIView):
    """A token for a name (or e-mail address) and a password."""

    authentication_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # as a list of one class in the stubs
    permission_classes: ClassVar[list[type[BasePermission]]] = [AllowAny]  # type: ignore[misc]
    throttle_classes: ClassVar[list[type[BaseThrottle]]] = [LoginThrottle]  # type: ignore[misc]

    def post(self, request: Request) -> Response:
        given = _Login(data=request.data)
        given.is_valid(raise_exception=True)
        name, password = given.validated_data["username"].strip(), given.validated_data["password"]
        user = User.objects.filter(Q(username__iexact=name) | Q(email=name.lower()), is_active=True).first()
        # The time it takes must not tell whether there is such a user.
        hashed = user.password if user is not None else make_password("")
        if not check_password(password, hashed) or user is None:
            raise ValidationError({"non_field_errors": ["Unable to log in with provided credentials."]})
        if barred := barred_from_passwords(user):
            raise ValidationError({"non_field_errors": [barred]})
        return Response({"token": tokens.of_login(user)})
