from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Pages, their templates and what is built of their scripts."""

    name = "lasair_broker.web.site"
    label = "pages"
