"""Comments on objects."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.web.api.description import described
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import (
    PAGING,
    Body,
    Share,
    checked,
    collaboration_named,
    page,
    paged,
    person,
)
from lasair_broker.web.api.v1.objects import number_of
from lasair_broker.web.comments import services
from lasair_broker.web.comments.models import Comment
from lasair_broker.web.sharing import Visibility


class CommentOut(serializers.ModelSerializer[Comment]):
    """A comment."""

    diaObjectId = serializers.CharField(help_text="A number, as text.")
    owner = serializers.CharField(source="owner.username")
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)

    class Meta:
        model = Comment
        fields: ClassVar[list[str]] = [
            "id", "diaObjectId", "text", "period", "owner", "visibility", "collaboration", "created",
            "edited",
        ]  # fmt: skip


class CommentText(Body):
    """What is said."""

    text = serializers.CharField(max_length=4096, help_text="Plain text.")


class CommentIn(CommentText):
    """A new comment."""

    period = serializers.FloatField(
        required=False, allow_null=True, help_text="Days on which the light curve folds, to be kept with it."
    )
    visibility = serializers.ChoiceField(Visibility.choices, required=False, default=Visibility.PRIVATE)
    collaboration = serializers.SlugField(required=False, allow_null=True, help_text="Of visibility group.")


class ObjectCommentsView(APIView):
    """The comments on an object."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}

    @described(
        response=paged(CommentOut), summary="The comments on an object that you see", parameters=PAGING
    )
    def get(self, request: Request, key: str) -> Response:
        return page(request, services.of_object(request.user, number_of(key)), CommentOut)

    @described(CommentIn, CommentOut, status=201, summary="Comment on an object")
    def post(self, request: Request, key: str) -> Response:
        user, given = person(request), checked(CommentIn, request)
        collaboration = collaboration_named(user, given.get("collaboration"))
        made = services.add(
            user,
            number_of(key),
            given["text"],
            period=given.get("period"),
            visibility=given["visibility"],
            collaboration=collaboration,
        )
        return Response(CommentOut(made).data, 201)


class CommentsView(APIView):
    """Comments on any object."""

    @described(response=paged(CommentOut), summary="The comments that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = Comment.objects.visible_to(request.user).select_related("owner", "collaboration")
        return page(request, seen, CommentOut)


class CommentView(APIView):
    """A comment."""

    scopes: ClassVar[dict[str, Scope]] = {"PATCH": Scope.ANNOTATE, "DELETE": Scope.ANNOTATE}

    @described(response=CommentOut, summary="A comment")
    def get(self, request: Request, comment_id: int) -> Response:
        return Response(CommentOut(services.get(request.user, comment_id)).data)

    @described(CommentText, CommentOut, summary="Change what your comment says")
    def patch(self, request: Request, comment_id: int) -> Response:
        user = person(request)
        services.edit(user, comment_id, checked(CommentText, request)["text"])
        return Response(CommentOut(services.get(user, comment_id)).data)

    @described(status=204, summary="Remove your comment; for some weeks it can be had back")
    def delete(self, request: Request, comment_id: int) -> Response:
        services.remove(person(request), comment_id)
        return Response(status=204)


class CommentRestoreView(APIView):
    """A removed comment again."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}

    @described(response=CommentOut, summary="Bring back a comment that you removed")
    def post(self, request: Request, comment_id: int) -> Response:
        return Response(CommentOut(services.restore(person(request), comment_id)).data)


class CommentShareView(APIView):
    """With whom a comment is shared."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}

    @described(Share, CommentOut, summary="Share your comment")
    def post(self, request: Request, comment_id: int) -> Response:
        given, user = checked(Share, request), person(request)
        services.get(user, comment_id)
        collaboration = collaboration_named(user, given.get("collaboration"))
        services.share(user, comment_id, given["visibility"], collaboration)
        return Response(CommentOut(services.get(user, comment_id)).data)
