"""The whole sky as a picture: places, regions and densities in Mollweide's equal-area projection, as SVG.

Right ascension grows to the left, as seen from below; 0h is in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from lasair_broker.sky import Moc

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

WIDTH, HEIGHT = 720.0, 360.0
"""Of the ellipse, in the units of the drawing."""

MOST_POINTS = 3000
_MOST_CELLS = 1500
_FINEST_ORDER = 8
_LEVELS = 6
_SMALL_DEG2 = 30.0


@dataclass(frozen=True)
class Mark:
    """A place: x and y in the drawing."""

    x: str
    y: str


@dataclass(frozen=True)
class Region:
    """Cells of the sky: the path that fills them, and how strongly, from 0 to 1."""

    path: str
    strength: str = "0.45"


@dataclass(frozen=True)
class Picture:
    """What the template `site/sky/_picture.html` draws.

    Attributes
    ----------
    label
        Says in words what is to be seen.
    rings
        Places to be pointed out: of regions too small to be seen.
    """

    label: str
    points: Sequence[Mark] = ()
    regions: Sequence[Region] = ()
    rings: Sequence[Mark] = ()

    @property
    def grid(self) -> tuple[str, ...]:
        """Parallels and meridians."""
        return _grid()

    @property
    def labels(self) -> tuple[tuple[Mark, str], ...]:
        """What stands beside some of these."""
        return _labels()

    @property
    def galactic_plane(self) -> str:
        """The Galactic equator."""
        return _galactic_plane()


def mollweide(ra: npt.ArrayLike, decl: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Place in the drawing of positions (degrees, ICRS).

    Snyder, Map Projections: A Working Manual (1987), equations 31-1 to 31-4, the auxiliary angle by Newton's
    method.
    """
    longitude = np.radians((np.asarray(ra, np.float64) + 180.0) % 360.0 - 180.0)
    return _projected(longitude, np.radians(np.asarray(decl, np.float64)))


def places(ra: npt.ArrayLike, decl: npt.ArrayLike) -> list[Mark]:
    """Marks at positions (degrees); of very many an even choice."""
    x, y = mollweide(ra, decl)
    if len(x) > MOST_POINTS:
        some = np.linspace(0, len(x) - 1, MOST_POINTS).astype(np.int64)
        x, y = x[some], y[some]
    # Those that fall on the same spot are drawn once.
    spots = np.unique(np.round(np.column_stack([x, y]), 1), axis=0)
    return [Mark(f"{a:.1f}", f"{b:.1f}") for a, b in spots.tolist()]


def region(moc: Moc) -> tuple[list[Region], list[Mark]]:
    """A region as cells that are not too many, and a ring about it if it is too small to be seen."""
    order = min(_FINEST_ORDER, moc.order)
    cells = _cells(moc, order)
    while len(cells) > _MOST_CELLS:
        order -= 1
        cells = _cells(moc, order)
    ring: list[Mark] = []
    if moc.area_deg2 < _SMALL_DEG2 and len(cells):
        ra, decl = _centres(cells[:1], order)
        ring = places(ra, decl)
    return [Region(_path(cells, order))], ring


def density(counts: Int64) -> list[Region]:
    """How many sources are in each nested HEALPix cell, as levels of equal numbers of cells."""
    order = round(np.log2(len(counts) / 12) / 2)
    some = np.flatnonzero(counts)
    if not len(some):
        return []
    ranks = counts[some].argsort(kind="stable").argsort(kind="stable") * _LEVELS // len(some)
    return [
        Region(_path(some[ranks == level], order), f"{0.12 + 0.78 * level / (_LEVELS - 1):.2f}")
        for level in np.unique(ranks).tolist()
    ]


def _projected(longitude: Float64, latitude: Float64) -> tuple[Float64, Float64]:
    target = np.pi * np.sin(latitude)
    angle = latitude * 2.0
    for _ in range(60):
        slope = np.maximum(1.0 + np.cos(angle), 1e-12)
        angle = np.clip(angle - (angle + np.sin(angle) - target) / slope, -np.pi, np.pi)
    half = angle / 2.0
    x = WIDTH / 2.0 * (1.0 - longitude / np.pi * np.cos(half))
    return x, HEIGHT / 2.0 * (1.0 - np.sin(half))


def _cells(moc: Moc, order: int) -> Int64:
    """The cells of an order that a region touches."""
    shift = 2 * (29 - order)
    first, last = moc.ranges[:, 0] >> shift, (moc.ranges[:, 1] - 1) >> shift
    counts = last - first + 1
    starts = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.unique(starts + np.arange(int(counts.sum())))


def _centres(cells: Int64, order: int) -> tuple[Float64, Float64]:
    import cdshealpix.nested

    ra, decl = cdshealpix.nested.healpix_to_lonlat(cells.astype(np.uint64), order)
    return ra.deg, decl.deg


def _path(cells: Int64, order: int) -> str:
    """The outlines of cells as one path; one across the rim goes beyond it, and is cut off there."""
    import cdshealpix.nested

    ra, decl = cdshealpix.nested.vertices(cells.astype(np.uint64), order)
    centre, _ = _centres(cells, order)
    middle = np.radians((centre + 180.0) % 360.0 - 180.0)[:, None]
    beside = (ra.rad - middle + np.pi) % (2.0 * np.pi) - np.pi
    beside = np.where(np.abs(decl.deg) > 90.0 - 1e-9, 0.0, beside)  # a pole has any right ascension
    x, y = _projected((middle + beside).ravel(), decl.rad.ravel())
    corners = [f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return "".join("M" + "L".join(corners[n : n + 4]) + "Z" for n in range(0, len(corners), 4))


@cache
def _grid() -> tuple[str, ...]:
    """Parallels and meridians every 30 and 60 degrees."""
    along = np.linspace(-180.0, 180.0, 73)
    up = np.linspace(-90.0, 90.0, 61)
    lines = [(along, np.full(along.shape, decl)) for decl in (-60.0, -30.0, 0.0, 30.0, 60.0)]
    lines += [(np.full(up.shape, ra), up) for ra in (-120.0, -60.0, 0.0, 60.0, 120.0)]
    return tuple(_line(*_projected(np.radians(ra), np.radians(decl))) for ra, decl in lines)


@cache
def _labels() -> tuple[tuple[Mark, str], ...]:
    """Hours along the equator, and degrees along the middle."""
    named = [(15.0 * hours, 0.0, f"{hours}h") for hours in (0, 4, 8, 16, 20)]
    named += [(0.0, decl, f"{decl:+.0f}°") for decl in (-60.0, -30.0, 30.0, 60.0)]
    x, y = mollweide([ra for ra, _, _ in named], [decl for _, decl, _ in named])
    return tuple(
        (Mark(f"{a:.1f}", f"{b:.1f}"), text)
        for a, b, (_, _, text) in zip(x.tolist(), y.tolist(), named, strict=True)
    )


@cache
def _galactic_plane() -> str:
    from astropy.coordinates import Galactic, SkyCoord

    plane = SkyCoord(l=np.linspace(0.0, 360.0, 181), b=np.zeros(181), unit="deg", frame=Galactic).icrs
    x, y = mollweide(plane.ra.deg, plane.dec.deg)
    breaks = np.flatnonzero(np.abs(np.diff(x)) > WIDTH / 4.0) + 1
    return "".join(
        _line(a, b) for a, b in zip(np.split(x, breaks), np.split(y, breaks), strict=True) if len(a) > 1
    )


def _line(x: Float64, y: Float64) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
