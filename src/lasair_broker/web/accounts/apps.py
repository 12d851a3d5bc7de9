from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their collaborations."""

    name = "lasair_broker.web.accounts"
    label = "accounts"
