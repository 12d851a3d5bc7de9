from __future__ import annotations

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    """What is known of the delivery of hits."""

    name = "lasair_broker.web.delivery"
    label = "delivery"
