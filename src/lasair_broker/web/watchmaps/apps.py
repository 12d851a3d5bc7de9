from __future__ import annotations

from django.apps import AppConfig


class WatchmapsConfig(AppConfig):
    """Watchmaps: regions of the sky."""

    name = "lasair_broker.web.watchmaps"
    label = "watchmaps"
