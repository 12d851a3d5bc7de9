"""Fields of notices as numbers and times, with errors that name them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lasair_broker.context.events._times import mjd_tai
from lasair_broker.context.events.errors import EventError

__all__ = ["real", "shown", "time"]


def shown(value: object) -> str:
    """A value as it stands in a message."""
    return repr(value)[:60]


def real(notice: Mapping[str, Any], name: str) -> float | None:
    """A number; None if it is not there.

    Raises
    ------
    EventError
        If it is something else.
    """
    value = notice.get(name)
    if value is None or isinstance(value, bool):
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise EventError(f"{name}={shown(value)} is no number")
    return float(value)


def time(notice: Mapping[str, Any], name: str) -> float | None:
    """A time, MJD TAI; None if it is not there.

    Raises
    ------
    EventError
        If it is something else.
    """
    value = notice.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise EventError(f"{name}={shown(value)} is no time")
    try:
        return mjd_tai(value)
    except EventError as error:
        raise EventError(f"{name}: {error}") from None
