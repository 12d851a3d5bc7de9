"""Maps of reddening: made-up ones whose every value is known, and the compact table against real values."""

from __future__ import annotations

import os
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy_healpix import HEALPix
from pyarrow import csv

from lasair_broker.context import ContextError, open_dust


def _smooth(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """A reddening that varies over tens of degrees."""
    l, b = np.radians(lon), np.radians(lat)  # noqa: E741 - galactic longitude is called l
    return 0.3 + 0.1 * np.cos(b) * np.cos(l) + 0.05 * np.sin(b)


def _random_sky(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    ra, decl = 360.0 * rng.random(n), np.degrees(np.arcsin(2.0 * rng.random(n) - 1.0))
    galactic = SkyCoord(ra, decl, unit="deg").galactic
    return ra, decl, galactic.l.deg, galactic.b.deg


def _write_sfd(folder: Path, size: int = 512) -> None:
    """Both hemispheres in the original's projection (Schlegel et al. 1998, appendix C)."""
    scale = size / 2.0
    y, x = np.mgrid[:size, :size].astype(np.float64)
    for pole, name in ((1, "ngp"), (-1, "sgp")):
        u_, v = (x - (scale - 0.5)) / scale, (y - (scale - 0.5)) / scale
        rho2 = u_**2 + v**2
        lat = pole * np.degrees(np.arcsin(np.clip(1.0 - rho2, -1.0, 1.0)))
        lon = np.degrees(np.arctan2(-pole * v, u_))
        hdu = fits.PrimaryHDU(_smooth(lon, lat).astype(np.float32))
        hdu.header["LAM_NSGP"], hdu.header["LAM_SCAL"] = pole, scale
        hdu.header["CRPIX1"] = hdu.header["CRPIX2"] = scale + 0.5
        hdu.writeto(folder / f"SFD_dust_4096_{name}.fits")


def test_the_original_projection(tmp_path: Path) -> None:
    _write_sfd(tmp_path)
    ra, decl, lon, lat = _random_sky(2000)
    found = open_dust(tmp_path)(np.append(ra, np.nan), np.append(decl, 0.0))
    np.testing.assert_allclose(found.ebv[:-1], _smooth(lon, lat), atol=2e-4)
    assert np.isnan(found.ebv[-1])
    assert found.source == "SFD98"
    far = np.abs(lat) > 5.0
    np.testing.assert_allclose(found.error[:-1][far], 0.16 * found.ebv[:-1][far])
    np.testing.assert_allclose(found.error[:-1][~far], found.ebv[:-1][~far])


@pytest.mark.parametrize("ordering", ["RING", "NESTED"])
@pytest.mark.parametrize("frame", ["G", "C"])
def test_a_healpix_table(tmp_path: Path, ordering: str, frame: str) -> None:
    nside = 64
    grid = HEALPix(nside, order=ordering.lower())
    lon, lat = grid.healpix_to_lonlat(np.arange(grid.npix))
    if frame == "C":
        centre = SkyCoord(lon, lat, frame="icrs").galactic
        lon, lat = centre.l, centre.b
    values = _smooth(lon.to_value(u.deg), lat.to_value(u.deg))
    hdu = fits.BinTableHDU(Table({"ebv": values}))
    hdu.header["NSIDE"], hdu.header["ORDERING"], hdu.header["COORDSYS"] = nside, ordering, frame
    path = tmp_path / "dust.fits"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    ra, decl, lon_, lat_ = _random_sky(2000)
    found = open_dust(path)(ra, decl)
    np.testing.assert_allclose(found.ebv, _smooth(lon_, lat_), atol=1.5e-3)
    assert found.source == "dust.fits"


def test_a_map_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match=r"two\.fits"):
        open_dust(tmp_path / "two.fits")
    with pytest.raises(ContextError, match=r"\*ngp\.fits, and has 0"):
        open_dust(tmp_path)
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(ContextError, match=r"text\.fits"):
        open_dust(tmp_path / "text.fits")
    fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4), np.float32))]).writeto(tmp_path / "image.fits")
    with pytest.raises(ContextError, match="no HEALPix table"):
        open_dust(tmp_path / "image.fits")
    folder = tmp_path / "maps"
    folder.mkdir()
    for pole in ("ngp", "sgp"):
        fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4), np.float32))]).writeto(folder / f"{pole}.fits")
    with pytest.raises(ContextError, match="LAM_NSGP"):
        open_dust(folder)


def test_the_compact_table_against_real_values() -> None:
    """A_V of the Bright Transient Survey, which had no part in the table."""
    data = Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    table = csv.read_csv(data / "labelled" / "ztf_bts_labels.csv").to_pandas()
    table = table[table["A_V"] > 0.0]
    place = SkyCoord(table["RA"].to_numpy(str), table["Dec"].to_numpy(str), unit=("hourangle", "deg"))
    found = open_dust(None)(place.ra.deg, place.dec.deg)
    assert found.source == "compact SFD98 sample"
    assert np.isfinite(found.ebv).all()
    # The survey's A_V is 3.2 times the map's E(B-V).
    ratio = np.log(found.ebv / (table["A_V"].to_numpy() / 3.2))
    scatter = np.median(np.abs(ratio))
    assert abs(np.median(ratio)) < 0.05
    assert scatter < 0.12
    told = (found.error / found.ebv)[np.abs(place.galactic.b.deg) > 5.0]
    assert 0.5 < scatter * 1.48 / np.median(told) < 2.0


def test_the_compact_table_says_where_it_is_a_guess() -> None:
    plane = SkyCoord(np.linspace(0.0, 350.0, 36), np.zeros(36), unit="deg", frame="galactic").icrs
    found = open_dust(None)(plane.ra.deg, plane.dec.deg)
    assert (found.error >= 0.9 * found.ebv).all()
