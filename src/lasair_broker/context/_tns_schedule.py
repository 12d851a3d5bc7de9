"""Which of TNS's lists are wanted next: the whole one, then those of days, then those of hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["TnsList", "lists_due"]

_WHOLE = "tns_public_objects.csv.zip"
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_BEHIND = 3 * _DAY
"""Farther behind, the whole list is fetched: those of single days are not kept for ever."""

_DAILY_READY = timedelta(minutes=30)
_HOURLY_READY = timedelta(minutes=10)
"""So long after the end of a day or an hour its list is there."""


@dataclass(frozen=True, slots=True)
class TnsList:
    """A list to fetch.

    Attributes
    ----------
    name
        Of the file.
    until
        With it all is known that was reported until then, UTC.
    may_lack
        Whether TNS may have no such list, since nothing was reported, or not yet.
    """

    name: str
    until: datetime
    may_lack: bool = False


def lists_due(known_until: datetime | None, now: datetime) -> list[TnsList]:
    """The lists to fetch, in order.

    The list of a day is fetched even if those of its hours were: they are a foretaste, and the day's has what
    they lack.

    Parameters
    ----------
    known_until
        Until when everything is known, UTC; None: nothing is.
    now
        UTC.
    """
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found: list[TnsList] = []
    if known_until is None or known_until < now - _BEHIND:
        known_until = today if now >= today + _DAILY_READY else today - _DAY
        found.append(TnsList(_WHOLE, known_until))
    day = known_until.replace(hour=0, minute=0, second=0, microsecond=0)
    while day + _DAY + _DAILY_READY <= now:
        known_until = day + _DAY
        found.append(TnsList(f"tns_public_objects_{day:%Y%m%d}.csv.zip", known_until))
        day = known_until
    hour = max(known_until.replace(minute=0, second=0, microsecond=0), today)
    while hour + _HOUR + _HOURLY_READY <= now:
        # The last hour never completes its day.
        until = min(hour + _HOUR, today + _DAY - timedelta(seconds=1))
        found.append(TnsList(f"tns_public_objects_{hour:%H}.csv.zip", until, may_lack=True))
        hour += _HOUR
    return found
