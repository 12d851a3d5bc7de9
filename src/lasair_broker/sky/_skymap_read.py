"""Reading probability maps: the multi-order form of LIGO, Virgo and KAGRA, and HEALPix maps of one order."""

from __future__ import annotations

import gzip
import io
import math
import warnings
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from cdshealpix.ring import healpix_to_lonlat

from lasair_broker.sky._healpix import ORDER, healpix29
from lasair_broker.sky._skymap import Float64, Int64, SkyMap, SkyMapError

__all__ = ["read_skymap"]

_LARGEST = 1 << 30
_DISTANCE = ("DISTMU", "DISTSIGMA", "DISTNORM")
_PROBABILITIES = ("PROB", "PROBABILITY", "PROBDENSITY")
_PER_DEG2 = math.degrees(1.0) ** 2


def read_skymap(data: bytes) -> SkyMap:
    """The map in a FITS file's bytes, gzip or not.

    A table with cells (UNIQ, or a HEALPix map with PIXEL or without: NESTED or RING) and a probability
    (PROB, PROBABILITY, PROBDENSITY), with DISTMU, DISTSIGMA and DISTNORM of maps with distances.

    Raises
    ------
    SkyMapError
        If it is none, damaged, or not in equatorial coordinates.
    """
    table = _table(_unpacked(data))
    header = table.header
    names = {name.upper(): name for name in table.columns.names}
    frame = str(header.get("COORDSYS", "C")).strip().upper()
    if frame not in ("C", "ICRS", "EQUATORIAL", "CELESTIAL", ""):
        raise SkyMapError(f"the map's coordinates are {frame}; only equatorial ones are read (COORDSYS C)")
    given = next((name for name in _PROBABILITIES if name in names), None)
    if given is None:
        raise SkyMapError(f"the map has no column {', '.join(_PROBABILITIES[:-1])} or {_PROBABILITIES[-1]}")

    def column(name: str) -> Float64:
        values = np.asarray(table.data[names[name]])
        if values.dtype.kind not in "fiu":
            raise SkyMapError(f"column {name} of the map holds no numbers")
        return np.ascontiguousarray(values.reshape(-1), np.float64)

    value = column(given)
    start, order = _cells(table, names, len(value))
    unit = str(header.get(f"TUNIT{list(names).index(given) + 1}", "")).replace(" ", "")
    size_sr = 4.0 * math.pi / 12.0 / 4.0 ** order.astype(np.float64)
    if "deg" in unit:
        density = value * _PER_DEG2
    elif given == "PROBDENSITY" or "sr" in unit:
        density = value
    else:
        density = value / size_sr
    distance = None
    if all(name in names for name in _DISTANCE):
        mu, sigma, norm = (column(name) for name in _DISTANCE)
        if not len(mu) == len(sigma) == len(norm) == len(value):
            raise SkyMapError("the distances of the map are not one for each cell")
        distance = mu, sigma, norm
    return SkyMap.of_cells(*_united(start, order, density, distance))


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.open(io.BytesIO(data)) as file:
            unpacked = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SkyMapError(f"the map cannot be unpacked: {error}") from None
    if len(unpacked) > _LARGEST:
        raise SkyMapError("the map is larger than 1 GB")
    return unpacked


def _table(data: bytes) -> Any:
    if not data.startswith(b"SIMPLE"):
        raise SkyMapError("it is no FITS file")
    try:
        with (
            warnings.catch_warnings(action="error", category=AstropyUserWarning),  # "may be truncated"
            fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=False) as hdus,
        ):
            found = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if found is not None and found.data is not None and len(found.data):
                return found
    except Exception as error:  # astropy raises whatever a broken header leads to
        raise SkyMapError(f"the FITS file is damaged: {error}") from None
    raise SkyMapError("the FITS file has no table, or an empty one")


