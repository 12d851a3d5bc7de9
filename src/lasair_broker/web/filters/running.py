"""What the stream needs of filters, and what it reports back. These functions act for the system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest
from django.utils import timezone

from lasair_broker.stream import FilterRun
from lasair_broker.web.filters.models import (
    Filter,
    FilterActivation,
    FilterFailure,
    FilterStatistics,
    FilterVersion,
)
from lasair_broker.web.filters.wording import Wording, wording_of

_MOST_MESSAGES = 20
"""Different errors of a version that are kept until it recovers: some name a value, a new one each time."""


@dataclass(frozen=True)
class RunningFilter:
    """A version of a filter that runs on the stream.

    Attributes
    ----------
    filter_id, version, version_id
        The filter, the version's number in it, and the version's own number.
    owner_id, author_id
        Whose rights the query has: it reads of private lists and annotators what both may, the filter's owner
        and who wrote the version (None: it is not known any more).
    name, topic
        Of the filter.
    wording
        The query and its rules.
    """

    filter_id: int
    version: int
    version_id: int
    owner_id: int
    author_id: int | None
    name: str
    topic: str
    wording: Wording


def running_filters() -> list[RunningFilter]:
    """Every filter's active version, by number of the filter."""
    found = Filter.objects.running().select_related("active_version").order_by("pk")
    return [_running(f, f.active_version) for f in found if f.active_version is not None]


def filters_running_at(moment: datetime) -> list[RunningFilter]:
    """The versions that ran at a moment, for replay exactly as it was."""
    then = FilterActivation.objects.filter(
        Q(ended__gt=moment) | Q(ended=None), began__lte=moment, version=OuterRef("pk")
    )
    versions = (
        FilterVersion.objects.filter(Exists(then)).select_related("filter").order_by("filter_id", "number")
    )
    return [_running(v.filter, v) for v in versions]


def _running(found: Filter, version: FilterVersion) -> RunningFilter:
    return RunningFilter(
        filter_id=found.pk,
        version=version.number,
        version_id=version.pk,
        owner_id=found.owner_id,
        author_id=version.author_id,
        name=found.name,
        topic=found.topic,
        wording=wording_of(version),
    )


@transaction.atomic
def record_failure(version_id: int, message: str) -> bool:
    """Note that a version failed on a batch; True if its owner is to be told.

    That is once, whatever else goes wrong after that; and again only if it had recovered in between. The same
    message counts up; of other ones the first few are kept.
    """
    now = timezone.now()
    version = FilterVersion.objects.select_for_update().get(pk=version_id)
    failing = version.failures.filter(resolved=None)
    if failing.filter(message=message).update(last=now, count=F("count") + 1):
        return False
    known = failing.count()
    if known < _MOST_MESSAGES:
        FilterFailure.objects.create(
            version=version, message=message, first=now, last=now, told=None if known else now
        )
    return known == 0


def record_recovery(version_ids: Sequence[int]) -> None:
    """Note that versions ran without error again."""
    FilterFailure.objects.filter(version__in=version_ids, resolved=None).update(resolved=timezone.now())


@transaction.atomic
def record_runs(runs: Sequence[FilterRun], now: datetime | None = None) -> None:
    """Add what running filters came to, to the statistics of the night."""
    night = night_of(now or timezone.now())
    numbers = {(v.filter_id, v.number): v.pk for v in _versions([(r.filter_id, r.version) for r in runs])}
    known = [
        (run, numbers[run.filter_id, run.version]) for run in runs if (run.filter_id, run.version) in numbers
    ]
    FilterStatistics.objects.bulk_create(
        [FilterStatistics(version_id=version, night=night) for _, version in known], ignore_conflicts=True
    )
    for run, version in known:
        FilterStatistics.objects.filter(version=version, night=night).update(
            batches=F("batches") + run.batches,
            alerts=F("alerts") + run.alerts,
            rows=F("rows") + run.rows,
            failures=F("failures") + run.failures,
            seconds=F("seconds") + run.seconds,
            longest=Greatest(F("longest"), run.longest),
        )


def version_ids(versions: Sequence[tuple[int, int]]) -> list[int]:
    """The versions' own numbers, given (filter, number in it); those that are gone are left out."""
    return [version.pk for version in _versions(versions)]


def night_of(moment: datetime) -> date:
    """The night that a moment belongs to: the date 12 hours ago in UTC, as Rubin counts observing days."""
    return (moment.astimezone(UTC) - timedelta(hours=12)).date()


def _versions(versions: Sequence[tuple[int, int]]) -> list[FilterVersion]:
    wanted = set(versions)
    found = FilterVersion.objects.filter(filter__in={number for number, _ in wanted})
    return [version for version in found if (version.filter_id, version.number) in wanted]
