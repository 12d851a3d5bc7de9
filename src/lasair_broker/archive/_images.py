"""Cut-outs as FITS files and as pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from lasair_broker import packets
from lasair_broker.packets import ImageError, fits_pixels

from .errors import ArchiveCorruptError

__all__ = ["fits_bytes", "png_of_fits"]

_SOFTENING = 0.1


def fits_bytes(image: bytes) -> bytes:
    """An image as a FITS file, unpacked if it came gzipped, as ZTF sends it.

    Raises
    ------
    ArchiveCorruptError
        If it is neither FITS nor gzip of it.
    """
    try:
        return packets.fits_bytes(image)
    except ImageError as error:
        raise ArchiveCorruptError(str(error)) from error


def png_of_fits(image: bytes, size: int) -> bytes:
    """The first image of a FITS file as a grey PNG, `size` pixels along the longer side, its first row at the
    bottom.

    Brightness runs between the limits of IRAF's zscale, in an asinh stretch; pixels without a value are
    mid-grey.

    Raises
    ------
    ArchiveCorruptError
        If there is no image in the file.
    ValueError
        If `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"a picture must have at least 1 pixel, not {size}")
    try:
        pixels = fits_pixels(image)
    except ImageError as error:
        raise ArchiveCorruptError(str(error)) from error
    grey = _stretched(pixels)[::-1]
    scale = size / max(grey.shape)
    rows = np.minimum(
        (np.arange(max(1, round(grey.shape[0] * scale))) / scale).astype(int), grey.shape[0] - 1
    )
    columns = np.minimum(
        (np.arange(max(1, round(grey.shape[1] * scale))) / scale).astype(int), grey.shape[1] - 1
    )
    return _png(grey[np.ix_(rows, columns)])


def _stretched(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    good = np.isfinite(pixels)
    grey = np.full(pixels.shape, 128, np.uint8)
    if good.any():
        from astropy.visualization import ZScaleInterval  # brings matplotlib: a second, so only when needed

        low, high = ZScaleInterval().get_limits(pixels[good])
        span = high - low if high > low else 1.0
        level = np.clip((pixels[good] - low) / span, 0.0, 1.0)
        grey[good] = np.round(255 * np.arcsinh(level / _SOFTENING) / np.arcsinh(1 / _SOFTENING))
    return grey


def _png(grey: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit grey picture in the format of ISO/IEC 15948."""
    height, width = grey.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0: none
    lines[:, 1:] = grey

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + chunk(b"IEND", b"")
    )
