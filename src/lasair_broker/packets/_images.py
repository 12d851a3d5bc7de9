"""Cut-outs as packets carry them: FITS files, gzipped or not, and their pixels."""

from __future__ import annotations

import gzip
import io
import re
import warnings
import zlib
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["CUTOUTS", "Cutout", "ImageError", "fits_bytes", "fits_pixels"]

Cutout = Literal["Science", "Template", "Difference"]
"""The three images of an alert, in the order in which they are shown."""

CUTOUTS: tuple[Cutout, ...] = get_args(Cutout)

_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE  ="
_BLOCK = 2880
_NUMBERS = {-32: ">f4", -64: ">f8", 16: ">i2", 32: ">i4", 8: "u1"}
_CARD = re.compile(
    rb"(BITPIX  |NAXIS   |NAXIS1  |NAXIS2  |BSCALE  |BZERO   |BLANK   |END     )[= ]([^/]{0,70})"
)


class ImageError(ValueError):
    """Bytes are no image that can be read."""


def fits_bytes(image: bytes) -> bytes:
    """An image as a FITS file, unpacked if it came gzipped, as ZTF sends it.

    Raises
    ------
    ImageError
        If it is neither FITS nor gzip of it.
    """
    if image.startswith(_GZIP):
        try:
            image = gzip.decompress(image)
        except (OSError, EOFError, zlib.error) as error:
            raise ImageError(f"the image cannot be unpacked: {error}") from error
    if not image.startswith(_FITS):
        raise ImageError("the image is not a FITS file")
    return image


def fits_pixels(image: bytes) -> npt.NDArray[np.float64]:
    """The first image of a FITS file, shape (rows, columns), its first row at the bottom.

    Raises
    ------
    ImageError
        If there is no image in the file.
    """
    plain = _plain_pixels(image)
    return _any_pixels(image) if plain is None else plain


def _plain_pixels(image: bytes) -> npt.NDArray[np.float64] | None:
    """An unscaled image of two axes in the primary unit, as all surveys send it; None if it is another.

    Astropy takes most of a millisecond a file, and a classifier of cut-outs asks for three an alert.
    """
    said: dict[bytes, bytes] = {}
    for begin in range(0, len(image), 80):
        card = _CARD.match(image, begin, begin + 80)
        if card is not None:
            if card[1] == b"END     ":
                begin += 80
                break
            said[card[1].rstrip()] = card[2].strip()
    else:
        return None
    try:
        bits, axes = int(said[b"BITPIX"]), int(said[b"NAXIS"])
        columns, rows = int(said[b"NAXIS1"]), int(said[b"NAXIS2"])
    except (KeyError, ValueError):
        return None
    scaled = {b"BSCALE", b"BZERO", b"BLANK"} & said.keys()
    first = -(-begin // _BLOCK) * _BLOCK
    if axes != 2 or scaled or bits not in _NUMBERS or not rows * columns > 0:
        return None
    if len(image) < first + rows * columns * abs(bits) // 8:
        return None
    values = np.frombuffer(image, _NUMBERS[bits], rows * columns, first)
    return values.reshape(rows, columns).astype(np.float64)


def _any_pixels(image: bytes) -> npt.NDArray[np.float64]:
    from astropy.io import fits  # takes long to import, and most files need it not

    try:
        with warnings.catch_warnings(action="ignore"), fits.open(io.BytesIO(image), memmap=False) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim >= 2 and unit.data.size:
                    plane = unit.data.reshape(-1, *unit.data.shape[-2:])[0]
                    return np.asarray(plane, np.float64)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ImageError(f"the FITS file cannot be read: {error}") from error
    raise ImageError("the FITS file has no image")
