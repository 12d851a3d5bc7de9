"""The front page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.web.archive import archive


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """What the archive holds."""
    status = archive().status()
    counts = {name: status.tables[name].rows for name in ("objects", "diaSources") if name in status.tables}
    return render(request, "site/front/front.html", {"counts": counts})
