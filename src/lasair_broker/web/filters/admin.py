"""Filters in the admin site."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin, TabularInline
from lasair_broker.web.filters.models import (
    Filter,
    FilterFailure,
    FilterOutput,
    FilterStatistics,
    FilterVersion,
)


class VersionInline(TabularInline[FilterVersion, Filter]):
    """The versions of a filter, to look at: what ran must stay as it was."""

    model = FilterVersion
    fk_name = "filter"
    fields = readonly_fields = ("number", "state", "author", "created", "preview_fraction", "comment")
    extra = 0
    can_delete = False

    def has_add_permission(self, *_: object) -> bool:
        return False


class OutputInline(TabularInline[FilterOutput, Filter]):
    """The outputs of a filter; secrets are not shown."""

    model = FilterOutput
    fields = ("kind", "enabled", "light_curve", "format", "frequency", "recipient", "hourly_limit")
    raw_id_fields = ("recipient",)
    extra = 0


@admin.register(Filter)
class FilterAdmin(ModelAdmin[Filter]):
    """Filters with their versions and outputs."""

    list_display = (
        "name",
        "owner",
        "visibility",
        "collaboration",
        "active_version",
        "fork_count",
        "modified",
    )
    list_filter = ("visibility",)
    list_select_related = ("owner", "collaboration", "active_version__filter")
    search_fields = ("name", "owner__username", "topic")
    readonly_fields = ("topic", "active_version", "forked_from", "fork_count", "created", "modified")
    raw_id_fields = ("owner", "collaboration")
    inlines: ClassVar = [VersionInline, OutputInline]


@admin.register(FilterFailure)
class FilterFailureAdmin(ModelAdmin[FilterFailure]):
    """Errors of running filters."""

    list_display = ("version", "message", "count", "first", "last", "told", "resolved")
    list_select_related = ("version__filter",)
    list_filter = ("resolved",)


@admin.register(FilterStatistics)
class FilterStatisticsAdmin(ModelAdmin[FilterStatistics]):
    """What running filters cost and gave, by night: the dearest can be found by sorting."""

    list_display = ("version", "night", "batches", "alerts", "rows", "failures", "seconds", "longest")
    list_select_related = ("version__filter",)
    date_hierarchy = "night"
