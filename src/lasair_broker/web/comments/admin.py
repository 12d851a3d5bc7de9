"""Comments in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.comments.models import Comment


@admin.register(Comment)
class CommentAdmin(ModelAdmin[Comment]):
    """Comments."""

    list_display = ("diaObjectId", "owner", "visibility", "collaboration", "created", "deleted")
    list_filter = ("visibility",)
    list_select_related = ("owner", "collaboration")
    search_fields = ("diaObjectId", "owner__username", "text")
    readonly_fields = ("diaObjectId", "edited", "deleted", "created", "modified")
    raw_id_fields = ("owner", "collaboration")
