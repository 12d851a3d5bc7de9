"""What users have asked of the stream: filters, lists, maps, annotations. Declared here, kept elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import pyarrow as pa

from lasair_broker.query import Query
from lasair_broker.sky import Triggers, WatchlistIndex, WatchmapIndex

__all__ = [
    "ActiveFilter",
    "ActiveFilters",
    "ActiveLists",
    "FilterRun",
    "Renotify",
    "Subscriptions",
    "TriggeredBy",
]


class TriggeredBy(StrEnum):
    """What makes a filter run: an alert of an object, an annotation, either of these, news of what is known
    at its place (a transient of TNS, an event, another class), or anything."""

    ALERT = "alert"
    ANNOTATION = "annotation"
    BOTH = "both"
    CONTEXT = "context"
    ANY = "any"

    def includes(self, cause: TriggeredBy) -> bool:
        """Whether `cause` (alert, annotation or context) makes a filter with this rule run."""
        both = cause in (TriggeredBy.ALERT, TriggeredBy.ANNOTATION)
        return self in (cause, TriggeredBy.ANY) or (self is TriggeredBy.BOTH and both)


@dataclass(frozen=True, slots=True)
class Renotify:
    """When an object that has passed before is told of again.

    Attributes
    ----------
    once
        Never. Otherwise, without days and columns, at every match.
    days
        When so many days have gone since it was told last.
    columns
        When the value of one of these selected columns is another than when it was told last.
    """

    once: bool = False
    days: float | None = None
    columns: tuple[str, ...] = ()

    @property
    def always(self) -> bool:
        """Whether every match is told."""
        return not self.once and self.days is None and not self.columns


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A version of a filter that runs on the stream.

    Attributes
    ----------
    filter_id, version
        The filter, and the number of the version in it.
    name
        For people.
    query
        Checked against what the filter's owner may read.
    triggered_by, renotify
        Its rules.
    topics
        The annotators whose annotations run it: those that its owner may read. None: all.
    """

    filter_id: int
    version: int
    name: str
    query: Query
    triggered_by: TriggeredBy = TriggeredBy.ALERT
    renotify: Renotify = Renotify()
    topics: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class FilterRun:
    """What running a filter on batches came to.

    Attributes
    ----------
    batches, alerts, rows, failures
        Batches that it ran on, their objects, the rows it gave, and the batches on which it failed or took
        too long.
    seconds, longest
        Wall time of all runs, and of the longest.
    """

    filter_id: int
    version: int
    batches: int = 0
    alerts: int = 0
    rows: int = 0
    failures: int = 0
    seconds: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class ActiveFilters:
    """All filters that run, as they are at one moment."""

    filters: tuple[ActiveFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class ActiveLists:
    """All lists and maps that are matched, as they are at one moment.

    Attributes
    ----------
    watchlists, watchmaps, triggers
        Ready to be matched.
    token
        What tells this moment from all others.
    """

    watchlists: WatchlistIndex = field(default_factory=WatchlistIndex)
    watchmaps: WatchmapIndex = field(default_factory=WatchmapIndex)
    triggers: Triggers = field(default_factory=lambda: Triggers.of([]))
    token: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


class Subscriptions(Protocol):
    """Where what users define reaches the stream. All methods may be called from any thread.

    `filters` and `lists` are asked again and again: they answer fast, and with the very same object while
    nothing has changed, so that what is compiled from it is kept.
    """

    def filters(self) -> ActiveFilters:
        """The filters that run now."""

    def lists(self) -> ActiveLists:
        """The lists, maps and magnitude triggers that are matched now."""

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        """Annotations pushed and not yet in the archive: rows of table `annotations`, at most so many, and
        the position to give as `after` the next time. The archive keeps that position with the rows."""

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        """A filter could not be run on a batch, or took too long. Its owner is told once, not at every
        batch."""

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        """These (filter, version) had failed before and have run well again."""

    def filters_ran(self, runs: Sequence[FilterRun]) -> None:
        """What filters did since this was told last, about once a minute."""
