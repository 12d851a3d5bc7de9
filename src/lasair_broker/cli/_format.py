"""Numbers, times and positions as people read them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["bytes_size", "magnitude", "number", "sexagesimal", "utc"]


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


def sexagesimal(ra: float, decl: float) -> str:
    """A position in degrees as ``hh:mm:ss.ss ±dd:mm:ss.s``."""
    from astropy.coordinates import Angle  # half a second to import, so only when needed

    hours = Angle(ra, "deg").to_string(unit="hour", sep=":", precision=2, pad=True)
    degrees = Angle(decl, "deg").to_string(sep=":", precision=1, pad=True, alwayssign=True)
    return f"{hours} {degrees}"


def utc(mjd_tai: float) -> str:
    """A time in MJD TAI as a UTC date and time to the second."""
    from astropy.time import Time

    return f"{Time(mjd_tai, format='mjd', scale='tai').utc.strftime('%Y-%m-%d %H:%M:%S')} UTC"


def bytes_size(count: float) -> str:
    """A number of bytes with a decimal prefix."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"
