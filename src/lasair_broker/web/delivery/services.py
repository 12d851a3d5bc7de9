"""Keeping account of deliveries. These functions act for the delivery workers; `redeliver` for a user."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.delivery.models import DeadLetter, Delivery, OutputState, Redelivery
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters.models import Filter, FilterOutput

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
MAX_ATTEMPTS = 20
"""Attempts in a row, over some twelve hours, before hits are given up."""

_WINDOW = timedelta(hours=1)
_MESSAGE_LENGTH = 2000


def wait_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 5 s, doubled each time, at most an hour."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * (1 << min(max(failures, 1) - 1, 20)))


def due_outputs(now: datetime | None = None) -> list[FilterOutput]:
    """The enabled outputs that may be tried now."""
    now = now or timezone.now()
    outputs = FilterOutput.objects.filter(enabled=True, filter__owner__is_active=True).exclude(
        state__next_attempt__gt=now
    )
    return list(outputs.select_related("filter", "state").order_by("pk"))


@transaction.atomic
def admit(output: FilterOutput, hits: int, now: datetime | None = None) -> int:
    """How many of the hits that wait the hourly limit lets through; the others are counted as held back."""
    now = now or timezone.now()
    state = _state(output)
    if state.window_began is None or now - state.window_began >= _WINDOW:
        state.window_began, state.window_count = now, 0
    admitted = min(hits, max(0, output.hourly_limit - state.window_count))
    state.window_count += admitted
    state.held_back += hits - admitted
    state.save(update_fields=["window_began", "window_count", "held_back"])
    return admitted


@transaction.atomic
def take_held_back(output: FilterOutput) -> int:
    """How many hits the next summary is to tell of; the count starts anew."""
    state = _state(output)
    held_back, state.held_back = state.held_back, 0
    state.save(update_fields=["held_back"])
    return held_back


@transaction.atomic
def delivered(
    output: FilterOutput,
    hits: Sequence[str],
    seconds: float,
    *,
    until_mjd: float | None = None,
    result: str = Delivery.Result.DELIVERED,
    message: str = "",
) -> Delivery:
    """Note that hits were delivered, and that all committed until `until_mjd` (MJD TAI) are."""
    state = _state(output)
    state.failures, state.next_attempt = 0, None
    if until_mjd is not None:
        state.delivered_to, state.last_hit = until_mjd, hits[-1] if hits else state.last_hit
    state.save()
    return _log(output, result, hits, seconds, message)


@transaction.atomic
def failed(output: FilterOutput, hits: Sequence[str], seconds: float, message: str) -> bool:
    """Note that an attempt failed; True if the hits are now given up, as dead letters."""
    state = _state(output)
    state.failures += 1
    dead = state.failures >= MAX_ATTEMPTS
    now = timezone.now()
    if dead:
        DeadLetter.objects.bulk_create(
            [
                DeadLetter(
                    output=output, hit=hit, at=now, attempts=state.failures, message=message[:_MESSAGE_LENGTH]
                )
                for hit in hits
            ],
            ignore_conflicts=True,
        )
    state.next_attempt = now + wait_after(state.failures)
    if dead:
        state.failures = 0
    state.save()
    _log(output, Delivery.Result.DEAD if dead else Delivery.Result.FAILED, hits, seconds, message)
    return dead


@transaction.atomic
def redeliver(user: User, filter_id: int, since_mjd: float, until_mjd: float) -> Redelivery:
    """Ask to have a filter's hits of a past interval (MJD TAI) again.

    Raises
    ------
    NotFound, NotAllowed
        If the filter is not there, or not the user's to change.
    Invalid
        If the interval is empty.
    """
    found = sharing.editable(Filter.objects.all(), user, filter_id)
    if not since_mjd < until_mjd:
        raise Invalid({"since_mjd": "must be before the end of the interval"})
    return Redelivery.objects.create(filter=found, since_mjd=since_mjd, until_mjd=until_mjd, by=user)


def _state(output: FilterOutput) -> OutputState:
    OutputState.objects.get_or_create(output=output)
    return OutputState.objects.select_for_update().get(output=output)


def _log(output: FilterOutput, result: str, hits: Sequence[str], seconds: float, message: str) -> Delivery:
    return Delivery.objects.create(
        output=output,
        at=timezone.now(),
        result=result,
        hits=len(hits),
        first_hit=hits[0] if hits else "",
        last_hit=hits[-1] if hits else "",
        seconds=seconds,
        message=message[:_MESSAGE_LENGTH],
    )
