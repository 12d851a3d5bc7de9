"""Filters: saved queries that run on the stream, their versions, and where their hits go."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from lasair_broker.web.parameters import line_of
from lasair_broker.web.sharing import SharedQuerySet, edited_by, seen_by
from lasair_broker.web.trash import Kept, Removable

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


def new_webhook_secret() -> str:
    """A signing secret as Standard Webhooks writes them: 32 random bytes in base64 after ``whsec_``."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class FilterQuerySet(SharedQuerySet["Filter"]):
    """Filters, narrowed to what a user may see or change."""

    def running(self) -> FilterQuerySet:
        """Those with an active version whose owner's account is active."""
        return self.filter(active_version__isnull=False, owner__is_active=True)

    def with_stars(self, user: User | AnonymousUser | None) -> FilterQuerySet:
        """With `star_count`, and `starred`: whether the user gave one."""
        own = FilterStar.objects.filter(filter=models.OuterRef("pk"), user=getattr(user, "pk", None))
        return self.annotate(star_count=models.Count("stars", distinct=True), starred=models.Exists(own))


class Category(models.TextChoices):
    """What a filter looks for, by which the gallery sorts."""

    SUPERNOVA = "supernova", "supernovae"
    FAST = "fast", "fast transients"
    NUCLEAR = "nuclear", "nuclear: AGN and disruptions"
    VARIABLE = "variable", "variable stars"
    MESSENGER = "messenger", "counterparts of messengers"
    ODD = "odd", "odd ones"
    OTHER = "other", "other"


_EveryFilter = models.Manager.from_queryset(FilterQuerySet)


class FilterManager(Kept, _EveryFilter["Filter"]):
    """Those that are not removed; `Filter.everything` has the others, too."""


class Filter(Removable):
    """A query with a name, versions, and outputs."""

    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=4096)
    topic = models.CharField(
        max_length=128, unique=True, editable=False, help_text="Its Kafka topic; it outlives renaming."
    )
    active_version = models.OneToOneField(
        "FilterVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="active_of"
    )
    forked_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, editable=False, related_name="forks"
    )
    fork_count = models.PositiveIntegerField(default=0, editable=False)
    category = models.CharField(max_length=9, choices=Category, default=Category.OTHER)

    objects: ClassVar[FilterQuerySet] = FilterManager()  # type: ignore[assignment]
    everything: ClassVar[FilterQuerySet] = FilterQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(deleted=None), name="filters_filter_name_once"
            ),
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="filters_filter_private_is_alone",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FilterStar(models.Model):
    """Somebody finds a filter useful."""

    filter = models.ForeignKey(Filter, models.CASCADE, related_name="stars")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    given = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["filter", "user"], name="filters_star_once")]

    def __str__(self) -> str:
        return f"{self.user} on {self.filter}"


class Trigger(models.TextChoices):
    """What makes a filter run."""

    ALERT = "alert", "a new alert"
    ANNOTATION = "annotation", "a new annotation"
    BOTH = "both", "a new alert or annotation"
    CONTEXT = "context", "news of what is known at its place"
    ANY = "any", "a new alert or annotation, or news of what is known at its place"


class Renotify(models.TextChoices):
    """When an object that passed before is told of again."""

    EVERY = "every", "at every match"
    ONCE = "once", "never: once an object"
    AGAIN = "again", "after some days, or when a column changed"


class VersionState(models.TextChoices):
    """How far a version has come."""

    DRAFT = "draft", "draft"
    PREVIEWED = "previewed", "previewed"
    ACTIVE = "active", "active"
    RETIRED = "retired", "retired"


SHOWN_STATES = (VersionState.ACTIVE, VersionState.RETIRED)
"""The states that people who only see the filter may see: what is not published yet is its editors'."""


class FilterVersionQuerySet(models.QuerySet["FilterVersion"]):
    """Versions, narrowed to what a user may see or change."""

    def visible_to(self, user: User | AnonymousUser | None) -> FilterVersionQuerySet:
        """Published versions of visible filters, and all versions of the user's own."""
        published = seen_by(user, "filter__") & Q(state__in=SHOWN_STATES)
        return self.filter(published | edited_by(user, "filter__"), filter__deleted=None)

    def editable_by(self, user: User | AnonymousUser | None) -> FilterVersionQuerySet:
        """Versions of filters the user may change."""
        return self.filter(edited_by(user, "filter__"), filter__deleted=None)


