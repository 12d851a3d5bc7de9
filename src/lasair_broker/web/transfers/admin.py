"""Transfers in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.transfers.models import Destination, Transfer


@admin.register(Transfer)
class TransferAdmin(ModelAdmin[Transfer]):
    """What was fetched and sent."""

    list_display = ("id", "owner", "kind", "subject", "phase", "created", "ended")
    list_filter = ("kind", "subject", "phase")
    list_select_related = ("owner",)
    search_fields = ("owner__username", "diaObjectId")
    exclude = ("state",)
    raw_id_fields = ("owner",)


@admin.register(Destination)
class DestinationAdmin(ModelAdmin[Destination]):
    """Where people send objects; tokens are not shown."""

    list_display = ("name", "owner", "system", "address", "created")
    list_filter = ("system",)
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "address")
    raw_id_fields = ("owner",)
