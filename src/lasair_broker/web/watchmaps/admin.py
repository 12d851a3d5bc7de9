"""Watchmaps in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.watchmaps.models import Watchmap


@admin.register(Watchmap)
class WatchmapAdmin(ModelAdmin[Watchmap]):
    """Watchmaps; the region itself is not edited here."""

    list_display = (
        "name",
        "owner",
        "visibility",
        "collaboration",
        "active",
        "area_deg2",
        "match",
        "modified",
    )
    list_filter = ("visibility", "active", "origin")
    list_select_related = ("owner", "collaboration")
    search_fields = ("name", "owner__username")
    readonly_fields = ("origin", "order", "area_deg2", "revision", "match", "created", "modified")
    raw_id_fields = ("owner", "collaboration")
