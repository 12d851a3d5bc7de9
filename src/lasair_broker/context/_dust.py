"""Galactic reddening E(B-V) on the scale of Schlegel, Finkbeiner & Davis 1998 (ApJ 500, 525).

An operator's map is read if there is one: the two FITS files of the original, or a HEALPix table. Otherwise a
compact table that comes with Lasair stands in; it was made by `scripts/make-dust-table` and says itself how
good it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from astropy.coordinates import Latitude, Longitude
from astropy.io import fits
from cdshealpix import nested, to_ring

from lasair_broker.context.errors import ContextError
from lasair_broker.sky import galactic_coordinates

__all__ = ["CompactDust", "Dust", "HealpixDust", "Reddening", "SFDDust", "open_dust"]

Float64 = npt.NDArray[np.float64]

_SFD_ERROR = 0.16
"""Relative error that Schlegel et al. state for their map."""

_PLANE = 5.0
"""Degrees of galactic latitude below which no map of this kind can be relied upon."""


@dataclass(frozen=True)
class Reddening:
    """E(B-V) in mag with one-sigma errors, NaN where it is not known, and the name of the map."""

    ebv: Float64
    error: Float64
    source: str


class Dust(Protocol):
    """A map of reddening."""

    @property
    def source(self) -> str:
        """A name for it, as it stands in the column `ebvSource`."""
        ...

    def __call__(self, ra: npt.ArrayLike, decl: npt.ArrayLike) -> Reddening:
        """The reddening at ICRS positions (degrees); NaN for what is no position."""
        ...


class SFDDust:
    """The original map: two pixel grids in Lambert's zenithal equal-area projection, one for each galactic
    pole.

    Parameters
    ----------
    folder
        With ``SFD_dust_4096_ngp.fits`` and ``SFD_dust_4096_sgp.fits``, or other files ending so.
    """

    source = "SFD98"

    def __init__(self, folder: Path) -> None:
        self._maps: dict[int, tuple[npt.NDArray[np.float32], float, float, float, float]] = {}
        for sign, pole in ((1, "ngp"), (-1, "sgp")):
            found = sorted(folder.glob(f"*{pole}.fits"))
            if len(found) != 1:
                raise ContextError(
                    f"the dust map {folder} must have one file *{pole}.fits, and has {len(found)}"
                )
            with _opened(found[0]) as hdus:
                header, data = hdus[0].header, hdus[0].data
                needed = ("LAM_NSGP", "LAM_SCAL", "CRPIX1", "CRPIX2")
                missing = [name for name in needed if name not in header]
                if missing or data is None or data.ndim != 2:
                    what = f"has no {', '.join(missing)}" if missing else "has no image"
                    raise ContextError(f"the dust map {found[0]} {what}: it is not one of SFD's files")
                grid = np.array(data, np.float32)
                pole_sign, scale, x0, y0 = (float(header[name]) for name in needed)
                self._maps[sign] = (grid, pole_sign, scale, x0, y0)

    def __call__(self, ra: npt.ArrayLike, decl: npt.ArrayLike) -> Reddening:
        longitude, latitude = galactic_coordinates(ra, decl)
        longitude, b = np.radians(longitude), np.radians(latitude)
        ebv = np.full(longitude.shape, np.nan)
        for sign, (grid, pole, scale, x0, y0) in self._maps.items():
            here = (latitude >= 0.0) == (sign > 0)
            here &= np.isfinite(latitude)
            radius = scale * np.sqrt(np.maximum(1.0 - pole * np.sin(b[here]), 0.0))
            x = radius * np.cos(longitude[here]) + x0 - 1.0
            y = -pole * radius * np.sin(longitude[here]) + y0 - 1.0
            ebv[here] = _bilinear(grid, x, y)
        return Reddening(ebv, _map_error(ebv, latitude), self.source)


class HealpixDust:
    """A full-sky HEALPix table in FITS, in galactic coordinates unless COORDSYS says C."""

    def __init__(self, path: Path) -> None:
        with _opened(path) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            if not tables or "NSIDE" not in tables[0].header:
                raise ContextError(f"the dust map {path} is no HEALPix table: it has no NSIDE")
            header = tables[0].header
            values = np.ascontiguousarray(tables[0].data.field(0), np.float64).ravel()
        nside = int(header["NSIDE"])
        if values.size != 12 * nside**2:
            raise ContextError(
                f"the dust map {path} has {values.size:,} pixels, not the {12 * nside**2:,} of NSIDE {nside}"
            )
        self.source = path.name
        self._galactic = str(header.get("COORDSYS", "G")).strip().upper()[:1] != "C"
        values = np.where(values < 0.0, np.nan, values)  # UNSEEN is -1.6e30
        if str(header.get("ORDERING", "RING")).strip().upper() != "NESTED":
            depth = int(nside).bit_length() - 1
            if 1 << depth != nside:
                raise ContextError(f"the dust map {path} has NSIDE {nside}, which is no power of 2")
            cells = np.arange(values.size, dtype=np.uint64)
            values = values[to_ring(cells, depth).astype(np.int64)]
        self._depth, self._values = int(nside).bit_length() - 1, values

    def __call__(self, ra: npt.ArrayLike, decl: npt.ArrayLike) -> Reddening:
        ebv = _interpolated(self._values, self._depth, ra, decl, self._galactic)
        return Reddening(ebv, _map_error(ebv, galactic_coordinates(ra, decl)[1]), self.source)


class CompactDust:
    """The table that comes with Lasair: E(B-V) and its relative error in HEALPix cells of order 6, galactic.

    It is smooth over a degree. Below 5 degrees of galactic latitude, and where it has few points nearby, its
    error says that it is a guess.
    """

    source = "compact SFD98 sample"

    def __init__(self) -> None:
        with as_file(files("lasair_broker.context") / "dust.npz") as path, np.load(path) as stored:
            self._log = stored["log_ebv"].astype(np.float64)
            self._error = stored["relative_error"].astype(np.float64)
        self._depth = round(np.log2(self._log.size / 12) / 2)

    def __call__(self, ra: npt.ArrayLike, decl: npt.ArrayLike) -> Reddening:
        ebv = np.exp(_interpolated(self._log, self._depth, ra, decl, True))
        relative = _interpolated(self._error, self._depth, ra, decl, True)
        return Reddening(ebv, ebv * relative, self.source)


def open_dust(path: Path | None) -> Dust:
    """The map at `path`: a folder with SFD's two files, or one HEALPix file; without one, the compact table.

    Raises
    ------
    ContextError
        If it is not there or is no such map; the message names the file.
    """
    if path is None:
        return CompactDust()
    if path.is_dir():
        return SFDDust(path)
    return HealpixDust(path)


def _opened(path: Path) -> fits.HDUList:
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        raise ContextError(f"cannot read the dust map {path}: {error}") from None


def _map_error(ebv: Float64, latitude: Float64) -> Float64:
    """The error of the original map; next to the plane unresolved clouds make it as large as the value."""
    return ebv * np.where(np.abs(latitude) < _PLANE, 1.0, _SFD_ERROR)


def _bilinear(grid: npt.NDArray[np.float32], x: Float64, y: Float64) -> Float64:
    rows, columns = grid.shape
    x, y = np.clip(x, 0.0, columns - 1.0), np.clip(y, 0.0, rows - 1.0)
    left = np.minimum(x.astype(np.int64), columns - 2)
    low = np.minimum(y.astype(np.int64), rows - 2)
    right, up = x - left, y - low
    value: Float64 = (
        grid[low, left] * (1.0 - right) * (1.0 - up)
        + grid[low, left + 1] * right * (1.0 - up)
        + grid[low + 1, left] * (1.0 - right) * up
        + grid[low + 1, left + 1] * right * up
    )
    return value


def _interpolated(
    values: Float64, depth: int, ra: npt.ArrayLike, decl: npt.ArrayLike, galactic: bool
) -> Float64:
    """Values of nested cells, interpolated between the four nearest; NaN for no position or an unknown
    cell."""
    lon, lat = (np.asarray(v, np.float64) for v in (ra, decl))
    if galactic:
        lon, lat = galactic_coordinates(lon, lat)
    out = np.full(np.shape(lon), np.nan)
    good = np.isfinite(lon) & (np.abs(lat) <= 90.0)
    if good.any():
        cells, weights = nested.bilinear_interpolation(
            Longitude(lon[good], unit="deg"), Latitude(lat[good], unit="deg"), depth
        )
        # At the few corners where three cells meet the fourth is masked.
        share = np.ma.filled(weights, 0.0)
        out[good] = np.sum(values[np.ma.filled(cells, 0).astype(np.int64)] * share, axis=-1)
    return out
