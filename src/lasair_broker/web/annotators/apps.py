from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete


class AnnotatorsConfig(AppConfig):
    """Annotators: the topics under which people and programs speak of objects."""

    name = "lasair_broker.web.annotators"
    label = "annotators"

    def ready(self) -> None:
        post_delete.connect(_retire, sender="annotators.Annotator", dispatch_uid="retire the topic")


def _retire(sender: Any, instance: Any, **_: Any) -> None:
    """Keep the topic of an annotator that is deleted, with its owner's account say, from anybody else."""
    from lasair_broker.web.annotators.models import RetiredTopic

    RetiredTopic.objects.get_or_create(topic=instance.topic)
