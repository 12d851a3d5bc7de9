"""Watchmaps: regions of the sky that somebody watches."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from lasair_broker.web.sharing import SharedQuerySet
from lasair_broker.web.trash import Kept, Removable


class WatchmapQuerySet(SharedQuerySet["Watchmap"]):
    """Watchmaps, narrowed to what a user may see or change."""

    def running(self) -> WatchmapQuerySet:
        """Those matched on the stream."""
        return self.filter(active=True, owner__is_active=True)


_EveryWatchmap = models.Manager.from_queryset(WatchmapQuerySet)


class WatchmapManager(Kept, _EveryWatchmap["Watchmap"]):
    """Those that are not removed; `Watchmap.everything` has the others, too."""


class Watchmap(Removable):
    """A region of the sky as a MOC."""

    class Origin(models.TextChoices):
        """What it was made from."""

        FILE = "file", "a MOC file"
        CIRCLE = "circle", "a circle"
        POLYGON = "polygon", "a polygon"
        FIELDS = "fields", "a list of fields"

    class Match(models.TextChoices):
        """How far its match against the archive has come."""

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=4096)
    active = models.BooleanField(default=True, help_text="Matched on the stream.")
    moc = models.BinaryField(editable=False, help_text="FITS.")
    order = models.PositiveSmallIntegerField(editable=False)
    area_deg2 = models.FloatField(editable=False, help_text="Square degrees.")
    origin = models.CharField(max_length=7, choices=Origin, editable=False)
    definition = models.JSONField(default=dict, editable=False, help_text="What it was drawn from.")
    revision = models.PositiveBigIntegerField(default=1, editable=False)
    match = models.CharField(max_length=7, choices=Match, default=Match.WAITING, editable=False)
    match_done = models.PositiveBigIntegerField(default=0, editable=False)
    match_total = models.PositiveBigIntegerField(default=0, editable=False)
    match_hits = models.PositiveBigIntegerField(default=0, editable=False)
    match_message = models.TextField(blank=True, editable=False)

    objects: ClassVar[WatchmapQuerySet] = WatchmapManager()  # type: ignore[assignment]
    everything: ClassVar[WatchmapQuerySet] = WatchmapQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(deleted=None), name="watchmaps_watchmap_name_once"
            ),
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="watchmaps_watchmap_private_is_alone",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MatchedWatchmap(models.Model):
    """A map of which the archive holds hits, or may; it stays when the map goes, until they have gone."""

    ar_id = models.BigIntegerField(primary_key=True)
    revision = models.PositiveBigIntegerField(help_text="Of the map that the hits are of; 0: not known.")

    def __str__(self) -> str:
        return f"watchmap {self.ar_id}, revision {self.revision}"
