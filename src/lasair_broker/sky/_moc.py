"""Regions of the sky as multi-order coverage maps (IVOA MOC 2.0): reading, making, measuring, writing."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits

from lasair_broker.sky._healpix import CELLS, ORDER

Int64 = npt.NDArray[np.int64]

__all__ = ["Moc", "MocError"]

_SKY_DEG2 = 4.0 * math.pi * math.degrees(1.0) ** 2
_CELLS_PER_RADIUS = 128
_FINEST_DRAWN_ORDER = 16
"""3 arcseconds: a drawn region is never finer, so that the rim of a large one stays of bearable length."""


class MocError(ValueError):
    """A region cannot be read or made; the message says what is wrong and what to give instead."""


@dataclass(frozen=True, eq=False)
class Moc:
    """A region of the sky, ICRS.

    Attributes
    ----------
    ranges
        Half-open ranges of nested order-29 cells, shape (n, 2), ascending, disjoint, not touching.
    order
        The finest order of the map's cells, as its maker declared it.
    """

    ranges: Int64
    order: int

    @classmethod
    def read(cls, data: bytes) -> Moc:
        """The MOC in a file's bytes: FITS, JSON or ASCII, told apart by their beginning.

        Raises
        ------
        MocError
            If it is none of these, broken, empty, not of space alone, or not in equatorial coordinates.
        """
        head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        if not head:
            raise MocError("the file is empty; give a MOC as FITS, JSON or ASCII")
        if head.startswith(b"SIMPLE"):
            _check_frame(data)
            return cls._of(_guarded(lambda: _mocpy().from_fits(io.BytesIO(data)), "FITS"))
        try:
            text = data.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise MocError(
                "neither a FITS file nor text; give a MOC as FITS (starts with SIMPLE), JSON or ASCII"
            ) from None
        kind = "json" if text.startswith("{") else "ascii"
        return cls._of(_guarded(lambda: _mocpy().from_string(text, format=kind), kind.upper()))

    @classmethod
    def circle(cls, ra: float, decl: float, radius_deg: float) -> Moc:
        """All cells that touch a circle, about 1/128 of the radius across but at least 3 arcseconds.

        Raises
        ------
        MocError
            If the centre is not a position or the radius not within 0 to 180 degrees.
        """
        return cls.fields([ra], [decl], radius_deg)

    @classmethod
    def fields(cls, ra: npt.ArrayLike, decl: npt.ArrayLike, radius_deg: npt.ArrayLike) -> Moc:
        """The union of circles, such as the fields of a survey.

        Parameters
        ----------
        ra, decl
            Centres in degrees, shape (n,).
        radius_deg
            One radius for all, or one each, in degrees.

        Raises
        ------
        MocError
            If a centre is not a position or a radius not within 0 to 180 degrees.
        """
        lon, lat, radius = (
            np.atleast_1d(a)
            for a in np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (ra, decl, radius_deg)))
        )
        _check_positions(lon, lat)
        bad = np.flatnonzero(~((radius > 0.0) & (radius <= 180.0)))
        if len(bad):
            raise MocError(
                f"field {bad[0] + 1}: the radius must be above 0 and at most 180°, not {radius[bad[0]]}"
            )
        order = _order_for(float(radius.min()) / _CELLS_PER_RADIUS)
        return cls._of(
            _mocpy().from_cones(
                lon=Longitude(lon % 360.0, u.deg),
                lat=Latitude(lat, u.deg),
                radius=radius * u.deg,
                max_depth=order,
                union_strategy="large_cones",
                delta_depth=0,  # a few cells more along the rim, five times faster
                n_threads=1,
            )
        )

    @classmethod
    def polygon(cls, ra: npt.ArrayLike, decl: npt.ArrayLike) -> Moc:
        """All cells that touch a polygon with great-circle sides, no larger than a hemisphere.

        Parameters
        ----------
        ra, decl
            Corners in order, either way round, in degrees; the last need not repeat the first.

        Raises
        ------
        MocError
            If there are fewer than three different corners, a corner is not a position, or they do not lie
            within one hemisphere.
        """
        lon, lat = np.broadcast_arrays(
            np.atleast_1d(np.asarray(ra, np.float64)), np.asarray(decl, np.float64)
        )
        _check_positions(lon, lat)
        lon = lon % 360.0
        if len(lon) > 1 and lon[0] == lon[-1] and lat[0] == lat[-1]:
            lon, lat = lon[:-1], lat[:-1]
        corners = np.unique(np.stack([lon, lat], axis=1), axis=0)
        if len(corners) < 3:
            raise MocError(f"a polygon needs at least 3 different corners, there are {len(corners)}")
        if len(corners) < len(lon):
            raise MocError("a corner occurs twice; give each corner once, in order along the rim")
        cos_lat = np.cos(np.radians(lat))
        vectors = np.stack(
            [cos_lat * np.cos(np.radians(lon)), cos_lat * np.sin(np.radians(lon)), np.sin(np.radians(lat))],
            axis=1,
        )
        middle = vectors.sum(axis=0)
        length = float(np.linalg.norm(middle))
        if length < 1e-9 or float((vectors @ middle).min()) <= 0.0:
            raise MocError("the polygon is larger than a hemisphere; give it as several smaller ones")
        extent = math.degrees(math.acos(min(1.0, float((vectors @ middle).min()) / length)))
        order = _order_for(extent / _CELLS_PER_RADIUS)
        return cls._of(
            _guarded(
                lambda: _mocpy().from_polygon(Longitude(lon, u.deg), Latitude(lat, u.deg), max_depth=order),
                "polygon",
            )
        )

    @classmethod
    def from_ranges(cls, ranges: npt.ArrayLike, order: int = ORDER) -> Moc:
        """A region of half-open ranges of order-29 cells, shape (n, 2), in any order."""
        pairs = np.asarray(ranges, np.int64).reshape(-1, 2)
        if len(pairs) and (pairs.min() < 0 or pairs.max() > CELLS or np.any(pairs[:, 0] >= pairs[:, 1])):
            raise MocError("ranges must be half-open and within the cells of order 29")
        return cls._of(_mocpy().from_depth29_ranges(order, pairs.astype(np.uint64)))

    @property
    def area_deg2(self) -> float:
        """Area in square degrees."""
        return float(np.sum(self.ranges[:, 1] - self.ranges[:, 0], dtype=np.float64)) / CELLS * _SKY_DEG2

    def contains(self, healpix29: Int64) -> npt.NDArray[np.bool_]:
        """Which order-29 cells lie in the region; -1 does not."""
        place = np.searchsorted(self.ranges.ravel(), healpix29, side="right")
        inside: npt.NDArray[np.bool_] = place % 2 == 1
        return inside

    def to_fits(self) -> bytes:
        """The MOC as an IVOA FITS file."""
        out = io.BytesIO()
        self._as_mocpy().serialize(format="fits").writeto(out)
        return out.getvalue()

    def to_ascii(self) -> str:
        """The MOC in IVOA's ASCII form, as ``order/cells``."""
        return str(self._as_mocpy().to_string(format="ascii"))

    def _as_mocpy(self) -> Any:
        return _mocpy().from_depth29_ranges(self.order, self.ranges.astype(np.uint64))

    @classmethod
    def _of(cls, moc: Any) -> Moc:
        try:
            order = int(moc.max_order)
            ranges = np.ascontiguousarray(moc.to_depth29_ranges, np.int64).reshape(-1, 2)
        except (ValueError, AttributeError):  # mocpy wraps a time map in the class of sky maps
            raise MocError("not a map of space alone (it has time or frequency); give a sky MOC") from None
        if not len(ranges):
            raise MocError("the region is empty")
        if ranges[-1, 1] > CELLS:
            raise MocError("the map has cells that do not exist: at order k they are 0 to 12·4^k − 1")
        return cls(ranges, order)


