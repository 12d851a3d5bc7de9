"""Hits in words, for people."""

from __future__ import annotations

from typing import Any

from ._outputs import Output
from ._parcel import Parcel

__all__ = ["few_lines", "number", "summary"]

_MOST_COLUMNS = 8


def few_lines(parcel: Parcel, most: int, site_url: str = "") -> str:
    """A line for each of the first hits, and how many more there are."""
    lines = []
    for object_id, values in zip(parcel.diaObjectIds[:most], parcel.select(0, most).values(), strict=False):
        shown = [f"{name} {number(value)}" for name, value in values.items() if name != "diaObjectId"]
        link = f" {site_url.rstrip('/')}/objects/{object_id}/" if site_url else ""
        lines.append(f"{object_id}{link}" + (f": {', '.join(shown[:_MOST_COLUMNS])}" if shown else ""))
    if len(parcel) > most:
        lines.append(f"and {len(parcel) - most:,} more")
    return "\n".join(lines)


def number(value: Any) -> str:
    """A value as people read it; a dash for NULL."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())[:200]


def summary(output: Output, held_back: int) -> str:
    """That hits were held back, why, and what to do."""
    return (
        f"{held_back:,} hits of {output.name} were not sent one by one, because this output has a limit of"
        f" {output.hourly_limit:,} an hour. They are all kept: ask for a redelivery, or raise the limit."
    )
