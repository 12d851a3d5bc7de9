"""Filters of the pages of objects: ``{% load objects %}``."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

from django import template
from django.templatetags.static import static

from lasair_broker.packets import mjd_tai_to_utc
from lasair_broker.web.site.templatetags.site import figure

register = template.Library()

_HALF_MILLISECOND = 0.0005 / 86400


@register.filter
def utc(mjd_tai: float | None, between: str = " ") -> str:
    """A time in MJD TAI as UTC to the second."""
    if mjd_tai is None or not math.isfinite(mjd_tai):
        return ""
    try:
        moment = mjd_tai_to_utc(mjd_tai + _HALF_MILLISECOND)  # a full second is never quite one in a double
    except (ValueError, OverflowError):  # an invented time, of the year 4,000,000
        return f"MJD {mjd_tai:.5f} TAI"
    text = f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{text.replace(' ', between)}Z" if between == "T" else text


@register.filter
def days(value: float) -> str:
    """A span of days in words."""
    for size, word in ((1 / 1440, "minute"), (1 / 24, "hour"), (1.0, "day")):
        count = value / size
        if count < {"minute": 90, "hour": 48}.get(word, math.inf):
            shown = f"{count:.0f}"
            return f"{shown} {word}{'' if shown == '1' else 's'}"
    return ""


@register.filter
def magnitude(flux: float | None) -> str:
    """The AB magnitude of a flux in nJy."""
    return f"{31.4 - 2.5 * math.log10(flux):.2f} mag" if flux is not None and flux > 0 else ""


@register.filter
def percent(value: float | None) -> str:
    """A share as a percentage."""
    if value is None:
        return ""
    return f"{100 * value:.3g} %" if value >= 0.001 or value == 0 else "< 0.1 %"


@register.filter
def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign."""
    return "" if value is None else f"{'+' if value >= 0 else '−'}{figure(abs(value), digits)}"


@register.filter
def unlocal(value: float) -> str:
    """A number as SVG and HTML write it."""
    return f"{value:.9g}"


@register.filter
def minus(value: float, other: float) -> str:
    """A difference as SVG writes it."""
    return unlocal(float(value) - float(other))


@register.filter
def pretty_json(text: str) -> str:
    """JSON in lines; what is none as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


@register.filter
def is_web(address: str | None) -> bool:
    """Whether an address that a user gave may be a link."""
    return bool(address) and str(address).lower().startswith(("http://", "https://"))


@register.filter
def triples(bands: list[str]) -> list[str]:
    """Every three bands, in order."""
    return ["".join(three) for three in combinations(bands, 3)]


@register.simple_tag
def static_file(path: str) -> Any:
    """The address of a file that is not built."""
    return static(path)
