from __future__ import annotations

from django.apps import AppConfig


class FiltersConfig(AppConfig):
    """Filters: saved queries that run on the stream."""

    name = "lasair_broker.web.filters"
    label = "filters"
