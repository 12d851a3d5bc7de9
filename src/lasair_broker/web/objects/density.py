"""A map of where objects are, as a HiPS: tiles of pictures that sky viewers load as the viewer moves.

HiPS 1.0 (IVOA Recommendation, Fernique et al. 2017): a tile of order k is a HEALPix cell of that order, and
its pixels are the cells of deeper orders. A base map of our own needs nobody else's server.
"""

from __future__ import annotations

import io
import threading
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lasair_broker.sky import Moc, healpix29
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound

ORDER = 3
"""The deepest order of tiles; beyond it viewers enlarge."""

_SIDE = 64
"""Cells along a side of a tile; each is drawn as a square of pixels, as not every viewer takes so small
tiles."""

WIDTH = 256
_DEPTH = _SIDE.bit_length() - 1
_ALLSKY_COLUMNS = 27  # the standard's: floor(sqrt(768)) tiles of order 3 a row
_lock = threading.Lock()

# From dark blue over teal to pale yellow: even steps of brightness.
_COLOURS = np.array(
    [[8, 12, 28], [22, 48, 94], [28, 102, 128], [66, 160, 132], [168, 210, 120], [252, 248, 190]], float
)


def properties(title: str) -> str:
    """The file `properties` of the HiPS."""
    return "\n".join(
        f"{name:<20} = {value}"
        for name, value in {
            "creator_did": "ivo://lasair/P/density",
            "obs_title": title,
            "dataproduct_type": "image",
            "hips_version": "1.4",
            "hips_frame": "equatorial",
            "hips_order": str(ORDER),
            "hips_order_min": "0",
            "hips_tile_width": str(WIDTH),
            "hips_tile_format": "png",
            "hips_initial_fov": "180",
            "hips_status": "public master clonableOnce",
        }.items()
    )


def coverage() -> bytes:
    """The file `Moc.fits` of the HiPS: all of the sky, as where there is no object is shown, too."""
    return Moc.from_ranges([(0, 12 * 4**29)]).to_fits()


def tile(order: int, cell: int, hour: int) -> bytes:
    """The picture (PNG) of a tile: how many objects each of its pixels has, by colour.

    Parameters
    ----------
    order, cell
        Order 0 to `ORDER`, and number of the HEALPix cell, nested.
    hour
        Some number that changes when the map shall be made anew.

    Raises
    ------
    NotFound
        If there is no such tile.
    """
    if not 0 <= order <= ORDER or not 0 <= cell < 12 * 4**order:
        raise NotFound(f"there is no tile {cell} of order {order}")
    counts = _counts(hour)
    own = counts.reshape(12 * 4**order, -1)[cell]
    # A cell of a shallower tile covers more sky: shown is the mean number of the deepest in it.
    pixels = _as_image(own.reshape(_SIDE**2, -1).mean(axis=1))
    return _png(_coloured(np.kron(pixels, np.ones((WIDTH // _SIDE,) * 2)), _brightest(hour)))


def allsky(hour: int) -> bytes:
    """All tiles of order 3 in one picture, 64 pixels a side, as viewers load first."""
    tiles = _counts(hour).reshape(12 * 4**ORDER, -1)
    rows = -(-len(tiles) // _ALLSKY_COLUMNS)
    whole = np.zeros((rows, _SIDE, _ALLSKY_COLUMNS, _SIDE))
    for place, counts in enumerate(tiles):
        row, column = divmod(place, _ALLSKY_COLUMNS)
        whole[row, :, column, :] = _as_image(counts)
    return _png(_coloured(whole.reshape(rows * _SIDE, -1), _brightest(hour)))


@lru_cache(maxsize=1)
def _counts(hour: int) -> npt.NDArray[np.float32]:
    """Objects in each cell of the order of the deepest tiles' cells, nested."""
    with _lock:
        order = ORDER + _DEPTH
        counts = np.zeros(12 * 4**order, np.float32)
        for part in archive().object_places():
            cells = healpix29(part["ra"].to_numpy(), part["decl"].to_numpy()) >> (2 * (29 - order))
            counts += np.bincount(cells, minlength=len(counts)).astype(np.float32)
        return counts


@lru_cache(maxsize=1)
def _brightest(hour: int) -> float:
    """The number of objects that is shown brightest."""
    counts = _counts(hour)
    filled = counts[counts > 0]
    return float(np.percentile(filled, 99.0)) if filled.size else 1.0


def _as_image(nested: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Cells in nested order as a square: even bits are x, which are rows in HiPS; odd bits y, columns."""
    side = round(len(nested) ** 0.5)
    place = np.arange(len(nested))
    x, y = np.zeros(len(nested), np.int64), np.zeros(len(nested), np.int64)
    for bit in range(side.bit_length() - 1):
        x |= ((place >> (2 * bit)) & 1) << bit
        y |= ((place >> (2 * bit + 1)) & 1) << bit
    image = np.zeros((side, side))
    image[x, y] = nested
    return image


def _coloured(counts: npt.NDArray[np.floating[Any]], brightest: float) -> npt.NDArray[np.uint8]:
    level = np.clip(np.arcsinh(counts * 3.0) / np.arcsinh(max(brightest, 1.0) * 3.0), 0.0, 1.0)
    steps = np.linspace(0.0, 1.0, len(_COLOURS))
    return np.stack([np.interp(level, steps, _COLOURS[:, c]) for c in range(3)], axis=-1).astype(np.uint8)


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()
