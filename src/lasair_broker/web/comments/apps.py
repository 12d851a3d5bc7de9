from __future__ import annotations

from django.apps import AppConfig


class CommentsConfig(AppConfig):
    """Comments: what people write about objects."""

    name = "lasair_broker.web.comments"
    label = "comments"
