"""Cut-outs as pictures: stretched, turned to north, and three bands put together into colour."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.visualization import (
    AsinhStretch,
    LinearStretch,
    LogStretch,
    MinMaxInterval,
    PercentileInterval,
    SqrtStretch,
    ZScaleInterval,
)
from astropy.wcs import WCS
from PIL import Image
from scipy.ndimage import map_coordinates

from lasair_broker.archive import ArchiveCorruptError

Float64 = npt.NDArray[np.float64]

STRETCHES = {
    "asinh": AsinhStretch(0.1),
    "linear": LinearStretch(),
    "sqrt": SqrtStretch(),
    "log": LogStretch(1000.0),
}
LIMITS = {
    "zscale": ZScaleInterval(),
    "99": PercentileInterval(99.0),
    "95": PercentileInterval(95.0),
    "minmax": MinMaxInterval(),
}

_MISSING = 128
_SOFTENING = 8.0
"""Colour images turn from linear to logarithmic at so many times the noise of the sky."""


@dataclass(frozen=True, slots=True)
class Plane:
    """An image and where it is on the sky.

    Attributes
    ----------
    pixels
        (rows, columns), the first row at the bottom; NaN where there is no value.
    wcs
        None if the file does not say.
    """

    pixels: Float64
    wcs: WCS | None

    @property
    def scale(self) -> float:
        """Arcseconds a pixel.

        Raises
        ------
        ValueError
            If the file does not say where the image is.
        """
        if self.wcs is None:
            raise ValueError("the image does not say where on the sky it is")
        return 3600.0 * math.sqrt(abs(float(np.linalg.det(self.wcs.pixel_scale_matrix))))


def read_plane(image: bytes) -> Plane:
    """The first image of a FITS file.

    Rubin's cut-outs of 2026 give the matrix and the reference point but no projection; they are gnomonic.

    Raises
    ------
    ArchiveCorruptError
        If there is no image in the file.
    """
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(io.BytesIO(image), memmap=False) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim >= 2 and unit.data.size:
                    plane = unit.data.reshape(-1, *unit.data.shape[-2:])[0]
                    return Plane(np.asarray(plane, np.float64), _wcs_of(unit.header))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ArchiveCorruptError(f"the FITS file cannot be read: {error}") from error
    raise ArchiveCorruptError("the FITS file has no image")


def _wcs_of(header: Any) -> WCS | None:
    if "CRVAL1" not in header or not any(name in header for name in ("PC1_1", "CD1_1", "CDELT1")):
        return None
    header = header.copy()
    for axis, name in (("1", "RA---TAN"), ("2", "DEC--TAN")):
        if not str(header.get(f"CTYPE{axis}", "")).strip():
            header[f"CTYPE{axis}"] = name
    try:
        wcs = WCS(header, naxis=2)
        matrix = wcs.pixel_scale_matrix
    except Exception:
        return None
    if not wcs.has_celestial or not np.isfinite(matrix).all() or np.linalg.det(matrix) == 0.0:
        return None
    return wcs


def to_north(planes: Sequence[Plane], ra: float, decl: float, scale: float, size: int) -> list[Float64]:
    """Images brought onto one grid: north up, east left, gnomonic, centred on a position.

    Parameters
    ----------
    ra, decl
        The position, degrees, ICRS.
    scale
        Arcseconds a pixel of the grid.
    size
        Pixels along a side of the grid.

    Returns
    -------
    For each image (size, size), first row at the bottom, by bilinear interpolation; NaN outside it.

    Raises
    ------
    ValueError
        If an image does not say where it is.
    """
    grid = WCS(naxis=2)
    grid.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    grid.wcs.crval = [ra, decl]
    grid.wcs.crpix = [(size + 1) / 2.0] * 2
    grid.wcs.cdelt = [-scale / 3600.0, scale / 3600.0]
    rows, columns = np.mgrid[0:size, 0:size]
    sky = grid.all_pix2world(columns.ravel(), rows.ravel(), 0)
    found = []
    for plane in planes:
        if plane.wcs is None:
            raise ValueError("the image does not say where on the sky it is")
        x, y = plane.wcs.wcs_world2pix(*sky, 0)
        values = map_coordinates(plane.pixels, [y, x], order=1, mode="constant", cval=np.nan)
        found.append(np.asarray(values, np.float64).reshape(size, size))
    return found


def grey_png(pixels: Float64, stretch: str, limits: str, size: int) -> bytes:
    """An image as a grey PNG, `size` pixels along the longer side, its first row at the bottom.

    Parameters
    ----------
    stretch, limits
        Of `STRETCHES`, `LIMITS`. Pixels without a value are mid-grey.
    """
    good = np.isfinite(pixels)
    grey = np.full(pixels.shape, _MISSING, np.uint8)
    if good.any():
        low, high = LIMITS[limits].get_limits(pixels[good])
        level = np.clip((pixels[good] - low) / (high - low if high > low else 1.0), 0.0, 1.0)
        grey[good] = np.round(255.0 * np.asarray(STRETCHES[stretch](level)))
    return _png(Image.fromarray(grey[::-1]), size)


def colour_png(blue: Float64, green: Float64, red: Float64, size: int) -> bytes:
    """Three registered images as a colour PNG, `size` pixels along the longer side.

    Each is scaled by the noise of its own sky, so that the sky is grey; the brightness is stretched as a
    whole, so that bright sources keep their colour (Lupton et al. 2004, PASP 116, 133). Where one has no
    value all are dark.
    """
    planes = np.stack([_in_noise(plane) for plane in (red, green, blue)])
    missing = ~np.isfinite(planes).all(axis=0)
    planes[:, missing] = 0.0
    brightness = np.maximum(planes.mean(axis=0), 1e-9)
    top = max(float(np.percentile(brightness[~missing], 99.7)) if not missing.all() else 1.0, 10.0)
    level = np.arcsinh(brightness / _SOFTENING) / np.arcsinh(top / _SOFTENING)
    colour = np.clip(planes, 0.0, None) * (level / brightness)
    colour /= np.maximum(1.0, colour.max(axis=0))
    colour[:, missing] = 0.0
    picture = np.round(255.0 * np.moveaxis(colour, 0, -1)).astype(np.uint8)
    return _png(Image.fromarray(picture[::-1]), size)


def _in_noise(pixels: Float64) -> Float64:
    """Pixels above the sky, in units of its noise."""
    good = pixels[np.isfinite(pixels)]
    if not good.size:
        return pixels
    sky = np.median(good)
    below = good[good <= sky]  # sources lie above: the scatter below is the sky's own
    noise = 1.4826 * float(np.median(sky - below))
    scaled: Float64 = (pixels - sky) / (noise if noise > 0.0 else 1.0)
    return scaled


def _png(picture: Image.Image, size: int) -> bytes:
    scale = size / max(picture.size)
    shape = tuple(max(1, round(side * scale)) for side in picture.size)
    out = io.BytesIO()
    picture.resize((shape[0], shape[1]), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()
