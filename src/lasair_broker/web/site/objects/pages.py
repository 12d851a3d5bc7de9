"""The page itself: what is there before the panels are fetched."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from lasair_broker.packets import BANDS
from lasair_broker.web.accounts.models import User
from lasair_broker.web.objects.following import followed
from lasair_broker.web.objects.head import head_of
from lasair_broker.web.site.objects.snippets import snippets
from lasair_broker.web.site.objects.tagging import tags_of

PANELS = (
    ("context", "Surroundings"),
    ("classes", "Classes"),
    ("detections", "Detections"),
    ("annotations", "Annotations"),
    ("comments", "Comments"),
    ("hits", "Lists, maps and events"),
    ("filters", "Filters"),
    ("points", "Your photometry"),
    ("services", "Photometry of other surveys"),
    ("send", "Send it to a TOM or SkyPortal"),
    ("observability", "Observing it tonight"),
    ("neighbours", "Neighbours"),
    ("similar", "Similar objects"),
    ("features", "Features"),
    ("provenance", "Where it comes from"),
)
"""The panels below the light curve, in their order."""


_SHOWS = (
    ("detections", "Detections", True),
    ("forced", "Forced", False),
    ("limits", "Limits", False),
    ("errors", "Errors", True),
    ("fits", "Fits", False),
    ("partners", "Other surveys", True),
    ("users", "Added by users", True),
)
_TABLES = (
    ("diaSources", "Detections"),
    ("diaForcedSources", "Forced photometry"),
    ("diaNondetectionLimits", "Limits"),
    ("points", "Added by users"),
)
FORMATS = (("csv", "CSV"), ("json", "JSON"), ("votable", "VOTable"), ("fits", "FITS"), ("parquet", "Parquet"))
"""Endings of downloads, and what they are called."""


@require_safe
def page(request: HttpRequest, key: str) -> HttpResponse:
    """An object, by number or name."""
    head = head_of(key)
    context: dict[str, Any] = {
        "head": head,
        "key": head.name,
        "panels": PANELS,
        "bands": BANDS,
        "shows": _SHOWS,
        "tables": _TABLES,
        "formats": FORMATS,
        "snippets": snippets(head, f"{request.scheme}://{request.get_host()}"),
        **tags_of(request, head.row["diaObjectId"]),
        "follows": isinstance(request.user, User)
        and followed(request.user, head.row["diaObjectId"]) is not None,
    }
    return render(request, "site/objects/object.html", context)


@require_safe
def moved(request: HttpRequest, key: str) -> HttpResponse:
    """Today's other address of the page."""
    return redirect("objects:object", key=key, permanent=True)
