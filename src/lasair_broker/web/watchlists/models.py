"""Watchlists, their versions and rows, and their magnitude triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from lasair_broker import sky
from lasair_broker.web.sharing import SharedQuerySet, edited_by, seen_by
from lasair_broker.web.trash import Kept, Removable

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User

_POSSIBLE_RADIUS = (MinValueValidator(1.0), MaxValueValidator(3600.0))


class WatchlistQuerySet(SharedQuerySet["Watchlist"]):
    """Watchlists, narrowed to what a user may see or change."""

    def running(self) -> WatchlistQuerySet:
        """Those matched on the stream."""
        return self.filter(active=True, current__isnull=False, owner__is_active=True)


_EveryWatchlist = models.Manager.from_queryset(WatchlistQuerySet)


class WatchlistManager(Kept, _EveryWatchlist["Watchlist"]):
    """Those that are not removed; `Watchlist.everything` has the others, too."""


class Watchlist(Removable):
    """Positions that somebody watches."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=4096)
    default_radius = models.FloatField(default=5.0, validators=_POSSIBLE_RADIUS, help_text="Arcseconds.")
    active = models.BooleanField(default=False, help_text="Matched on the stream.")
    current = models.OneToOneField(
        "WatchlistVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="current_of"
    )
    next_cone_id = models.BigIntegerField(default=1, editable=False)
    revision = models.PositiveBigIntegerField(
        default=1,
        editable=False,
        help_text="Grows with every change of rows, so that the stream knows to reload.",
    )
    copied_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, editable=False, related_name="copies"
    )

    objects: ClassVar[WatchlistQuerySet] = WatchlistManager()  # type: ignore[assignment]
    everything: ClassVar[WatchlistQuerySet] = WatchlistQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(deleted=None), name="watchlists_watchlist_name_once"
            ),
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="watchlists_watchlist_private_is_alone",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WatchlistVersion(models.Model):
    """The rows of one upload, with the edits made since."""

    class Match(models.TextChoices):
        """How far its match against the archive has come."""

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    watchlist = models.ForeignKey(Watchlist, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    source_name = models.CharField(max_length=255, blank=True, help_text="The file it came from.")
    row_count = models.PositiveIntegerField(default=0)
    match = models.CharField(max_length=7, choices=Match, default=Match.WAITING)
    match_done = models.PositiveBigIntegerField(default=0, help_text="Objects of the archive looked at.")
    match_total = models.PositiveBigIntegerField(default=0)
    match_hits = models.PositiveBigIntegerField(default=0)
    match_began = models.DateTimeField(null=True)
    match_ended = models.DateTimeField(null=True)
    match_message = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["watchlist", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["watchlist", "number"], name="watchlists_version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.watchlist.name} version {self.number}"


class WatchlistBlock(models.Model):
    """Some ten thousand rows of a version as Parquet, in order of cone_id.

    A row of the database for each row of a list would take a million inserts an upload; blocks take a few
    dozen, commit with the version, and need no file system that all of a site's machines share.
    """

    version = models.ForeignKey(WatchlistVersion, models.CASCADE, related_name="blocks")
    first_cone_id = models.BigIntegerField()
    last_cone_id = models.BigIntegerField()
    row_count = models.PositiveIntegerField()
    parquet = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["version", "first_cone_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "first_cone_id"], name="watchlists_block_once")
        ]

    def __str__(self) -> str:
        return f"{self.version}, rows {self.first_cone_id} to {self.last_cone_id}"


class WatchlistEdit(models.Model):
    """A row of a version changed, added or deleted by hand: it lies over the blocks."""

    version = models.ForeignKey(WatchlistVersion, models.CASCADE, related_name="edits")
    cone_id = models.BigIntegerField()
    deleted = models.BooleanField(default=False)
    name = models.CharField(max_length=256)
    ra = models.FloatField(validators=(MinValueValidator(0.0), MaxValueValidator(360.0)))
    decl = models.FloatField(validators=(MinValueValidator(-90.0), MaxValueValidator(90.0)))
    radius = models.FloatField(validators=_POSSIBLE_RADIUS)
    notes = models.TextField(blank=True, null=True, max_length=4096)  # NULL as in the uploads
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    edited = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["version", "cone_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "cone_id"], name="watchlists_edit_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.version}"


class MatchedWatchlist(models.Model):
    """A list of which the archive holds hits, or may; it stays when the list goes, until they have gone."""

    wl_id = models.BigIntegerField(primary_key=True)
    revision = models.PositiveBigIntegerField(help_text="Of the list that the hits are of; 0: not known.")

    def __str__(self) -> str:
        return f"watchlist {self.wl_id}, revision {self.revision}"


class WatchlistTriggerQuerySet(models.QuerySet["WatchlistTrigger"]):
    """Triggers, narrowed to what a user may see or change."""

    def visible_to(self, user: User | AnonymousUser | None) -> WatchlistTriggerQuerySet:
        """Triggers of lists the user may see."""
        return self.filter(seen_by(user, "watchlist__"), watchlist__deleted=None)

    def editable_by(self, user: User | AnonymousUser | None) -> WatchlistTriggerQuerySet:
        """Triggers of lists the user may change."""
        return self.filter(edited_by(user, "watchlist__"), watchlist__deleted=None)


_EveryTrigger = models.Manager.from_queryset(WatchlistTriggerQuerySet)


class WatchlistTriggerManager(Kept, _EveryTrigger["WatchlistTrigger"]):
    """Those that are not removed; `WatchlistTrigger.everything` has the others, too."""


class WatchlistTrigger(models.Model):
    """A magnitude trigger of a list or of one of its rows; the fields are those of `sky.Trigger`."""

    class Kind(models.TextChoices):
        """As `sky.TriggerKind`."""

        CROSSES = "crosses", "crosses a magnitude"
        CHANGES = "changes", "changes by some magnitudes"

    class Direction(models.TextChoices):
        """As `sky.Direction`."""

        BRIGHTENS = "brightens", "brightens"
        FADES = "fades", "fades"
        EITHER = "either", "either"

    watchlist = models.ForeignKey(Watchlist, models.CASCADE, related_name="triggers")
    cone_id = models.BigIntegerField(null=True, blank=True, help_text="Empty: every row.")
    name = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    kind = models.CharField(max_length=7, choices=Kind, default=Kind.CROSSES)
    direction = models.CharField(max_length=9, choices=Direction, default=Direction.BRIGHTENS)
    magnitude = models.FloatField(null=True, blank=True)
    change = models.FloatField(null=True, blank=True)
    baseline_magnitude = models.FloatField(null=True, blank=True)
    baseline_gap = models.FloatField(default=30.0, help_text="Days.")
    bands = models.CharField(max_length=6, default="ugrizy")
    consecutive = models.PositiveSmallIntegerField(default=2)
    total = models.BooleanField(default=False, help_text="Total flux, not the difference from the template.")
    forced = models.BooleanField(default=True, help_text="Look at forced photometry too.")
    min_snr = models.FloatField(default=5.0)
    rearm = models.FloatField(default=0.3, help_text="Magnitudes to recover before the next event.")
    cooldown = models.FloatField(default=1.0, help_text="Days.")
    start_mjd = models.FloatField(help_text="MJD TAI; what lies before causes no event.")
    created = models.DateTimeField(auto_now_add=True)
    deleted = models.DateTimeField(
        null=True, editable=False, help_text="It can be restored for some time after that."
    )

    objects: ClassVar[WatchlistTriggerQuerySet] = WatchlistTriggerManager()  # type: ignore[assignment]
    everything: ClassVar[WatchlistTriggerQuerySet] = WatchlistTriggerQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.name or f"{self.get_direction_display()} trigger of {self.watchlist.name}"

    def clean(self) -> None:
        try:
            self.as_kernel_trigger()
        except KeyError:  # an unknown kind or direction, which the field itself has reported
            return
        except (ValueError, TypeError) as error:
            raise ValidationError(str(error)) from None

    def as_kernel_trigger(self) -> sky.Trigger:
        """This trigger as the stream evaluates it.

        Raises
        ------
        ValueError
            Saying what makes no sense.
        """

        def number(value: float | None) -> float:
            return float("nan") if value is None else float(value)

        values: dict[str, Any] = {
            name: number(getattr(self, name))
            for name in (
                "magnitude",
                "change",
                "baseline_magnitude",
                "baseline_gap",
                "min_snr",
                "rearm",
                "cooldown",
                "start_mjd",
            )
        }
        return sky.Trigger(
            trigger_id=self.pk or 0,
            wl_id=self.watchlist_id,
            cone_id=sky.WHOLE_LIST if self.cone_id is None else self.cone_id,
            kind=sky.TriggerKind[self.kind.upper()],
            direction=sky.Direction[self.direction.upper()],
            bands=tuple(self.bands),
            consecutive=self.consecutive,
            total=self.total,
            forced=self.forced,
            **values,
        )
