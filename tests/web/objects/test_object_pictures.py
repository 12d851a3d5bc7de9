"""Pictures of cut-outs: made-up skies in made-up coordinates, whose stars have to come out where they are."""

from __future__ import annotations

import io
import math

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lasair_broker.archive import ArchiveCorruptError
from lasair_broker.web.objects.pictures import LIMITS, STRETCHES, colour_png, grey_png, read_plane, to_north

RA, DECL, SCALE = 150.1, -32.4, 0.2
ARCSEC = 1 / 3600
Float64 = npt.NDArray[np.float64]


def picture(
    stars: list[tuple[float, float, float]],
    *,
    turn: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    size: int = 41,
    flip: bool = False,
    projection: bool = True,
    scale: float = SCALE,
) -> bytes:
    """A FITS file of Gaussian stars, (east, north, peak) in arcseconds of (RA, DECL).

    The image is turned by `turn` degrees, and its centre lies `shift` pixels off; without `projection` the
    header is as Rubin writes it.
    """
    angle = math.radians(turn)
    matrix = (
        scale * ARCSEC * np.array([[-math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    )
    if flip:
        matrix[:, 0] *= -1
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DECL]
    wcs.wcs.crpix = [(size + 1) / 2 + shift[0], (size + 1) / 2 + shift[1]]
    wcs.wcs.pc = matrix
    wcs.wcs.cdelt = [1.0, 1.0]
    y, x = np.mgrid[0:size, 0:size]
    pixels = np.zeros((size, size))
    for east, north, peak in stars:
        place = RA + east * ARCSEC / math.cos(math.radians(DECL)), DECL + north * ARCSEC
        px, py = wcs.wcs_world2pix(*place, 0)
        pixels += peak * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 1.5**2))
    header = wcs.to_header()
    for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        header.setdefault(name, 0.0)
    if not projection:
        for name in ("CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2", "RADESYS"):
            header.remove(name, ignore_missing=True)
    out = io.BytesIO()
    fits.PrimaryHDU(pixels.astype(np.float32), header).writeto(out)
    return out.getvalue()


def offset_of_brightest(grid: Float64, scale: float = SCALE) -> tuple[float, float]:
    """East and north, arcseconds, of the centroid about the brightest pixel."""
    grid = np.nan_to_num(grid)
    row, column = np.unravel_index(np.argmax(grid), grid.shape)
    y, x = np.mgrid[0 : grid.shape[0], 0 : grid.shape[1]]
    near = np.hypot(y - row, x - column) < 4
    weight = np.where(near, grid, 0.0)
    middle = (grid.shape[0] - 1) / 2
    return (
        -(float((weight * x).sum() / weight.sum()) - middle) * scale,
        (float((weight * y).sum() / weight.sum()) - middle) * scale,
    )


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 360.0), st.floats(-4.0, 4.0), st.floats(-4.0, 4.0), st.booleans())
def test_a_star_comes_out_where_it_is(turn: float, dx: float, dy: float, flip: bool) -> None:
    plane = read_plane(picture([(1.2, 0.7, 100.0)], turn=turn, shift=(dx, dy), flip=flip))
    east, north = offset_of_brightest(to_north([plane], RA, DECL, SCALE, 41)[0])
    assert east == pytest.approx(1.2, abs=0.02)
    assert north == pytest.approx(0.7, abs=0.02)
    assert plane.scale == pytest.approx(SCALE, rel=1e-3)


def test_images_of_different_bands_are_brought_together() -> None:
    """Each is shifted and turned otherwise, and one has other pixels."""
    planes = [
        read_plane(picture([(-0.8, 1.0, 50.0)])),
        read_plane(picture([(-0.8, 1.0, 80.0)], turn=73.0, shift=(3.3, -2.1))),
        read_plane(picture([(-0.8, 1.0, 80.0)], turn=201.0, scale=0.26, flip=True)),
    ]
    grids = to_north(planes, RA, DECL, SCALE, 41)
    for grid in grids:
        assert offset_of_brightest(grid) == pytest.approx((-0.8, 1.0), abs=0.02)
    assert np.isnan(grids[1]).any(), "corners that a turned image does not cover have no value"


