from __future__ import annotations

from django.apps import AppConfig


class PhotometryConfig(AppConfig):
    """Photometry that users add to objects."""

    name = "lasair_broker.web.photometry"
    label = "photometry"
