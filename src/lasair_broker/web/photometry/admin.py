"""Photometry of users in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.photometry.models import PhotometrySet


@admin.register(PhotometrySet)
class PhotometrySetAdmin(ModelAdmin[PhotometrySet]):
    """Sets of points."""

    list_display = ("name", "owner", "visibility", "collaboration", "created", "deleted")
    list_filter = ("visibility",)
    list_select_related = ("owner", "collaboration")
    search_fields = ("name", "owner__username", "provenance")
    readonly_fields = ("deleted", "created", "modified")
    raw_id_fields = ("owner", "collaboration")
