"""Queries that run in the background, and queries that are kept to be run again."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from lasair_broker.web.sharing import OwnQuerySet, SharedQuerySet
from lasair_broker.web.trash import Kept, Removable

BackgroundModel = TypeVar("BackgroundModel", bound=models.Model)


class QueryText(models.Model):
    """A query: either ADQL, or Lasair's triple of selected columns, tables and conditions."""

    adql = models.TextField(blank=True, max_length=65_536)
    selected = models.TextField(blank=True, max_length=16_384)
    tables = models.TextField(blank=True, max_length=4096)
    conditions = models.TextField(blank=True, max_length=65_536)
    parameters = models.JSONField(
        default=list, blank=True, help_text="Values that it names: name, type, default, unit, description."
    )

    class Meta:
        abstract = True


def adql_or_triple(name: str) -> models.CheckConstraint:
    """The constraint that a query is written in one of the two ways."""
    return models.CheckConstraint(
        condition=(~Q(adql="") & Q(selected="", tables="", conditions="")) | (Q(adql="") & ~Q(selected="")),
        name=name,
        violation_error_message="give either ADQL, or selected (with tables and conditions)",
    )


class Phase(models.TextChoices):
    """How far a job has come, in the words of IVOA's UWS."""

    QUEUED = "QUEUED", "waiting"
    EXECUTING = "EXECUTING", "running"
    COMPLETED = "COMPLETED", "done"
    ERROR = "ERROR", "failed"
    ABORTED = "ABORTED", "cancelled"
    ARCHIVED = "ARCHIVED", "done, its result removed"


UNDER_WAY = (Phase.QUEUED, Phase.EXECUTING)


class BackgroundQuerySet(OwnQuerySet[BackgroundModel]):
    """What a user has done in the background: with `phase`, `cancel` and `ended`."""

    def under_way(self) -> Self:
        """Those that wait or run."""
        return self.filter(phase__in=UNDER_WAY)

    def stop(self, pk: int) -> None:
        """Stop the one of this number, if it waits or runs; nothing happens to one that has ended."""
        waiting = self.filter(pk=pk, phase=Phase.QUEUED)
        if not waiting.update(phase=Phase.ABORTED, cancel=True, ended=timezone.now()):
            self.filter(pk=pk, phase=Phase.EXECUTING).update(cancel=True)


class JobQuerySet(BackgroundQuerySet["Job"]):
    """Jobs: nobody else sees what somebody asks, nor what came of it."""


class Job(QueryText):
    """A query that runs in the background, or a filter over the past of the stream, and what came of it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="jobs")
    name = models.CharField(max_length=200, blank=True)
    most_rows = models.PositiveIntegerField(help_text="At most so many rows are kept.")
    replay = models.JSONField(
        null=True,
        editable=False,
        help_text="Of a filter over the past: filter_id, version, since_mjd, until_mjd (MJD TAI).",
    )
    phase = models.CharField(max_length=9, choices=Phase, default=Phase.QUEUED)
    cancel = models.BooleanField(default=False, help_text="Its owner wants it stopped.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, editable=False)
    alive = models.DateTimeField(
        null=True, editable=False, help_text="When the process that runs it last said so."
    )
    ended = models.DateTimeField(null=True, editable=False)
    expires = models.DateTimeField(null=True, editable=False, help_text="Until when the result is kept.")
    rows = models.PositiveIntegerField(null=True, editable=False)
    truncated = models.BooleanField(default=False, help_text="There are more rows than were kept.")
    bytes = models.PositiveBigIntegerField(default=0, help_text="Of the result.")
    columns = models.JSONField(
        default=list, editable=False, help_text="Of the result: name, type, unit, description."
    )
    error = models.TextField(blank=True)
    error_position = models.PositiveIntegerField(null=True, editable=False, help_text="In the text, from 0.")

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [models.Index(fields=["owner", "-id"], name="queries_job_of_owner")]
        constraints: ClassVar = [adql_or_triple("queries_job_adql_or_triple")]

    def __str__(self) -> str:
        return self.name or f"query {self.pk}"


_EverySavedQuery = models.Manager.from_queryset(SharedQuerySet)


class SavedQueryManager(Kept, _EverySavedQuery["SavedQuery"]):
    """Those that are not removed; `SavedQuery.everything` has the others, too."""


class SavedQuery(QueryText, Removable):
    """A query with a name, to be run again, and to be shared as filters are."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=4096)

    objects: ClassVar[SharedQuerySet[SavedQuery]] = SavedQueryManager()  # type: ignore[assignment]
    everything: ClassVar[SharedQuerySet[SavedQuery]] = SharedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "saved query"
        verbose_name_plural = "saved queries"
        constraints: ClassVar = [
            adql_or_triple("queries_saved_adql_or_triple"),
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(deleted=None), name="queries_saved_name_once"
            ),
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="queries_saved_private_is_alone",
            ),
        ]

    def __str__(self) -> str:
        return self.name
