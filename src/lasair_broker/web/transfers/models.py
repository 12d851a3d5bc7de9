"""Transfers, in the background: photometry fetched from a survey's service, objects sent to other systems."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.queries.models import UNDER_WAY, BackgroundQuerySet, Phase
from lasair_broker.web.sharing import OwnQuerySet


class Kind(models.TextChoices):
    """What a transfer does."""

    FETCH = "fetch", "photometry is fetched"
    SEND = "send", "an object is sent"
    TEST = "test", "a destination is tried"


class DestinationQuerySet(OwnQuerySet["Destination"]):
    """Destinations, narrowed to a user's own."""


class Destination(models.Model):
    """A system of others to which its owner sends objects."""

    class System(models.TextChoices):
        """What it is."""

        SKYPORTAL = "skyportal", "SkyPortal"
        TOM = "tom", "TOM (TOM Toolkit)"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="destinations")
    name = models.CharField(max_length=100)
    system = models.CharField(max_length=9, choices=System)
    address = models.CharField(max_length=300)
    token = models.TextField(editable=False, help_text="Encrypted (`sealing`); it is shown to nobody.")
    created = models.DateTimeField(auto_now_add=True)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="transfers_destination_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class TransferQuerySet(BackgroundQuerySet["Transfer"]):
    """Transfers, narrowed to a user's own."""


class Transfer(models.Model):
    """Something that a user has fetched from another server, or sent to one, and what came of it.

    It goes in steps, each with one or a few requests: between them it waits in the line again (`QUEUED`).
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="transfers")
    kind = models.CharField(max_length=5, choices=Kind)
    subject = models.CharField(max_length=32, help_text="The name of the service, or the kind of system.")
    destination = models.ForeignKey(
        Destination, models.SET_NULL, null=True, editable=False, related_name="transfers"
    )
    diaObjectId = models.BigIntegerField(null=True)  # as Rubin spells it
    phase = models.CharField(max_length=9, choices=Phase, default=Phase.QUEUED)
    cancel = models.BooleanField(default=False, help_text="Its owner wants it stopped.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often a step was lost.")
    progress = models.CharField(max_length=200, blank=True, help_text="What it does, for its owner.")
    state = models.JSONField(default=dict, editable=False, help_text="What the next step has to know.")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, editable=False)
    alive = models.DateTimeField(null=True, editable=False, help_text="When the last step began.")
    ended = models.DateTimeField(null=True, editable=False)
    count = models.PositiveIntegerField(
        null=True, editable=False, help_text="Points that were brought or sent."
    )
    left_out = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Points that the service marks as bad, or that the system cannot have.",
    )
    photometry = models.ForeignKey(
        PhotometrySet, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    link = models.CharField(max_length=1000, blank=True, editable=False, help_text="The object's page there.")
    error = models.TextField(blank=True)

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "diaObjectId", "-id"], name="transfers_of_owner"),
            models.Index(fields=["owner", "subject", "created"], name="transfers_lately"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.diaObjectId}"

    @property
    def under_way(self) -> bool:
        """Whether it waits or runs."""
        return self.phase in UNDER_WAY
