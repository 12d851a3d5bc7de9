"""Annotators in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.annotators.models import Annotator


@admin.register(Annotator)
class AnnotatorAdmin(ModelAdmin[Annotator]):
    """Annotators and who may speak under them."""

    list_display = ("topic", "owner", "kind", "visibility", "collaboration", "active", "modified")
    list_filter = ("visibility", "active", "kind")
    list_select_related = ("owner", "collaboration")
    search_fields = ("topic", "owner__username")
    raw_id_fields = ("owner", "collaboration")
    filter_horizontal = ("writers",)
