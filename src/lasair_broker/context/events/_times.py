"""Times as notices write them, in MJD TAI."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import mjd_utc_to_mjd_tai

__all__ = ["mjd_tai"]

_POSIX_EPOCH = 40587.0
_DAY = 86_400.0
_FRACTION = re.compile(r"(\.\d{6})\d+")
_AHEAD_OF_TAI = {"tai": 0.0, "tt": 32.184, "tdb": 32.184, "gps": -19.0}
"""Seconds by which a time scale is ahead of TAI (TDB to 2 ms)."""


def mjd_tai(text: str, scale: str = "utc") -> float:
    """MJD TAI (days) of an ISO 8601 time; without zone it is in `scale` (utc, tai, tt, tdb or gps).

    Raises
    ------
    EventError
        If it is none.
    """
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text.strip()))
    except ValueError:
        raise EventError(f"{text[:60]!r} is no time; write it as 2026-05-30T12:00:00Z") from None
    if moment.tzinfo is not None:
        scale = "utc"
        moment = moment.astimezone(UTC)
    else:
        moment = moment.replace(tzinfo=UTC)
    mjd = _POSIX_EPOCH + (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / _DAY
    if scale == "utc":
        return float(mjd_utc_to_mjd_tai(mjd))
    if scale not in _AHEAD_OF_TAI:
        raise EventError(f"times in {scale!r} are not understood; they may be in utc, tai, tt, tdb or gps")
    return mjd - _AHEAD_OF_TAI[scale] / _DAY
