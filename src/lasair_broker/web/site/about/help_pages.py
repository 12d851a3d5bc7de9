"""Help: the tour, and the documents."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.about.documents import DOCUMENTS, NOTEBOOKS, document
from lasair_broker.web.site.about.documents import notebook as notebook_of
from lasair_broker.web.site.about.tour import steps


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Where to begin."""
    context = {"documents": DOCUMENTS, "notebooks": NOTEBOOKS, "steps": steps()}
    return render(request, "site/about/help.html", context)


@require_safe
def one(request: HttpRequest, name: str) -> HttpResponse:
    """A document."""
    found = document(name)
    if found is None:
        raise NotFound(f"there is no document {name}")
    return render(
        request, "site/about/document.html", {"document": found, "documents": DOCUMENTS, "name": name}
    )


@require_safe
def notebook(request: HttpRequest, name: str) -> HttpResponse:
    """An example notebook, to be run at home."""
    found = notebook_of(name)
    if found is None:
        raise NotFound(f"there is no notebook {name}")
    return HttpResponse(
        found,
        content_type="application/x-ipynb+json",
        headers={"Content-Disposition": f'attachment; filename="{name}.ipynb"'},
    )
