"""The addresses of the pages, an area each."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("lasair_broker.web.site.front.urls")),
]
