"""The state of the installation, its tables, and one's own account."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import NotFound as NoRoute
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.query import PUBLIC
from lasair_broker.schema import TABLES, SchemaError, table, version
from lasair_broker.web.accounts import services as accounts
from lasair_broker.web.accounts.models import Collaboration, Membership, Role
from lasair_broker.web.api import tokens
from lasair_broker.web.api.description import described
from lasair_broker.web.api.models import ApiToken, Scope
from lasair_broker.web.api.permissions import LoggedIn, Session
from lasair_broker.web.api.v1.base import PAGING, Body, checked, page, paged, person
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound
from lasair_broker.web.limits import limits_of


class TableStatus(Body):
    """The size of a table."""

    name = serializers.CharField()
    rows = serializers.IntegerField()


class StatusOut(Body):
    """What the archive holds."""

    tables = TableStatus(many=True)
    bytes = serializers.IntegerField()
    newestSourceMjdTai = serializers.FloatField(allow_null=True)
    newestAlertMjdTai = serializers.FloatField(allow_null=True)


class ColumnOut(Body):
    """A column."""

    name = serializers.CharField()
    datatype = serializers.CharField()
    unit = serializers.CharField(allow_null=True)
    ucd = serializers.CharField(allow_null=True)
    description = serializers.CharField()


class TableOut(Body):
    """A table."""

    name = serializers.CharField()
    description = serializers.CharField()
    columns = ColumnOut(many=True)


class TablesOut(Body):
    """The tables that queries may read."""

    version = serializers.CharField()
    tables = TableOut(many=True)


class AccountOut(Body):
    """Who asks, and what they may."""

    username = serializers.CharField(allow_null=True)
    limits = serializers.DictField()
    scopes = serializers.ListField(child=serializers.CharField())


class TokenIn(Body):
    """A new token."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), required=False)
    expires = serializers.DateTimeField(required=False, allow_null=True)


class TokenOut(serializers.ModelSerializer[ApiToken]):
    """A token, of which only the beginning is known."""

    class Meta:
        model = ApiToken
        fields: ClassVar[list[str]] = ["id", "name", "beginning", "scopes", "created", "expires", "used"]


class NewTokenOut(TokenOut):
    """A token, with its text: it is shown this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenOut.Meta):
        fields: ClassVar[list[str]] = [*TokenOut.Meta.fields, "token"]


class CollaborationOut(serializers.ModelSerializer[Collaboration]):
    """A collaboration."""

    class Meta:
        model = Collaboration
        fields: ClassVar[list[str]] = ["id", "name", "slug", "description", "listed", "created"]


class CollaborationIn(Body):
    """A new collaboration."""

    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True, default="")
    listed = serializers.BooleanField(required=False, default=False)


class MemberOut(serializers.ModelSerializer[Membership]):
    """A member of a collaboration."""

    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields: ClassVar[list[str]] = ["username", "role", "since"]


class MemberIn(Body):
    """What a member may do."""

    role = serializers.ChoiceField(Role.choices)


class StatusView(APIView):
    """The state of the archive."""

    @described(response=StatusOut, summary="What the archive holds")
    def get(self, request: Request) -> Response:
        found = archive().status()
        sizes = [
            {"name": name, "rows": found.tables[name].rows}
            for name in PUBLIC.relations
            if name in found.tables
        ]
        return Response(
            {
                # Of hits, rows of private lists would be counted too.
                "tables": [size for size in sizes if not str(size["name"]).endswith(("_hits", "_events"))],
                "bytes": found.database_bytes + found.pack_bytes,
                "newestSourceMjdTai": found.newestSourceMjdTai,
                "newestAlertMjdTai": found.newestAlertMjdTai,
            }
        )


class TablesView(APIView):
    """The tables that queries may read."""

    @described(response=TablesOut, summary="The tables that queries may read")
    def get(self, request: Request) -> Response:
        return Response(
            {"version": version, "tables": [_table(name) for name in TABLES if name in PUBLIC.relations]}
        )


class TableView(APIView):
    """A table."""

    @described(response=TableOut, summary="A table that queries may read")
    def get(self, request: Request, name: str) -> Response:
        try:
            table(name)
        except SchemaError as error:
            raise NotFound(str(error)) from None
        if name not in PUBLIC.relations:
            raise NotFound(f"there is no table {name}")
        return Response(_table(name))


class AccountView(APIView):
    """Who asks."""

    @described(response=AccountOut, summary="Who you are, and what you may")
    def get(self, request: Request) -> Response:
        limits = limits_of(request.user)
        scopes = request.auth.scopes if isinstance(request.auth, ApiToken) else list(Scope.values)
        return Response(
            {
                "username": request.user.username or None,
                "limits": {
                    "class": limits.name,
                    "requests_an_hour": limits.requests,
                    "rows": limits.rows,
                    "seconds": limits.seconds,
                },
                "scopes": scopes if request.user.is_authenticated else [Scope.READ],
            }
        )


class TokensView(APIView):
    """One's tokens."""

    permission_classes: ClassVar[list[Any]] = [Session]  # type: ignore[misc]  # an instance's in the stubs

    @described(response=paged(TokenOut), summary="Your tokens", parameters=PAGING)
    def get(self, request: Request) -> Response:
        return page(request, ApiToken.objects.filter(user=person(request)), TokenOut)

    @described(TokenIn, NewTokenOut, status=201, summary="Make a token")
    def post(self, request: Request) -> Response:
        given = checked(TokenIn, request)
        scopes = sorted(given.get("scopes") or Scope.values)
        made, text = tokens.create(person(request), given["name"], scopes, given.get("expires"))
        return Response({**TokenOut(made).data, "token": text}, 201)


