"""The app's name for Django."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Tokens, and the views of the API."""

    name = "lasair_broker.web.api"
    label = "api"
