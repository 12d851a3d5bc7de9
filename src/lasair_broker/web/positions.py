"""Positions on the sky as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lasair_broker.sky import angles
from lasair_broker.web.errors import Invalid

RADIUS, LARGEST_RADIUS = 5.0, 3600.0
"""Of a cone, arcseconds: if none is given, and the largest."""

_UNITS = {
    "arcsec": 1.0,
    "arcseconds": 1.0,
    "as": 1.0,
    "″": 1.0,
    '"': 1.0,
    "''": 1.0,
    "arcmin": 60.0,
    "arcminutes": 60.0,
    "am": 60.0,
    "′": 60.0,
    "'": 60.0,
    "deg": 3600.0,
    "degrees": 3600.0,
    "°": 3600.0,
}
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_SAID_RADIUS = re.compile(
    rf"[\s,;]+(?:(?:r|radius|within)\s*[=:]?\s*(?P<said>{_NUMBER})\s*(?P<unit>{_UNIT})?"
    rf"|(?P<plain>{_NUMBER})\s*(?P<word>arcsec|arcseconds|arcmin|arcminutes|deg|degrees))\s*$",
    re.IGNORECASE,
)
_ONE_RADIUS = re.compile(rf"^(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})?$", re.IGNORECASE)
_WORDS = re.compile(r"\b(?:ra|dec|decl|icrs|j2000(?:\.0)?|fk5)\b\s*[=:]?|[()\[\]]", re.IGNORECASE)
_J_NAME = re.compile(
    r"^(?:[A-Za-z0-9-]+\s+)?J(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+\-−])(\d{2})(\d{2})(\d{2}(?:\.\d+)?)$"
)
_DECIMAL = re.compile(rf"^[+\-−]?(?:{_NUMBER})$")


@dataclass(frozen=True)
class Position:
    """A place: degrees (ICRS), and arcseconds around it."""

    ra: float
    decl: float
    radius: float = RADIUS


def position(text: str) -> Position | None:
    """A position as people write it; None if the text is none.

    Degrees; ``hh:mm:ss``, ``hh mm ss`` and ``12h34m56s`` of right ascension; ``±dd:mm:ss`` and the like of
    declination; a name that begins with J and tells it; then, if wanted, a radius.

    Raises
    ------
    Invalid
        If it is one, but nowhere on the sky, or the radius is too large.
    """
    named = _J_NAME.match(text.strip())
    if named:
        h, m, s, sign, d, dm, ds = named.groups()
        text = f"{h}:{m}:{s} {sign}{d}:{dm}:{ds}"
    plain = _WORDS.sub(" ", text).strip()
    plain, radius = _without_radius(plain)
    for ra, decl, third in _splits(plain):
        if third is not None and radius is not None:
            continue
        place = _degrees(ra, decl)
        if place is None:
            continue
        asked = radius if radius is not None else _arcsec(third) if third is not None else RADIUS
        if asked is None:
            continue
        return _checked(*place, asked, text)
    return None


def _without_radius(text: str) -> tuple[str, float | None]:
    said = _SAID_RADIUS.search(text)
    if said is None:
        return text, None
    unit = (said["unit"] or said["word"] or "arcsec").lower()
    return text[: said.start()].strip(" ,;"), float(said["said"] or said["plain"]) * _UNITS[unit]


def _splits(text: str) -> Iterable[tuple[str, str, str | None]]:
    """Ways to read a text as right ascension, declination and, perhaps, radius."""
    words = text.replace(",", " ").split()
    if len(words) == 3 and all(map(_DECIMAL.match, words[:2])) and _ONE_RADIUS.match(words[2]):
        yield words[0], words[1], words[2]
    parts = [part.strip() for part in text.split(",")]
    if len(parts) in (2, 3):
        yield parts[0], parts[1], parts[2] if len(parts) == 3 else None
    signed = re.match(r"^(\S.*?)\s*([+\-−]\s*\S.*)$", text)
    if signed and not re.search(r"[eE]$", signed[1]):
        ra, decl = signed[1].rstrip(" ,"), signed[2].strip()
        yield ra, decl, None
        last = re.match(r"^(.*\S)[\s,]+(\S+)$", decl)
        if last:
            yield ra, last[1], last[2]
    if len(words) in (2, 3):
        yield words[0], words[1], words[2] if len(words) == 3 else None
    if len(words) in (6, 7):
        yield " ".join(words[:3]), " ".join(words[3:6]), words[6] if len(words) == 7 else None


def _degrees(ra: str, decl: str) -> tuple[float, float] | None:
    alpha = float(angles(pa.array([ra]), hours=True)[0])
    delta = float(angles(pa.array([re.sub(r"^([+\-−])\s+", r"\1", decl)]), hours=False)[0])
    return None if np.isnan(alpha) or np.isnan(delta) else (alpha, delta)


def _arcsec(text: str) -> float | None:
    read = _ONE_RADIUS.match(text)
    return None if read is None else float(read["number"]) * _UNITS[(read["unit"] or "arcsec").lower()]


def _checked(ra: float, decl: float, radius: float, text: str) -> Position:
    shown = text.strip()[:60]
    if not -90.0 <= decl <= 90.0:
        raise Invalid({"q": f"{shown}: declination must lie between -90 and 90 degrees."})
    if not 0.0 <= ra <= 360.0:
        raise Invalid({"q": f"{shown}: right ascension must lie between 0 and 360 degrees."})
    if not 0.0 < radius <= LARGEST_RADIUS:
        raise Invalid(
            {"q": f"{shown}: the radius must be above 0 and at most {LARGEST_RADIUS / 3600:g} degree."}
        )
    return Position(ra, decl, radius)
