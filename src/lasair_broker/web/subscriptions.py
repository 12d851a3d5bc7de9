"""What users ask of the stream, read from the user database: `stream.Subscriptions`.

The stream asks at every batch. A few cheap sums tell whether anything has changed since; only then are
filters read, and only those parsed whose wording or whose owner's rights have changed. What goes the other
way, failures and statistics, is written in the background, so that neither a busy database nor a mail server
holds up the stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog
from django.db import Error, close_old_connections, connection
from django.db.models import Count, Max, Q

from lasair_broker.archive import ArchiveAwayError
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import ActiveFilter, ActiveFilters, ActiveLists, FilterRun
from lasair_broker.web.accounts.models import Membership, User
from lasair_broker.web.active_lists import ActiveListsReader
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.annotators.running import annotations_after, prune
from lasair_broker.web.filters import running
from lasair_broker.web.filters.models import Filter, FilterVersion
from lasair_broker.web.filters.queries import active_filter
from lasair_broker.web.filters.running import RunningFilter
from lasair_broker.web.filters.telling import tell_owner
from lasair_broker.web.permissions import Allowed, allowed
from lasair_broker.web.reports import Reports
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchmaps.models import Watchmap

_log = structlog.get_logger(__name__)

_PRUNE_SECONDS = 3600.0


@dataclass(frozen=True)
class _Parsed:
    """A running filter with the rights it was parsed with; None instead of a filter that cannot run."""

    rights: Allowed
    filter: ActiveFilter | None


class UserSubscriptions:
    """What the users of this installation ask of the stream.

    Parameters
    ----------
    reports
        What is told goes there to be written.
    """

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._lock = threading.Lock()
        self._lists_lock = threading.Lock()
        self._lists = ActiveListsReader()
        self._stamp: tuple[Any, ...] = ()
        self._rights_stamp: tuple[Any, ...] = ()
        self._sharing: tuple[Any, ...] = ()
        self._rights: dict[tuple[int, int | None], Allowed] = {}
        self._parsed: dict[int, _Parsed] = {}
        self._active = ActiveFilters()
        self._prune_at = time.monotonic()
        self._away = False

    # What the stream asks

    def filters(self) -> ActiveFilters:
        with self._lock:
            with self._away_at_times():
                _renew_connection()
                self._read_if_changed()
            if not self._stamp:  # alerts must not go by as if nobody had a filter
                raise ArchiveAwayError("the filters have not been read: the user database does not answer")
        return self._active

    def lists(self) -> ActiveLists:
        with self._lists_lock:
            _renew_connection()
            return self._lists.read()

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        with self._away_at_times():
            _renew_connection()
            if time.monotonic() >= self._prune_at:
                self._prune_at = time.monotonic() + _PRUNE_SECONDS
                self._reports.put(lambda: prune(after))
            return annotations_after(after, most)
        return arrow_schema("annotations").empty_table(), after

    @contextmanager
    def _away_at_times(self) -> Iterator[None]:
        """The stream goes on with what it knows while the database cannot be read; the log says so once."""
        try:
            yield
        except Error as error:
            if not self._away:
                _log.warning("the user database cannot be read; what ran runs on", reason=str(error))
            self._away = True
        else:
            if self._away:
                _log.info("the user database is back")
            self._away = False

    def _read_if_changed(self) -> None:
        rights_stamp = _rights_stamp()
        stamp = _filters_stamp()
        if stamp == self._stamp and rights_stamp == self._rights_stamp:
            return
        if rights_stamp != self._rights_stamp:
            # A list that is edited changes nobody's rights, and to work out everybody's takes long.
            sharing = _sharing()
            if sharing != self._sharing:
                self._rights, self._sharing = {}, sharing
        found = running.running_filters()
        people = User.objects.in_bulk(
            {number for each in found for number in (each.owner_id, each.author_id)}
        )
        parsed = {
            each.version_id: self._parse(each, people[each.owner_id], people.get(each.author_id or 0))
            for each in found
        }
        before = self._active.filters
        active = tuple(each.filter for each in parsed.values() if each.filter is not None)
        if len(active) != len(before) or any(a is not b for a, b in zip(active, before, strict=True)):
            self._active = ActiveFilters(active)
        self._parsed, self._stamp, self._rights_stamp = parsed, stamp, rights_stamp

    def _parse(self, each: RunningFilter, owner: User, author: User | None) -> _Parsed:
        whose = (owner.pk, None if author is None else author.pk)
        rights = self._rights.get(whose)
        if rights is None:
            rights = self._rights[whose] = allowed(owner, author)
        known = self._parsed.get(each.version_id)
        if known is not None and known.rights == rights:
            return known
        try:
            found = active_filter(each.filter_id, each.version, each.name, each.wording, owner, author)
        except Error:
            raise  # it is the database's fault
        except Exception as error:
            # Whatever is wrong with this one, the others are to run.
            self.filter_failed(each.filter_id, each.version, str(error) or type(error).__name__)
            return _Parsed(rights, None)
        return _Parsed(rights, found)

    # What the stream tells

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        self._reports.put(lambda: _note_failure(filter_id, version, message))

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        recovered = list(filters)
        self._reports.put(lambda: running.record_recovery(running.version_ids(recovered)))

    def filters_ran(self, runs: Sequence[FilterRun]) -> None:
        told = list(runs)
        self._reports.put(lambda: running.record_runs(told))


def _renew_connection() -> None:
    """Let go of a connection that has been idle for too long or is broken; not within a transaction."""
    if not connection.in_atomic_block:
        close_old_connections()


def _note_failure(filter_id: int, version: int, message: str) -> None:
    for version_id in running.version_ids([(filter_id, version)]):
        if running.record_failure(version_id, message):
            tell_owner(FilterVersion.objects.select_related("filter__owner").get(pk=version_id), message)


def _filters_stamp() -> tuple[Any, ...]:
    """Changes whenever another set of versions runs, or a filter changes hands."""
    running_now = Filter.objects.running()
    return tuple(running_now.aggregate(Count("pk"), Max("modified"), Max("active_version")).values())


def _rights_stamp() -> tuple[Any, ...]:
    """Changes whenever somebody may read more or less than before, and at other times too."""
    people = User.objects.aggregate(
        active=Count("pk", filter=Q(is_active=True)), administrators=Count("pk", filter=Q(is_superuser=True))
    )
    return (
        *(
            tuple(model.objects.aggregate(Count("pk"), Max("pk"), Max("modified")).values())
            for model in _SHARED
        ),
        tuple(Membership.objects.aggregate(Count("pk"), Max("pk")).values()),
        tuple(Annotator.writers.through.objects.aggregate(Count("pk"), Max("pk")).values()),
        tuple(people.values()),
    )


def _sharing() -> tuple[Any, ...]:
    """Who owns, shares, belongs to and speaks under what: all that rights follow from."""
    rows = [
        model.objects.order_by("pk").values_list("pk", "owner", "visibility", "collaboration")
        for model in _SHARED
    ]
    members = Membership.objects.order_by("pk").values_list("user", "collaboration")
    writers = Annotator.writers.through.objects.order_by("pk").values_list("annotator", "user")
    people = User.objects.filter(Q(is_active=False) | Q(is_superuser=True)).order_by("pk")
    return (*map(tuple, [*rows, members, writers, people.values_list("pk", "is_active", "is_superuser")]),)


_SHARED: tuple[type[Watchlist | Watchmap | Annotator], ...] = (Watchlist, Watchmap, Annotator)
