"""Transfers: photometry fetched from a survey's service, in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models

from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.queries.models import UNDER_WAY, Phase

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


class Kind(models.TextChoices):
    """What a transfer does."""

    FETCH = "fetch", "photometry is fetched"


class TransferQuerySet(models.QuerySet["Transfer"]):
    """Transfers, narrowed to a user's own: nobody else sees them."""

    def visible_to(self, user: User | AnonymousUser | None) -> TransferQuerySet:
        """The user's own."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(owner=user)

    def under_way(self) -> TransferQuerySet:
        """Those that wait or run."""
        return self.filter(phase__in=UNDER_WAY)


class Transfer(models.Model):
    """Something that a user has fetched from another server, and what came of it.

    It goes in steps, each with one or a few requests: between them it waits in the line again (`QUEUED`).
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="transfers")
    kind = models.CharField(max_length=5, choices=Kind)
    subject = models.CharField(max_length=32, help_text="The name of the service.")
    diaObjectId = models.BigIntegerField()  # as Rubin spells it
    phase = models.CharField(max_length=9, choices=Phase, default=Phase.QUEUED)
    cancel = models.BooleanField(default=False, help_text="Its owner wants it stopped.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often a step was lost.")
    progress = models.CharField(max_length=200, blank=True, help_text="What it does, for its owner.")
    state = models.JSONField(default=dict, editable=False, help_text="What the next step has to know.")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, editable=False)
    alive = models.DateTimeField(null=True, editable=False, help_text="When the last step began.")
    ended = models.DateTimeField(null=True, editable=False)
    count = models.PositiveIntegerField(null=True, editable=False, help_text="Points that were brought.")
    left_out = models.PositiveIntegerField(
        default=0, editable=False, help_text="Points that the service itself marks as bad."
    )
    photometry = models.ForeignKey(
        PhotometrySet, models.SET_NULL, null=True, editable=False, related_name="+"
    )
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
