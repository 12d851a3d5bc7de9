"""Filters and the archive: what a version would find, has found, and why. Functions check permissions.

Who may change a filter sees it with its owner's rights, as the stream does; others with their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from django.contrib.auth.models import AnonymousUser

from lasair_broker.archive import Archive
from lasair_broker.query import Query, QueryError
from lasair_broker.stream import ActiveFilter, Pipeline, TriggeredBy
from lasair_broker.stream.filters import (
    FilterPreview,
    HitsOfNight,
    Makeup,
    Replayed,
    Verdict,
    hits_by_night,
    makeup_of_hits,
    preview,
    replay_filter,
    verdict,
)
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import ask
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import services
from lasair_broker.web.filters.models import Filter, FilterFailure, FilterStatistics, FilterVersion
from lasair_broker.web.filters.queries import active_filter, check, query_of
from lasair_broker.web.filters.services import Preview
from lasair_broker.web.filters.wording import Wording, wording_of

_MOST_REPLAY_DAYS = 4000.0


@dataclass(frozen=True)
class Health:
    """How a filter fares.

    Attributes
    ----------
    version
        The version that runs; None if none does.
    expected_per_night, expected_fraction
        What its preview said; None without one.
    nights
        What it has found in the last nights, newest first.
    statistics
        What running its versions came to, by night.
    failures
        What is wrong with it now.
    makeup
        What kind of objects it has found in the last month.
    """

    version: int | None
    expected_per_night: float | None
    expected_fraction: float | None
    nights: list[HitsOfNight]
    statistics: list[FilterStatistics]
    failures: list[FilterFailure]
    makeup: Makeup


def try_version(
    user: User,
    filter_id: int,
    number: int | None,
    archive: Archive,
    *,
    sample: int = 10,
    makeup: bool = False,
    timeout: float = 60.0,
) -> tuple[FilterVersion, FilterPreview]:
    """Run a version on the archive; if the user may change the filter, note what it found, for activation.

    Parameters
    ----------
    number
        The version; None: the newest that the user sees.

    Raises
    ------
    NotFound
        If there is none, or the user may not see it.
    Invalid
        If it can no longer run: a list it names is gone, say.
    archive.QueryError
        If it fails, or takes too long.
    """
    version = _visible(user, filter_id, number)
    with _told_as_invalid():
        found = preview(archive, _query(user, version), sample=sample, makeup=makeup, timeout=timeout)
    if FilterVersion.objects.editable_by(user).filter(pk=version.pk).exists():
        seen = Preview(found.count, found.fraction, found.per_night, found.seconds)
        version = services.record_preview(user, filter_id, version.number, seen)
    return version, found


def try_wording(
    user: User,
    filter_id: int | None,
    wording: Wording,
    archive: Archive,
    *,
    night: int | None = None,
    nights: int = 5,
    sample: int = 10,
    timeout: float = 60.0,
    cancelled: threading.Event | None = None,
) -> FilterPreview:
    """Run a wording that is not saved yet on the archive; nothing is noted.

    Parameters
    ----------
    filter_id
        The filter that it would be a version of, whose owner's rights it has then; None: a new one of the
        user's.
    night
        As of `stream.filters.preview`.

    Raises
    ------
    NotFound, NotAllowed
        If the filter is not there, or not the user's to change.
    Invalid
        Saying where the wording is wrong.
    archive.QueryError
        If it fails, takes too long, or is cancelled.
    """
    owner = owner_of(user, filter_id)
    check(wording, owner, user)
    return preview(
        archive,
        query_of(wording, owner, user),
        night=night,
        nights=nights,
        sample=sample,
        makeup=True,
        timeout=timeout,
        cancelled=cancelled,
    )


def owner_of(user: User, filter_id: int | None) -> User:
    """Whose rights a wording has that the user writes for a filter; None: for a new one."""
    return user if filter_id is None else sharing.editable(Filter.objects.all(), user, filter_id).owner


def why(user: User, filter_id: int, number: int | None, key: int | str, archive: Archive) -> Verdict:
    """What a version makes of an object, by `diaObjectId` or `objectName`.

    Raises
    ------
    NotFound
        If there is no such version, or no such object.
    Invalid
        If the query groups or unites rows, so that there is no telling.
    """
    version = _visible(user, filter_id, number)
    with _told_as_invalid():
        found = verdict(archive, _query(user, version), key)
    if found is None:
        raise NotFound(f"there is no object {key} in the archive")
    return found


def health(user: User, filter_id: int, archive: Archive, *, nights: int = 10) -> Health:
    """How a filter fares, for who may see it; what is wrong with it is told to who may change it."""
    found = sharing.visible(Filter.objects.select_related("active_version"), user, filter_id)
    edits = Filter.objects.editable_by(user).filter(pk=found.pk).exists()
    failures = FilterFailure.objects.filter(version__filter=found, resolved=None).order_by("-last")
    statistics = FilterStatistics.objects.filter(version__filter=found).select_related("version")
    version = found.active_version
    return Health(
        version=version.number if version else None,
        expected_per_night=version.preview_per_night if version else None,
        expected_fraction=version.preview_fraction if version else None,
        nights=hits_by_night(archive, found.pk, nights=nights),
        statistics=list(statistics[:nights]),
        failures=list(failures[:20]) if edits else [],
        makeup=makeup_of_hits(archive, found.pk),
    )


def hits(
    user: User, filter_id: int, archive: Archive, after: tuple[float, str], *, limit: int = 100
) -> pa.Table:
    """A filter's hits committed after one of them (committedMjdTai, hitId), oldest first."""
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    return archive.hits_after(found.pk, after, limit=limit)


