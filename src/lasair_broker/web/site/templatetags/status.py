"""Filters of the page of the status: ``{% load status %}``."""

from __future__ import annotations

import math
from datetime import date, timedelta

from django import template

register = template.Library()

_MJD_0 = date(1858, 11, 17)
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


@register.filter
def date_of_mjd(mjd: int) -> str:
    """The date of a whole MJD, as ISO 8601 has it."""
    return (_MJD_0 + timedelta(days=int(mjd))).isoformat()


@register.filter
def duration(seconds: float | None) -> str:
    """A time in the unit that suits it, to two digits; "" for one that is missing.

    What has no bound took longer than anything that is counted.
    """
    if seconds is None:
        return ""
    if math.isinf(seconds):
        return "more than a day"
    size, unit = next((found for found in _UNITS if seconds >= found[0]), _UNITS[-1])
    value = seconds / size
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
