from __future__ import annotations

from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """What people have fetched from, or sent to, other servers."""

    name = "lasair_broker.web.transfers"
    label = "transfers"
