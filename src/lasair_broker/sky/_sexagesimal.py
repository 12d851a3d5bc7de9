"""Angles as hours or degrees, minutes and seconds."""

from __future__ import annotations

__all__ = ["sexagesimal"]


def sexagesimal(value: float, decimals: int, *, sign: bool = False) -> str:
    """A number as ``hh:mm:ss.ss``; the last place is rounded and carries."""
    units = round(abs(value) * 3600 * 10**decimals)
    if not sign:
        units %= 24 * 3600 * 10**decimals  # 23:59:59.999 rounds to 0 h, not to 24 h
    minutes, rest = divmod(units, 60 * 10**decimals)
    whole, minutes = divmod(minutes, 60)
    mark = ("-" if value < 0 else "+") if sign else ""
    return f"{mark}{whole:02d}:{minutes:02d}:{rest / 10**decimals:0{decimals + 3}.{decimals}f}"
