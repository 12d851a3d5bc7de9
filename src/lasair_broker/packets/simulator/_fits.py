"""FITS cut-outs laid out as Rubin lays them out: bytes that are the same for all, with places for what
differs.

A cut-out is an image of nJy (PRIMARY), its variance (UNCERT) and, if asked for, the PSF (PSFIMAGE). Unlike
Rubin's headers of 2026 ours say which projection they mean (CTYPE), as FITS wants it (Calabretta & Greisen
2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CUTOUT_LAYOUTS", "HEADER_PLACES", "STAMP_SIZE", "Layout", "cutout_layout", "psf_image"]

STAMP_SIZE = 30
_BLOCK = 2880
_VALUE_COLUMN, _VALUE_WIDTH = 10, 20

CUTOUT_LAYOUTS = ("none", "image", "variance", "psf")
"""No cut-outs; the image only; with its variance; with the PSF too (as Rubin sends them)."""

_VARIABLE = (
    "CUTMINX", "CUTMINY", "ROTPA", "CRPIX1", "CRPIX2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "CRVAL1", "CRVAL2",
)  # fmt: skip


def _card(name: str, value: str, comment: str = "") -> str:
    text = f"{name:<8}= {value:>20}" if not value.startswith("'") else f"{name:<8}= {value:<20}"
    return f"{text} / {comment}".ljust(80)[:80] if comment else text.ljust(80)


def _header(cards: list[str]) -> bytes:
    text = "".join(cards) + "END".ljust(80)
    return text.ljust(-(-len(text) // _BLOCK) * _BLOCK).encode("ascii")


def _primary_cards() -> list[str]:
    return [
        _card("SIMPLE", "T", "conforms to FITS standard"),
        _card("BITPIX", "-32", "array data type"),
        _card("NAXIS", "2", "number of array dimensions"),
        _card("NAXIS1", str(STAMP_SIZE)),
        _card("NAXIS2", str(STAMP_SIZE)),
        _card("EXTEND", "T"),
        _card("CUTMINX", "0", "first column of the stamp on the detector"),
        _card("CUTMINY", "0", "first row of the stamp on the detector"),
        _card("ROTPA", "0.0", "position angle of +Y, degrees east of north"),
        _card("BUNIT", "'nJy     '"),
        _card("WCSAXES", "2", "number of coordinate axes"),
        _card("CRPIX1", "0.0", "pixel of the source"),
        _card("CRPIX2", "0.0", "pixel of the source"),
        _card("PC1_1", "0.0", "degrees a pixel"),
        _card("PC1_2", "0.0", "degrees a pixel"),
        _card("PC2_1", "0.0", "degrees a pixel"),
        _card("PC2_2", "0.0", "degrees a pixel"),
        _card("CDELT1", "1.0"),
        _card("CDELT2", "1.0"),
        _card("CTYPE1", "'RA---TAN'", "gnomonic projection"),
        _card("CTYPE2", "'DEC--TAN'", "gnomonic projection"),
        _card("CUNIT1", "'deg     '"),
        _card("CUNIT2", "'deg     '"),
        _card("CRVAL1", "0.0", "[deg] right ascension of the source"),
        _card("CRVAL2", "0.0", "[deg] declination of the source"),
        _card("RADESYS", "'ICRS    '"),
        _card("LATPOLE", "90.0", "[deg] native latitude of celestial pole"),
        _card("MJDREF", "0.0", "[d] MJD of fiducial time"),
    ]


def _extension_cards(name: str, bits: int, size: int, variance: bool) -> list[str]:
    cards = [
        _card("XTENSION", "'IMAGE   '", "image extension"),
        _card("BITPIX", str(bits), "array data type"),
        _card("NAXIS", "2", "number of array dimensions"),
        _card("NAXIS1", str(size)),
        _card("NAXIS2", str(size)),
        _card("PCOUNT", "0", "number of parameters"),
        _card("GCOUNT", "1", "number of groups"),
    ]
    if variance:
        cards.append(_card("UTYPE", "'VarianceUncertainty'"))
    return [*cards, _card("EXTNAME", f"'{name:<8}'", "extension name")]


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


HEADER_PLACES = np.array(
    [
        next(i for i, card in enumerate(_primary_cards()) if card[:8].rstrip() == name) * 80 + _VALUE_COLUMN
        for name in _VARIABLE
    ],
    np.int64,
)
"""Where in the file the 20 characters of each value begin that differ between stamps: corner (2), ROTPA,
CRPIX (2), PC (4), CRVAL (2)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The bytes of a cut-out without pixels, and where the pixels go.

    Attributes
    ----------
    blank
        The file with zeros for pixels and for the values at `HEADER_PLACES`.
    image, variance
        Byte offsets of the pixels; `variance` is -1 if there is none.
    """

    blank: npt.NDArray[np.uint8]
    image: int
    variance: int


def psf_image(sigma_pixels: float, size: int) -> npt.NDArray[np.float64]:
    """The PSF used for drawing: two Gaussians, the wider (twice the width) with 15 % of the light; sums to
    one."""
    axis = np.arange(size) - (size - 1) / 2
    out = np.zeros((size, size))
    for share, width in ((0.85, sigma_pixels), (0.15, 2.0 * sigma_pixels)):
        line = np.exp(-0.5 * (axis / width) ** 2) / (np.sqrt(2.0 * np.pi) * width)
        out += share * line[:, None] * line[None, :]
    return np.asarray(out / out.sum())


def cutout_layout(kind: str, sigma_pixels: float, psf_size: int) -> Layout:
    """The layout of a cut-out; the PSF is that of the whole visit.

    Raises
    ------
    ValueError
        If `kind` is none of `CUTOUT_LAYOUTS` or "none".
    """
    if kind not in CUTOUT_LAYOUTS[1:]:
        raise ValueError(f"cut-outs are one of {', '.join(CUTOUT_LAYOUTS)}, not {kind!r}")
    pixels = _padded(4 * STAMP_SIZE**2)
    primary = _header(_primary_cards())
    parts = [primary, bytes(pixels)]
    variance = -1
    if kind in ("variance", "psf"):
        extension = _header(_extension_cards("UNCERT", -32, STAMP_SIZE, variance=True))
        variance = len(primary) + pixels + len(extension)
        parts += [extension, bytes(pixels)]
    if kind == "psf":
        psf = psf_image(sigma_pixels, psf_size).astype(">f8").tobytes()
        parts += [
            _header(_extension_cards("PSFIMAGE", -64, psf_size, variance=False)),
            psf.ljust(_padded(len(psf)), b"\0"),
        ]
    return Layout(np.frombuffer(b"".join(parts), np.uint8), len(primary), variance)