def test_rubins_headers_say_no_projection() -> None:
    with_it, without = (
        read_plane(picture([(1.0, 2.0, 9.0)], turn=40.0, projection=said)) for said in (True, False)
    )
    grids = [to_north([plane], RA, DECL, SCALE, 41)[0] for plane in (with_it, without)]
    assert np.allclose(grids[0], grids[1], equal_nan=True)


def test_an_image_that_does_not_say_where_it_is() -> None:
    out = io.BytesIO()
    fits.PrimaryHDU(np.ones((5, 7), np.float32)).writeto(out)
    plane = read_plane(out.getvalue())
    assert plane.wcs is None
    with pytest.raises(ValueError, match="where on the sky"):
        to_north([plane], RA, DECL, SCALE, 9)


@pytest.mark.parametrize("content", [b"", b"SIMPLE  = nothing", b"\x1f\x8b" + bytes(50)])
def test_what_is_no_image_is_told(content: bytes) -> None:
    with pytest.raises(ArchiveCorruptError):
        read_plane(content)


def _opened(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("stretch", STRETCHES)
@pytest.mark.parametrize("limits", LIMITS)
def test_grey_pictures_are_the_right_way_up(stretch: str, limits: str) -> None:
    pixels = np.add.outer(np.arange(10.0), np.zeros(6))
    pixels[9, 5] = np.nan
    shown = _opened(grey_png(pixels, stretch, limits, 20))
    assert shown.shape == (20, 12)
    column = shown[:, 0].astype(int)
    assert column[0] > column[-1], "the first row of an image is at the bottom"
    assert np.all(np.diff(column) <= 0)
    assert shown[0, -1] == 128, "no value is grey"


@pytest.mark.parametrize("pixels", [np.full((4, 4), np.nan), np.full((4, 4), 7.0), np.full((4, 4), np.inf)])
def test_pictures_of_nothing(pixels: Float64) -> None:
    assert _opened(grey_png(pixels, "log", "zscale", 16)).shape == (16, 16)
    assert _opened(colour_png(pixels, pixels, pixels, 16)).shape == (16, 16, 3)


def test_colours_are_those_of_the_bands() -> None:
    random = np.random.default_rng(2)
    sky = [random.normal(0.0, 1.0, (41, 41)) for _ in range(3)]
    stars = {"blue": (-2.0, 2.0), "green": (2.0, 2.0), "red": (0.0, -2.0)}
    planes = []
    for plane, (east, north) in zip(sky, stars.values(), strict=True):
        grid = to_north([read_plane(picture([(east, north, 200.0)]))], RA, DECL, SCALE, 41)[0]
        planes.append(np.nan_to_num(grid) + plane)
    shown = _opened(colour_png(planes[0], planes[1], planes[2], 41)).astype(int)
    for channel, (east, north) in zip((2, 1, 0), stars.values(), strict=True):
        row, column = round(20 - north / SCALE), round(20 - east / SCALE)
        others = [c for c in range(3) if c != channel]
        assert shown[row, column, channel] > 150
        assert shown[row, column, channel] > 3 * shown[row, column, others].max()


def test_a_white_star_is_white_whatever_the_zero_points() -> None:
    random = np.random.default_rng(4)
    star = np.nan_to_num(to_north([read_plane(picture([(0.0, 0.0, 80.0)]))], RA, DECL, SCALE, 41)[0])
    base = star + random.normal(0.0, 1.0, star.shape)
    shown = _opened(colour_png(base, 30.0 * base + 500.0, 0.01 * base - 2.0, 41)).astype(int)
    assert np.ptp(shown[20, 20]) <= 3
    assert shown[20, 20].min() > 200
