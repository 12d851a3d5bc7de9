"""Background and saved queries in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.queries.models import Job, SavedQuery


@admin.register(Job)
class JobAdmin(ModelAdmin[Job]):
    """Background queries: what they ask and found stays their owners'."""

    list_display = ("pk", "owner", "phase", "created", "started", "ended", "rows", "bytes")
    list_filter = ("phase",)
    list_select_related = ("owner",)
    search_fields = ("owner__username",)
    fields = ("owner", "phase", "attempts", "created", "started", "ended", "expires", "rows", "bytes")
    readonly_fields = fields


@admin.register(SavedQuery)
class SavedQueryAdmin(ModelAdmin[SavedQuery]):
    """Saved queries."""

    list_display = ("name", "owner", "visibility", "collaboration", "modified")
    list_filter = ("visibility",)
    list_select_related = ("owner", "collaboration")
    search_fields = ("name", "owner__username")
    raw_id_fields = ("owner", "collaboration")
