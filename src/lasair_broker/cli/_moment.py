"""Times as people give them to commands."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import typer

from lasair_broker.packets import mjd_tai_now, posix_micros_to_mjd_tai

__all__ = ["moment"]

_DAYS = {"s": 1 / 86_400, "m": 1 / 1_440, "h": 1 / 24, "d": 1.0}


def moment(text: str) -> float:
    """MJD TAI of a UTC date and time (ISO 8601), an MJD (TAI), or how long ago it was (90s, 5m, 2h, 3d).

    Raises
    ------
    BadParameter
        If it is none of these.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    if ago:
        return mjd_tai_now() - float(ago[1]) * _DAYS[ago[2]]
    if re.fullmatch(r"\d{1,6}(\.\d+)?", text.strip()):
        return float(text)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: give 2026-01-31T02:30 (UTC), an MJD (TAI), or how long ago, such as 2h"
        ) from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    return float(posix_micros_to_mjd_tai(found.timestamp() * 1e6))