class FilterVersion(models.Model):
    """One wording of a filter; never changed once saved, so that the past can be run again as it was.

    The query is either ADQL, or Lasair's triple: selected columns, tables, conditions.
    """

    filter = models.ForeignKey(Filter, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=VersionState, default=VersionState.DRAFT)
    adql = models.TextField(blank=True, max_length=65_536)
    selected = models.TextField(blank=True, max_length=16_384)
    tables = models.TextField(blank=True, max_length=4096)
    conditions = models.TextField(blank=True, max_length=65_536)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.ALERT)
    renotify = models.CharField(max_length=5, choices=Renotify, default=Renotify.EVERY)
    renotify_days = models.FloatField(null=True, blank=True)
    renotify_columns = models.JSONField(default=list, blank=True)
    parameters = models.JSONField(
        default=list,
        blank=True,
        help_text="Values that the query names: name, type, default, unit, description.",
    )
    comment = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    previewed = models.DateTimeField(null=True, editable=False)
    preview_count = models.BigIntegerField(null=True, editable=False)
    preview_fraction = models.FloatField(null=True, editable=False, help_text="Of the alerts looked at.")
    preview_per_night = models.FloatField(null=True, editable=False, help_text="Expected hits a night.")
    preview_seconds = models.FloatField(null=True, editable=False)

    objects = FilterVersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["filter", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["filter", "number"], name="filters_version_number_once"),
            models.CheckConstraint(
                condition=(~Q(adql="") & Q(selected="", tables="", conditions=""))
                | (Q(adql="") & ~Q(selected="")),
                name="filters_version_adql_or_triple",
                violation_error_message="give either ADQL, or selected (with tables and conditions)",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.filter.name} version {self.number}"

    def clean(self) -> None:
        columns = self.renotify_columns
        if not isinstance(columns, list) or not all(isinstance(c, str) and c for c in columns):
            raise ValidationError({"renotify_columns": "give a list of column names"})
        if self.renotify_days is not None and not self.renotify_days > 0.0:
            raise ValidationError({"renotify_days": "give a number of days above 0"})
        if self.renotify == Renotify.AGAIN and self.renotify_days is None and not columns:
            raise ValidationError({"renotify": "say after how many days, or when which columns changed"})

    def text(self) -> str:
        """The query and its rules as lines, for people and for differences."""
        if self.adql:
            lines = self.adql.strip().splitlines()
        else:
            lines = [
                f"SELECT {self.selected}",
                f"FROM {self.tables or 'objects'}",
                f"WHERE {self.conditions}",
            ]
        lines.append(f"-- runs on {self.get_trigger_display()}")
        lines.append(f"-- tells again {self.get_renotify_display()}")
        if self.renotify == Renotify.AGAIN:
            days = f"{self.renotify_days:g} days" if self.renotify_days else ""
            lines.append(f"--   {', '.join([*([days] if days else []), *self.renotify_columns])}")
        lines += [f"-- parameter {line_of(entry)}" for entry in self.parameters]
        return "\n".join(lines) + "\n"


class FilterActivation(models.Model):
    """An interval during which a version ran, so that the stream's past can be replayed as it was."""

    version = models.ForeignKey(FilterVersion, models.CASCADE, related_name="activations")
    began = models.DateTimeField()
    ended = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["began"]

    def __str__(self) -> str:
        return f"{self.version} from {self.began:%Y-%m-%d %H:%M}"


class FilterStatistics(models.Model):
    """What running a version on the stream came to in a night (UTC−12 h, as Rubin counts them)."""

    version = models.ForeignKey(FilterVersion, models.CASCADE, related_name="statistics")
    night = models.DateField()
    batches = models.PositiveBigIntegerField(default=0)
    alerts = models.PositiveBigIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    longest = models.FloatField(default=0.0, help_text="Seconds of the slowest run.")

    class Meta:
        ordering: ClassVar = ["-night"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "night"], name="filters_statistics_once_a_night")
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.night:%Y-%m-%d}"


class FilterFailure(models.Model):
    """An error of a running version: counted at each batch, told to the owner once."""

    version = models.ForeignKey(FilterVersion, models.CASCADE, related_name="failures")
    message = models.TextField()
    first = models.DateTimeField()
    last = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=1)
    told = models.DateTimeField(null=True)
    resolved = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.version}: {self.message[:60]}"


_LOCAL_SCHEMES = frozenset(
    {"dbus", "file", "glib", "gnome", "kde", "macosx", "mailto", "mailtos", "qt"}
    | {"rsyslog", "smpp", "syslog", "windows"}
)
"""Apprise's services that would act on the server itself, and e-mail, which is an output of its own."""


