"""Annotators, and speaking under them."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.query import parse
from lasair_broker.web.annotators import inbox, services
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.api.description import described, described_table, parameter
from lasair_broker.web.api.formats import answer_table, asked_format, rows
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import (
    MOST_IN_PAGE,
    PAGING,
    Body,
    RowsPage,
    Share,
    checked,
    collaboration_named,
    next_page,
    number,
    page,
    paged,
    person,
)
from lasair_broker.web.archive import archive, ask
from lasair_broker.web.catalogue import catalogue_for


class AnnotatorOut(serializers.ModelSerializer[Annotator]):
    """An annotator."""

    owner = serializers.CharField(source="owner.username")
    url = serializers.CharField(allow_blank=True)
    collaboration = serializers.CharField(source="collaboration.slug", default=None, allow_null=True)

    class Meta:
        model = Annotator
        fields: ClassVar[list[str]] = [
            "id", "topic", "kind", "description", "url", "active", "owner", "visibility", "collaboration",
            "created", "modified",
        ]  # fmt: skip


class AnnotatorChange(Body):
    """What can be set of an annotator."""

    kind = serializers.ChoiceField(Annotator.Kind.choices, required=False)
    description = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    url = serializers.URLField(max_length=500, required=False, allow_blank=True)
    active = serializers.BooleanField(required=False)


class AnnotatorIn(AnnotatorChange):
    """A new annotator."""

    topic = serializers.RegexField(r"^[A-Za-z][A-Za-z0-9_]*$", max_length=255)


class Writers(Body):
    """Who may speak under a topic, besides its owner."""

    writers = serializers.ListField(child=serializers.CharField(max_length=64), max_length=1000)


class Annotations(Body):
    """What is said of objects."""

    annotations = serializers.ListField(
        child=serializers.DictField(),
        min_length=1,
        max_length=inbox.MOST_ROWS,
        help_text=f"diaObjectId and classification of each; also {', '.join(list(inbox.FIELDS)[1:])}.",
    )


class Numbers(Body):
    """The numbers that annotations got."""

    first = serializers.IntegerField()
    count = serializers.IntegerField()


class AnnotatorsView(APIView):
    """Annotators."""

    @described(response=paged(AnnotatorOut), summary="The annotators that you see", parameters=PAGING)
    def get(self, request: Request) -> Response:
        seen = Annotator.objects.visible_to(request.user).select_related("owner", "collaboration")
        return page(request, seen, AnnotatorOut)

    @described(AnnotatorIn, AnnotatorOut, status=201, summary="Make an annotator")
    def post(self, request: Request) -> Response:
        given = checked(AnnotatorIn, request)
        return Response(AnnotatorOut(services.create(person(request), given.pop("topic"), **given)).data, 201)


class AnnotatorView(APIView):
    """An annotator."""

    @described(response=AnnotatorOut, summary="An annotator")
    def get(self, request: Request, topic: str) -> Response:
        return Response(AnnotatorOut(services.get(request.user, topic)).data)

    @described(AnnotatorChange, AnnotatorOut, summary="Change an annotator")
    def patch(self, request: Request, topic: str) -> Response:
        made = services.describe(person(request), topic, **checked(AnnotatorChange, request))
        return Response(AnnotatorOut(made).data)

    @described(status=204, summary="Remove an annotator; its topic stays taken")
    def delete(self, request: Request, topic: str) -> Response:
        services.remove(person(request), topic)
        return Response(status=204)


class WritersView(APIView):
    """Who may speak."""

    @described(Writers, AnnotatorOut, summary="Say who may speak under a topic")
    def put(self, request: Request, topic: str) -> Response:
        made = services.set_writers(person(request), topic, checked(Writers, request)["writers"])
        return Response(AnnotatorOut(made).data)


class AnnotatorShareView(APIView):
    """With whom an annotator is shared."""

    @described(Share, AnnotatorOut, summary="Share an annotator")
    def post(self, request: Request, topic: str) -> Response:
        given, user = checked(Share, request), person(request)
        services.get(user, topic)
        collaboration = collaboration_named(user, given.get("collaboration"))
        return Response(AnnotatorOut(services.share(user, topic, given["visibility"], collaboration)).data)


class AnnotationsView(APIView):
    """What is said under a topic."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ANNOTATE}

    @described_table(
        response=RowsPage,
        summary="What was said under a topic, newest first: a page as JSON, or all in another format",
        parameters=[parameter("limit", int, f"1 to {MOST_IN_PAGE}."), parameter("after", int, "See `next`.")],
    )
    def get(self, request: Request, topic: str) -> HttpResponseBase:
        found = services.get(request.user, topic)
        if asked_format(request) != "json":
            text = f"SELECT * FROM annotations WHERE topic = '{found.topic}' ORDER BY annotationID"  # noqa: S608 - our own language, which is parsed; a topic is a word
            whole, more = ask(request.user, parse(text, catalogue_for(request.user)))
            return answer_table(request, whole, found.topic, more=more)
        limit = number(request, "limit", 100, 1, MOST_IN_PAGE)
        before = number(request, "after", 2**62, 0, 2**62)
        text = (
            f"SELECT TOP {limit} * FROM annotations WHERE topic = '{found.topic}' "  # noqa: S608 - our own language, which is parsed; a topic is a word
            f"AND annotationID < {before} ORDER BY annotationID DESC"
        )
        said, _ = ask(request.user, parse(text, catalogue_for(request.user)))
        last = said["annotationID"][-1].as_py() if said.num_rows == limit else None
        return Response({"results": rows(said), "next": next_page(request, last)})

    @described(Annotations, Numbers, status=201, summary="Say something of objects: all is taken, or nothing")
    def post(self, request: Request, topic: str) -> Response:
        given = checked(Annotations, request)["annotations"]
        numbers = services.push(person(request), topic, given, archive())
        return Response({"first": numbers.start, "count": len(numbers)}, 201)
