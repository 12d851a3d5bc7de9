"""Deliveries in the admin site."""

from __future__ import annotations

from django.contrib import admin

from lasair_broker.web._admin import ModelAdmin
from lasair_broker.web.delivery.models import DeadLetter, Delivery, OutputState, Redelivery


@admin.register(OutputState)
class OutputStateAdmin(ModelAdmin[OutputState]):
    """How outputs fare."""

    list_display = ("output", "failures", "next_attempt", "held_back", "delivered_to")
    list_select_related = ("output__filter",)


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin[Delivery]):
    """The delivery log."""

    list_display = ("output", "at", "result", "hits", "seconds", "message")
    list_select_related = ("output__filter",)
    list_filter = ("result",)


@admin.register(DeadLetter)
class DeadLetterAdmin(ModelAdmin[DeadLetter]):
    """Hits that were given up."""

    list_display = ("output", "hit", "at", "attempts", "message", "sent_again")
    list_select_related = ("output__filter",)


@admin.register(Redelivery)
class RedeliveryAdmin(ModelAdmin[Redelivery]):
    """Hits that were asked for again."""

    list_display = ("output", "since_mjd", "until_mjd", "by", "asked", "hits", "done")
    list_select_related = ("output__filter", "by")