def _cells(table: Any, names: dict[str, str], count: int) -> tuple[Int64, npt.NDArray[np.int8]]:
    """First order-29 cell and order of each row."""
    if "UNIQ" in names:
        uniq = np.asarray(table.data[names["UNIQ"]]).reshape(-1)
        if uniq.dtype.kind not in "iu" or len(uniq) != count:
            raise SkyMapError("column UNIQ of the map does not number its cells")
        uniq = uniq.astype(np.int64)
        if uniq.min() < 4 or uniq.max() >= 16 << (2 * ORDER):
            raise SkyMapError("column UNIQ of the map has numbers of cells that do not exist")
        order = ((np.frexp(uniq.astype(np.float64))[1] - 3) >> 1).astype(np.int64)
        # The nearest double of a number just below a power of four is that power.
        order = np.where(uniq < np.int64(4) << (2 * order), order - 1, order)
        return (uniq - (np.int64(4) << (2 * order))) << (2 * (ORDER - order)), order.astype(np.int8)
    header = table.header
    nside = header.get("NSIDE", max(1, math.isqrt(count // 12)) if "PIXEL" not in names else None)
    if not isinstance(nside, int) or nside < 1 or nside & (nside - 1) or nside > 1 << ORDER:
        raise SkyMapError(f"NSIDE={nside} of the map is no power of two")
    one = nside.bit_length() - 1
    if "PIXEL" in names:
        pixel = np.asarray(table.data[names["PIXEL"]]).reshape(-1)
        if pixel.dtype.kind not in "iu" or len(pixel) != count:
            raise SkyMapError("column PIXEL of the map does not number its cells")
        pixel = pixel.astype(np.int64)
    elif count == 12 * nside**2:
        pixel = np.arange(count, dtype=np.int64)
    else:
        raise SkyMapError(f"the map has {count:,} cells; with NSIDE={nside} there are {12 * nside**2:,}")
    if pixel.min() < 0 or pixel.max() >= 12 * nside**2:
        raise SkyMapError("column PIXEL of the map has numbers of cells that do not exist")
    ordering = str(header.get("ORDERING", "RING")).strip().upper()
    if ordering.startswith("RING"):
        lon, lat = healpix_to_lonlat(pixel.astype(np.uint64), nside)
        pixel = healpix29(lon.deg, lat.deg) >> (2 * (ORDER - one))
    elif not ordering.startswith("NEST"):
        raise SkyMapError(f"the order of the map's cells is {ordering}; it may be RING, NESTED or NUNIQ")
    return pixel << (2 * (ORDER - one)), np.full(count, one, np.int8)


_Distances = tuple[Float64, Float64, Float64]


def _united(
    start: Int64, order: npt.NDArray[np.int8], density: Float64, distance: _Distances | None
) -> tuple[Int64, npt.NDArray[np.int8], Float64, _Distances | None]:
    """The same map with four sister cells of one value as one cell: a flat map is mostly that."""
    by_place = np.argsort(start, kind="stable")
    start, order = start[by_place], order[by_place]
    columns = [density[by_place], *(values[by_place] for values in distance or ())]
    while len(start) >= 4:
        size = np.int64(1) << (2 * (ORDER - order.astype(np.int64)))
        first = np.flatnonzero((order[:-3] > 0) & (start[:-3] % (4 * size[:-3]) == 0))
        for step in (1, 2, 3):
            same = (order[first + step] == order[first]) & (
                start[first + step] == start[first] + step * size[first]
            )
            for values in columns:
                same &= _equal(values[first + step], values[first])
            first = first[same]
        if not len(first):
            break
        order = order.copy()
        order[first] -= 1
        kept = np.ones(len(start), np.bool_)
        for step in (1, 2, 3):
            kept[first + step] = False
        start, order, columns = start[kept], order[kept], [values[kept] for values in columns]
    if distance is None:
        return start, order, columns[0], None
    return start, order, columns[0], (columns[1], columns[2], columns[3])


def _equal(a: Float64, b: Float64) -> npt.NDArray[np.bool_]:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))