class TokenView(APIView):
    """A token."""

    permission_classes: ClassVar[list[Any]] = [Session]  # type: ignore[misc]  # an instance's in the stubs

    @described(status=204, summary="End a token")
    def delete(self, request: Request, token_id: int) -> Response:
        tokens.remove(person(request), token_id)
        return Response(status=204)


class RotateView(APIView):
    """A token with a new text."""

    permission_classes: ClassVar[list[Any]] = [Session]  # type: ignore[misc]  # an instance's in the stubs

    @described(response=NewTokenOut, summary="Give a token a new text; the old one ends")
    def post(self, request: Request, token_id: int) -> Response:
        made, text = tokens.rotate(person(request), token_id)
        return Response({**TokenOut(made).data, "token": text})


class CollaborationsView(APIView):
    """Collaborations."""

    @described(
        response=paged(CollaborationOut), summary="The collaborations you may know of", parameters=PAGING
    )
    def get(self, request: Request) -> Response:
        return page(request, Collaboration.objects.visible_to(request.user), CollaborationOut)

    @described(CollaborationIn, CollaborationOut, status=201, summary="Found a collaboration")
    def post(self, request: Request) -> Response:
        given = checked(CollaborationIn, request)
        made = accounts.create_collaboration(
            person(request), given["name"], given["description"], listed=given["listed"]
        )
        return Response(CollaborationOut(made).data, 201)


class MembersView(APIView):
    """The members of a collaboration: only they see who they are."""

    permission_classes: ClassVar[list[Any]] = [LoggedIn]  # type: ignore[misc]  # an instance's in the stubs

    @described(
        response=paged(MemberOut), summary="The members of a collaboration of yours", parameters=PAGING
    )
    def get(self, request: Request, slug: str) -> Response:
        user = person(request)
        found = Collaboration.objects.visible_to(user).filter(slug=slug)
        if not user.is_superuser:
            found = found.filter(memberships__user=user)
        mine = found.first()
        if mine is None:
            raise NotFound(f"you are not a member of a collaboration {slug}")
        return page(request, mine.memberships.select_related("user"), MemberOut)


class MemberView(APIView):
    """A member of a collaboration."""

    @described(MemberIn, MemberOut, summary="Admit a member, or change a member's role")
    def put(self, request: Request, slug: str, username: str) -> Response:
        role = checked(MemberIn, request)["role"]
        return Response(MemberOut(accounts.set_member(person(request), slug, username, role)).data)

    @described(status=204, summary="Remove a member")
    def delete(self, request: Request, slug: str, username: str) -> Response:
        accounts.remove_member(person(request), slug, username)
        return Response(status=204)


class NothingView(APIView):
    """What is at no address."""

    schema = None
    permission_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # an instance's in the stubs

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NoRoute("there is nothing at this address; /api/v1/schema/ describes what there is")


def _table(name: str) -> dict[str, Any]:
    found = table(name)
    columns = [
        {name: getattr(column, name) for name in ("name", "datatype", "unit", "ucd", "description")}
        for column in found.columns
    ]
    return {"name": found.name, "description": found.description, "columns": columns}
