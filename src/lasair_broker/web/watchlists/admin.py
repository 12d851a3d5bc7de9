"""Watchlists in the admin site."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin, StackedInline, TabularInline
from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger, WatchlistVersion


class VersionInline(TabularInline[WatchlistVersion, Watchlist]):
    """The versions of a list, to look at."""

    model = WatchlistVersion
    fields = readonly_fields = (
        "number",
        "created",
        "author",
        "source_name",
        "row_count",
        "match",
        "match_done",
    )
    extra = 0
    can_delete = False

    def has_add_permission(self, *_: object) -> bool:
        return False


class TriggerInline(StackedInline[WatchlistTrigger, Watchlist]):
    """The magnitude triggers of a list."""

    model = WatchlistTrigger
    extra = 0


@admin.register(Watchlist)
class WatchlistAdmin(ModelAdmin[Watchlist]):
    """Watchlists with their versions and triggers."""

    list_display = ("name", "owner", "visibility", "collaboration", "active", "current", "modified")
    list_filter = ("visibility", "active")
    list_select_related = ("owner", "collaboration", "current__watchlist")
    search_fields = ("name", "owner__username")
    readonly_fields = ("current", "next_cone_id", "revision", "copied_from", "created", "modified")
    raw_id_fields = ("owner", "collaboration")
    inlines: ClassVar = [VersionInline, TriggerInline]
