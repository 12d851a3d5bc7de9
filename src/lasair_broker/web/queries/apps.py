from __future__ import annotations

from django.apps import AppConfig


class QueriesConfig(AppConfig):
    """Queries that run in the background, and saved ones."""

    name = "lasair_broker.web.queries"
    label = "queries"
