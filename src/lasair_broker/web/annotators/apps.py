from __future__ import annotations

from django.apps import AppConfig


class AnnotatorsConfig(AppConfig):
    """Annotators: the topics under which people and programs speak of objects."""

    name = "lasair_broker.web.annotators"
    label = "annotators"
