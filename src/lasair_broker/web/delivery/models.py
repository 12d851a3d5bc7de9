"""What is known of the delivery of hits: how each output fares. The hits themselves are the archive's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models

from lasair_broker.web.filters.models import FilterOutput
from lasair_broker.web.sharing import edited_by

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


class OutputState(models.Model):
    """How an output fares: what it has had, whether it fails, when it is tried again."""

    output = models.OneToOneField(FilterOutput, models.CASCADE, primary_key=True, related_name="state")
    delivered_to = models.FloatField(
        null=True, help_text="Hits committed until then (MJD TAI) are delivered or dead."
    )
    last_hit = models.CharField(max_length=64, blank=True, help_text="The last hitId of that instant.")
    failures = models.PositiveIntegerField(default=0, help_text="Attempts in a row that failed.")
    next_attempt = models.DateTimeField(null=True, help_text="Not before.")
    window_began = models.DateTimeField(null=True, help_text="Of the hour that is counted for the limit.")
    window_count = models.PositiveIntegerField(default=0)
    held_back = models.PositiveIntegerField(default=0, help_text="Hits beyond the limit, for the summary.")
    digest_sent = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=200, blank=True, help_text="The worker that is at it.")
    lease_until = models.DateTimeField(null=True, help_text="If not prolonged.")

    def __str__(self) -> str:
        return f"{self.output}: {self.failures} failures" if self.failures else f"{self.output}: well"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """The log, narrowed to the outputs of a user's own filters."""

    def visible_to(self, user: User | AnonymousUser | None) -> DeliveryQuerySet:
        """Attempts of outputs the user may change."""
        return self.filter(edited_by(user, "output__filter__"))


class Delivery(models.Model):
    """One attempt to deliver some hits to an output: the delivery log."""

    class Result(models.TextChoices):
        """How it ended."""

        DELIVERED = "delivered", "delivered"
        AGAIN = "again", "delivered again, as asked"
        FAILED = "failed", "failed, to be tried again"
        DEAD = "dead", "given up"
        SUMMED_UP = "summed up", "more than the limit, summed up"
        TEST = "test", "a test"

    output = models.ForeignKey(FilterOutput, models.CASCADE, related_name="deliveries")
    at = models.DateTimeField()
    result = models.CharField(max_length=9, choices=Result)
    hits = models.PositiveIntegerField()
    first_hit = models.CharField(max_length=64, blank=True)
    last_hit = models.CharField(max_length=64, blank=True)
    seconds = models.FloatField()
    message = models.TextField(blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [models.Index(fields=["output", "-at"], name="delivery_log_of_output")]

    def __str__(self) -> str:
        return f"{self.hits} hits {self.result} at {self.at:%Y-%m-%d %H:%M:%S}"


class DeadLetter(models.Model):
    """A hit that could not be delivered to an output, kept so that it can be sent again."""

    output = models.ForeignKey(FilterOutput, models.CASCADE, related_name="dead_letters")
    hit = models.CharField(max_length=64)
    committed_mjd = models.FloatField(help_text="When the hit was found, MJD TAI.")
    at = models.DateTimeField()
    attempts = models.PositiveIntegerField()
    message = models.TextField()
    sent_again = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["output", "hit"], name="delivery_dead_letter_once")
        ]

    def __str__(self) -> str:
        return f"{self.hit} for {self.output}"


class Redelivery(models.Model):
    """A user's wish to have an output's hits of some time again."""

    output = models.ForeignKey(FilterOutput, models.CASCADE, related_name="redeliveries")
    since_mjd = models.FloatField(help_text="MJD TAI.")
    until_mjd = models.FloatField(help_text="MJD TAI.")
    only = models.JSONField(null=True, help_text="Just these hits.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked = models.DateTimeField(auto_now_add=True)
    reached_mjd = models.FloatField(null=True, help_text="How far it has come, MJD TAI.")
    reached_hit = models.CharField(max_length=64, blank=True)
    done = models.DateTimeField(null=True)
    hits = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"{self.output} from MJD {self.since_mjd:.5f}"
