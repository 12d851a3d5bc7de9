"""The words under which somebody keeps an object."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.api.v1.base import collaboration_named
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.tags import services
from lasair_broker.web.tags.models import Tag

_MOST_LABELS = 50


def tags_of(request: HttpRequest, diaObjectId: int) -> dict[str, Any]:
    """What the part of the page with the tags shows."""
    user = request.user
    if not isinstance(user, User):
        return {"tags": []}
    labels = Tag.objects.filter(owner=user).order_by("label").values_list("label", flat=True).distinct()
    return {
        "tags": services.of_object(user, diaObjectId),
        "labels": labels[:_MOST_LABELS],
        "groups": Collaboration.objects.filter(memberships__user=user).order_by("name"),
    }


@login_required
@require_POST
def tag(request: HttpRequest, key: str) -> HttpResponse:
    """Keep the object under a word."""
    user, number = cast(User, request.user), state_of(key, ("diaObjectId",))["diaObjectId"]
    group = collaboration_named(user, request.POST.get("collaboration") or None)
    services.keep(user, number, request.POST.get("label", ""), group)
    return _shown(request, key, number)


@login_required
@require_POST
def drop(request: HttpRequest, key: str, tag_id: int) -> HttpResponse:
    """Keep it under a word no longer."""
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    services.drop(cast(User, request.user), tag_id)
    return _shown(request, key, number)


def _shown(request: HttpRequest, key: str, diaObjectId: int) -> HttpResponse:
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect("objects:object", key=key)
    return render(request, "site/objects/_tags.html", {"key": key, **tags_of(request, diaObjectId)})