def _mocpy() -> Any:
    """mocpy's MOC, imported when first needed: it brings matplotlib along, which few commands need."""
    from mocpy import MOC

    return MOC


def _guarded(make: Callable[[], Any], what: str) -> Any:
    """Call mocpy; its Rust panics do not derive from Exception, so they are told by name."""
    try:
        return make()
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error).strip().partition("\n")[0]
        raise MocError(f"cannot read this as a MOC ({what}): {reason}") from None


def _check_frame(data: bytes) -> None:
    try:
        with fits.open(io.BytesIO(data)) as hdus:
            frame = str(hdus[1].header.get("COORDSYS", "C")).strip() if len(hdus) > 1 else ""
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MocError(f"the FITS file is broken: {error}") from None
    if not frame:
        raise MocError("the FITS file has no table; a MOC is a table of cells in its first extension")
    if frame not in ("C", "ICRS"):
        raise MocError(
            f"the map's coordinate system is {frame}; convert it to equatorial (ICRS, COORDSYS = 'C')"
        )


def _check_positions(ra: npt.NDArray[np.float64], decl: npt.NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~(np.isfinite(ra) & (np.abs(decl) <= 90.0)))
    if len(ra) == 0:
        raise MocError("no positions given")
    if len(bad):
        i = int(bad[0])
        raise MocError(
            f"position {i + 1} is not one: ra={ra[i]}, decl={decl[i]}; give degrees, Dec within ±90"
        )


def _order_for(cell_deg: float) -> int:
    """The coarsest order with cells no larger than this, at most _FINEST_DRAWN_ORDER."""
    side = math.degrees(math.sqrt(4.0 * math.pi / 12.0))
    return max(0, min(_FINEST_DRAWN_ORDER, math.ceil(math.log2(side / cell_deg))))
