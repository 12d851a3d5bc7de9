from __future__ import annotations

from django.apps import AppConfig


class WatchlistsConfig(AppConfig):
    """Watchlists and their magnitude triggers."""

    name = "lasair_broker.web.watchlists"
    label = "watchlists"