class OutputKind(models.TextChoices):
    """Where hits go."""

    KAFKA = "kafka", "Kafka topic"
    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook", "webhook"
    APPRISE = "apprise", "Slack, Telegram and others (apprise)"
    BROWSER = "browser", "browser"


class LightCurve(models.TextChoices):
    """How much of the light curve goes with a hit."""

    NONE = "none", "none"
    LITE = "lite", "the columns needed to plot it"
    FULL = "full", "the whole packet without images"


class FilterOutputQuerySet(models.QuerySet["FilterOutput"]):
    """Outputs. Those who only see a filter see none of them: addresses and secrets are its editors'."""

    def visible_to(self, user: User | AnonymousUser | None) -> FilterOutputQuerySet:
        """The same as `editable_by`."""
        return self.editable_by(user)

    def editable_by(self, user: User | AnonymousUser | None) -> FilterOutputQuerySet:
        """Outputs of filters the user may change."""
        return self.filter(edited_by(user, "filter__"), filter__deleted=None)


_EveryOutput = models.Manager.from_queryset(FilterOutputQuerySet)


class FilterOutputManager(Kept, _EveryOutput["FilterOutput"]):
    """Those that are not removed; `FilterOutput.everything` has the others, too."""


class FilterOutput(models.Model):
    """One place where a filter's hits go."""

    class Frequency(models.TextChoices):
        """How often an e-mail is sent."""

        IMMEDIATE = "immediate", "at once"
        DIGEST = "digest", "once a day"

    class Format(models.TextChoices):
        """How a Kafka message is written."""

        JSON = "json", "JSON"
        AVRO = "avro", "Avro"

    filter = models.ForeignKey(Filter, models.CASCADE, related_name="outputs")
    kind = models.CharField(max_length=8, choices=OutputKind)
    enabled = models.BooleanField(default=True)
    light_curve = models.CharField(max_length=4, choices=LightCurve, default=LightCurve.NONE)
    format = models.CharField(max_length=4, choices=Format, default=Format.JSON)
    frequency = models.CharField(max_length=9, choices=Frequency, default=Frequency.IMMEDIATE)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="For e-mail.",
    )
    url = models.CharField(max_length=2000, blank=True, help_text="For webhook and apprise.")
    secret = models.CharField(max_length=200, blank=True, help_text="Signs webhooks.")
    hourly_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="More hits an hour are summed up in one. Empty: no limit."
    )
    quiet_from = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Hour (UTC) from which nothing is sent; hits wait. Empty: none."
    )
    quiet_until = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Hour (UTC) from which is sent again."
    )
    created = models.DateTimeField(auto_now_add=True)
    deleted = models.DateTimeField(
        null=True, editable=False, help_text="It can be restored for some time after that."
    )

    objects: ClassVar[FilterOutputQuerySet] = FilterOutputManager()  # type: ignore[assignment]
    everything: ClassVar[FilterOutputQuerySet] = FilterOutputQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["filter", "kind"],
                condition=Q(kind__in=["kafka", "browser"], deleted=None),
                name="filters_output_one_topic",
            )
        ]

    def __str__(self) -> str:
        return f"{self.filter.name} to {self.get_kind_display()}"

    def quiet_at(self, hour: int) -> bool:
        """Whether nothing is sent in this hour (UTC)."""
        if self.quiet_from is None or self.quiet_until is None:
            return False
        return (hour - self.quiet_from) % 24 < (self.quiet_until - self.quiet_from) % 24

    def clean(self) -> None:
        faults: dict[str, Any] = {}
        parts = urlsplit(self.url)
        if self.kind == OutputKind.EMAIL and self.recipient is None:
            faults["recipient"] = "say who gets the e-mail"
        if self.kind == OutputKind.WEBHOOK and (parts.scheme != "https" or not parts.hostname):
            faults["url"] = "give an https:// address"
        if self.kind == OutputKind.APPRISE and (not parts.scheme or parts.scheme in _LOCAL_SCHEMES):
            faults["url"] = "give the address of an apprise service, such as slack://…"
        if (self.quiet_from is None) != (self.quiet_until is None):
            faults["quiet_until"] = "give both hours, or none"
        elif any(hour is not None and hour > 23 for hour in (self.quiet_from, self.quiet_until)):
            faults["quiet_from"] = "give hours from 0 to 23"
        elif self.quiet_from is not None and self.quiet_from == self.quiet_until:
            faults["quiet_until"] = "must be another hour: switch the output off to have nothing sent at all"
        if self.kind not in (OutputKind.WEBHOOK, OutputKind.APPRISE) and self.url:
            faults["url"] = f"{self.get_kind_display()} needs no address"
        if faults:
            raise ValidationError(faults)