def rows_now(
    user: User | AnonymousUser,
    filter_id: int,
    number: int | None,
    *,
    limit: int | None = None,
    offset: int = 0,
) -> tuple[pa.Table, bool]:
    """What a version finds in the archive now: rows of its result, and whether there are more.

    Raises
    ------
    NotFound, Invalid, archive.QueryError
        As `try_version`.
    """
    version = _visible(user, filter_id, number)
    with _told_as_invalid():
        query = _query(user, version)
    return ask(user, query, limit=limit, offset=offset)


def replay(
    user: User,
    filter_id: int,
    number: int | None,
    archive: Archive,
    pipeline: Pipeline,
    since: float,
    until: float,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Run a version over a past interval of the stream (MJD TAI of arrival); see
    `stream.filters.replay_filter`.

    Raises
    ------
    NotFound
        As `try_version`.
    Invalid
        If the interval is empty or far too long, or the version cannot run, or runs on annotations only.
    """
    if not 0.0 < until - since <= _MOST_REPLAY_DAYS:
        raise Invalid(
            {"since": f"must be before the end, and at most {_MOST_REPLAY_DAYS:.0f} days before it"}
        )
    version = _visible(user, filter_id, number)
    each = _active(user, version)
    if not each.triggered_by.includes(TriggeredBy.ALERT):
        what = "annotations" if each.triggered_by is TriggeredBy.ANNOTATION else "news of places"
        raise Invalid({"": f"it runs on {what} only; there are no alerts to replay for it"})
    with _told_as_invalid():
        return replay_filter(archive, pipeline, each, since, until, on_progress=on_progress, stopped=stopped)


def replayable(user: User, filter_id: int, number: int | None, since: float, until: float) -> FilterVersion:
    """The version that `replay` would run; raises as that."""
    if not 0.0 < until - since <= _MOST_REPLAY_DAYS:
        raise Invalid(
            {"since": f"must be before the end, and at most {_MOST_REPLAY_DAYS:.0f} days before it"}
        )
    version = _visible(user, filter_id, number)
    if _active(user, version).triggered_by is TriggeredBy.ANNOTATION:
        raise Invalid({"": "it runs on annotations only; there are no alerts to replay for it"})
    return version


def _visible(user: User | AnonymousUser, filter_id: int, number: int | None) -> FilterVersion:
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    versions = (
        FilterVersion.objects.visible_to(user).filter(filter=found).select_related("filter__owner", "author")
    )
    version = versions.last() if number is None else versions.filter(number=number).first()
    if version is None:
        what = "published version" if number is None else f"version {number}"
        raise NotFound(f"filter {filter_id} has no {what}")
    return version


def _edits(user: User | AnonymousUser, version: FilterVersion) -> bool:
    return FilterVersion.objects.editable_by(user).filter(pk=version.pk).exists()


def _query(user: User | AnonymousUser, version: FilterVersion) -> Query:
    wording = wording_of(version)
    if _edits(user, version):
        return query_of(wording, version.filter.owner, version.author)
    return query_of(wording, user)


def _active(user: User, version: FilterVersion) -> ActiveFilter:
    wording, found = wording_of(version), version.filter
    owner, author = (found.owner, version.author) if _edits(user, version) else (user, None)
    with _told_as_invalid():
        return active_filter(found.pk, version.number, found.name, wording, owner, author)


@contextmanager
def _told_as_invalid() -> Iterator[None]:
    """What is wrong with a query, in the terms of the services."""
    try:
        yield
    except QueryError as error:
        raise Invalid({"": str(error)}) from None
