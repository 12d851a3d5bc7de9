"""Help: the tour, and the documents."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.about.documents import DOCUMENTS, document
from lasair_broker.web.site.about.tour import steps


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Where to begin."""
    return render(request, "site/about/help.html", {"documents": DOCUMENTS, "steps": steps()})


@require_safe
def one(request: HttpRequest, name: str) -> HttpResponse:
    """A document."""
    found = document(name)
    if found is None:
        raise NotFound(f"there is no document {name}")
    return render(
        request, "site/about/document.html", {"document": found, "documents": DOCUMENTS, "name": name}
    )
