"""Addresses of the pages of catalogues and events."""

from __future__ import annotations

from django.urls import path

from lasair_broker.web.api.v1 import urls as _  # noqa: F401  # which registers `name`
from lasair_broker.web.site.sky import catalogues, events

app_name = "sky"

urlpatterns = [
    path("catalogues/", catalogues.index, name="catalogues"),
    path("catalogues/<name:name>/", catalogues.page, name="catalogue"),
    path("events/", events.index, name="events"),
    path("events/<name:origin>/<name:event>/", events.page, name="event"),
]
