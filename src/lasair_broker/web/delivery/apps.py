from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    """What is known of the delivery of hits."""

    name = "lasair_broker.web.delivery"
    label = "delivery"

    def ready(self) -> None:
        from lasair_broker.web.filters.outputs import resumed

        resumed.connect(_begin_now, dispatch_uid="delivery.begin_now")


def _begin_now(output: Any, **more: Any) -> None:
    # With it comes the stream, which takes a second to import.
    from lasair_broker.web.delivery.services import begin_now

    begin_now(output)
