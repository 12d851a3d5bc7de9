"""The whole sky in an equal-area projection, as a picture that is part of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from astropy.coordinates import SkyCoord
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 720.0, 360.0
_STEP = 5


@dataclass(frozen=True)
class Mark:
    """A place with a name and a page."""

    ra: float
    decl: float
    name: str
    address: str


def sky(marks: Sequence[Mark]) -> SafeString:
    """Places on Hammer's map of the sky, on which equal areas are equal: 0h in the middle, right ascension to
    the left."""
    grid = [_path((ra, decl) for decl in range(-90, 91, _STEP)) for ra in range(0, 360, 30)]
    grid += [_path((ra, decl) for ra in _rights()) for decl in range(-60, 61, 30)]
    rim = _path(
        [(179.999, d) for d in range(-90, 91, _STEP)] + [(180.001, d) for d in range(90, -91, -_STEP)]
    )
    points = (
        (
            mark.address or "#",
            f"{mark.name}: {mark.ra:.4f}, {mark.decl:+.4f}",
            *map(_written, project(mark.ra, mark.decl)),
        )
        for mark in marks
    )
    return format_html(
        '<svg class="sky" viewBox="-4 -4 {} {}" role="group" aria-label="Places of {} objects on the sky">'
        '<path class="rim" d="{}"/>{}<path class="galaxy" d="{}"/>{}</svg>',
        _WIDTH + 8,
        _HEIGHT + 8,
        len(marks),
        rim,
        format_html_join("", '<path class="grid" d="{}"/>', ((path,) for path in grid)),
        _galactic_plane(),
        format_html_join(
            "", '<a href="{0}"><circle cx="{2}" cy="{3}" r="4"><title>{1}</title></circle></a>', points
        ),
    )


def project(ra: float, decl: float) -> tuple[float, float]:
    """Hammer's projection: pixels from the upper left corner for a place in degrees."""
    lon = math.radians(-((ra + 180.0) % 360.0 - 180.0))
    lat = math.radians(decl)
    scale = math.sqrt(1.0 + math.cos(lat) * math.cos(lon / 2.0))
    x = 2.0 * math.cos(lat) * math.sin(lon / 2.0) / scale
    y = math.sin(lat) / scale
    return _WIDTH / 2 * (1 + x / 2), _HEIGHT / 2 * (1 - y)


def _rights() -> list[float]:
    return [179.999, *range(175, -180, -_STEP), -179.999]


def _path(places: Iterable[tuple[float, float]]) -> str:
    points = [project(*place) for place in places]
    parts, previous = [], None
    for x, y in points:
        jump = previous is not None and abs(x - previous) > _WIDTH / 4
        parts.append(f"{'M' if previous is None or jump else 'L'}{_written(x)} {_written(y)}")
        previous = x
    return "".join(parts)


def _galactic_plane() -> str:
    plane = SkyCoord(l=list(range(0, 361, 3)), b=[0.0] * 121, unit="deg", frame="galactic").icrs
    return _path(zip(plane.ra.deg.tolist(), plane.dec.deg.tolist(), strict=True))


def _written(value: float) -> str:
    return f"{value:.1f}"
