"""The icon that browsers show in their tabs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(request: HttpRequest) -> HttpResponse:
    """A picture that needs nothing built."""
    return HttpResponse(render_to_string("site/common/favicon.svg"), content_type="image/svg+xml")
