from __future__ import annotations

from django.apps import AppConfig


class TagsConfig(AppConfig):
    """The words under which users keep objects."""

    name = "lasair_broker.web.tags"
    label = "tags"
