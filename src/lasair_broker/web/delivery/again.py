"""Hits of the past that users want at an output again, with the ids they had: from a moment, or from a place.

A place (`event_id`, ``MJD/hitId``) is what the stream of a filter's hits and the log name hits by; every
message has both of it. What was asked for is done before anything is asked for again, and not often.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from lasair_broker.archive import Archive
from lasair_broker.stream.delivery import Cursor, cursor_of
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.delivery.models import Redelivery
from lasair_broker.web.errors import Busy, Invalid, NotFound
from lasair_broker.web.filters.models import Filter, OutputKind

MOST_HITS = 100_000
"""Of one wish; more are had by a query, or interval by interval."""

MOST_AN_HOUR = 10
"""Wishes of a filter."""

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Span:
    """Hits committed after a place and until a moment (MJD TAI)."""

    after: Cursor
    until: float


def span_of(since_mjd: float | None, until_mjd: float, after: str = "") -> Span:
    """The span from a moment, or after the hit at a place.

    Raises
    ------
    Invalid
        If it is empty, or the place is none.
    """
    if after:
        place = cursor_of(after)
        if place is None:
            raise Invalid({"after": "give a place as the stream of hits names it: MJD/hitId"})
    elif since_mjd is None:
        raise Invalid({"since_mjd": "give the beginning, or the place of the last hit that you have"})
    else:
        place = (since_mjd, "")
    if not place[0] < until_mjd:
        raise Invalid({"after" if after else "since_mjd": "must be before the end of the interval"})
    return Span(place, until_mjd)


def count(user: User, filter_id: int, span: Span, archive: Archive) -> int:
    """How many hits of a filter are in a span; at most one more than `MOST_HITS`.

    Raises
    ------
    NotFound, NotAllowed
        If the filter is not there, or not the user's to change.
    """
    sharing.editable(Filter.objects.all(), user, filter_id)
    found, after = 0, span.after
    while found <= MOST_HITS:
        page = archive.hits_after(filter_id, after, until=span.until, limit=_PAGE)
        found += page.num_rows
        if page.num_rows < _PAGE:
            break
        after = page["committedMjdTai"][-1].as_py(), page["hitId"][-1].as_py()
    return min(found, MOST_HITS + 1)


@transaction.atomic
def ask(user: User, filter_id: int, span: Span, output_id: int | None = None) -> list[Redelivery]:
    """Ask to have a filter's hits of a span again, at one of its outputs or at all.

    Raises
    ------
    NotFound, NotAllowed
        If the filter is not there, or not the user's to change.
    Invalid
        If there is no output to deliver to.
    Busy
        If an output has not had yet what was asked for before, or too much was asked for in an hour.
    """
    found = sharing.editable(Filter.objects.all(), user, filter_id, lock=True)
    outputs = found.outputs.filter(enabled=True).exclude(kind=OutputKind.BROWSER)
    if output_id is not None:
        outputs = outputs.filter(pk=output_id)
    if not outputs:
        raise Invalid({"output_id": "there is no such output that is switched on; add one, or switch it on"})
    asked = Redelivery.objects.filter(output__filter=found, only__isnull=True)
    if asked.filter(output__in=outputs, done=None).exists():
        raise Busy("what was asked for before is still being sent; wait for it, or stop it")
    if asked.filter(asked__gt=timezone.now() - timedelta(hours=1)).count() + len(outputs) > MOST_AN_HOUR:
        raise Busy(f"hits of a filter can be asked for {MOST_AN_HOUR} times an hour, each output counted")
    return [
        Redelivery.objects.create(
            output=output,
            since_mjd=span.after[0],
            until_mjd=span.until,
            reached_mjd=span.after[0],
            reached_hit=span.after[1],
            by=user,
        )
        for output in outputs
    ]


def ask_for_some(
    user: User, filter_id: int, span: Span, archive: Archive, output_id: int | None = None
) -> tuple[list[Redelivery], int]:
    """As `ask`, if there are hits, and not too many; and how many they are.

    Raises
    ------
    Invalid
        If there are more than `MOST_HITS`, besides what `ask` raises.
    """
    hits = count(user, filter_id, span, archive)
    if hits > MOST_HITS:
        raise Invalid({"": f"that is more than {MOST_HITS:,} hits; ask for a shorter time"})
    return (ask(user, filter_id, span, output_id) if hits else []), hits


@transaction.atomic
def stop(user: User, filter_id: int, wish_id: int) -> None:
    """Send no more of what was asked for.

    Raises
    ------
    NotFound
        If there is no such wish that goes on, or the filter is not the user's to change.
    """
    found = sharing.editable(Filter.objects.all(), user, filter_id)
    wishes = Redelivery.objects.filter(output__filter=found, pk=wish_id, done=None)
    if not wishes.update(done=timezone.now()):
        raise NotFound(f"nothing of number {wish_id} is being sent again")
