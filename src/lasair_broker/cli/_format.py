"""Numbers, times and positions as people read them."""

from __future__ import annotations

import math
from typing import Any

from lasair_broker.packets import mjd_tai_to_utc
from lasair_broker.sky import sexagesimal

__all__ = ["bytes_size", "hours_and_degrees", "magnitude", "number", "utc"]


_HALF_MILLISECOND = 0.0005 / 86400


def number(value: Any) -> str:
    """A value with about four significant digits; whole numbers and text as they are; nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 0.01 <= abs(value) < 10_000:
        return f"{value:.4g}"
    return f"{value:,.0f}" if abs(value) < 1e9 and abs(value) >= 1 else f"{value:.3e}"


def magnitude(flux: float | None) -> str:
    """The AB magnitude of a flux in nJy to two decimals; empty if the flux is missing or not positive."""
    if flux is None or not flux > 0:
        return ""
    return f"{31.4 - 2.5 * math.log10(flux):.2f}"


def hours_and_degrees(ra: float, decl: float) -> str:
    """A position in degrees as ``hh:mm:ss.ss ±dd:mm:ss.s``."""
    return f"{sexagesimal(ra / 15.0, 2)} {sexagesimal(decl, 1, sign=True)}"


def utc(mjd_tai: float) -> str:
    """A time in MJD TAI as a UTC date and time to the second; far away from ours as it is."""
    try:
        # A full second is never quite one in a double.
        return f"{mjd_tai_to_utc(mjd_tai + _HALF_MILLISECOND):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return f"MJD {mjd_tai:.5f} TAI"


def bytes_size(count: float) -> str:
    """A number of bytes with a decimal prefix."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"
