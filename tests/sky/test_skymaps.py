"""Probability maps against mocpy, astropy-healpix and brute force, real, drawn, damaged and odd."""

from __future__ import annotations

import gzip
import io
import math
import os
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy_healpix import HEALPix, uniq_to_level_ipix
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.sky import (
    Moc,
    SkyMap,
    SkyMapError,
    SkyMapIndex,
    gaussian_skymap,
    healpix29,
    read_skymap,
    separation_arcsec,
)

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "messengers"
MULTI = [DATA / "S200129m.multiorder.fits", DATA / "MS181101ab_mock.multiorder.fits"]


def sky(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))


def brute_levels(path: Path, ra: np.ndarray, decl: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level and density of positions, cell by cell with astropy-healpix."""
    rows = fits.getdata(path, 1)
    order, pixel = uniq_to_level_ipix(rows["UNIQ"])
    area = 4.0 * math.pi / (12.0 * 4.0**order)
    density = rows["PROBDENSITY"]
    by_density = sorted(range(len(rows)), key=lambda i: -density[i])
    level, total = np.empty(len(rows)), 0.0
    for i in by_density:
        total += density[i] * area[i]
        level[i] = total
    found_level, found_density = np.full(len(ra), np.nan), np.full(len(ra), np.nan)
    for one in np.unique(order):
        grid = HEALPix(int(2**one), order="nested")
        here = grid.lonlat_to_healpix(ra * u.deg, decl * u.deg)
        mine = {int(p): i for i, p in enumerate(pixel) if order[i] == one}
        for k, p in enumerate(here):
            if int(p) in mine:
                found_level[k], found_density[k] = level[mine[int(p)]], density[mine[int(p)]]
    return found_level, found_density


@pytest.mark.parametrize("path", MULTI, ids=lambda p: p.name)
def test_levels_and_densities_are_those_of_brute_force(path: Path) -> None:
    skymap = read_skymap(path.read_bytes())
    random = np.random.default_rng(3)
    dense = skymap.region(0.9).ranges
    inside = dense[random.integers(0, len(dense), 300)].mean(axis=1).astype(np.int64)
    grid = HEALPix(2**29, order="nested")
    lon, lat = grid.healpix_to_lonlat(inside)
    ra, decl = (np.concatenate([a, b.deg]) for a, b in zip(sky(700), (lon, lat), strict=True))
    level, density = brute_levels(path, ra, decl)
    assert np.isfinite(level).all()
    index = SkyMapIndex.build([skymap])
    found = index.match(healpix29(ra, decl), 1.0)
    assert found.position.tolist() == list(range(len(ra)))
    assert np.abs(index.level[found.cell] - level).max() < 1e-5
    assert np.abs(index.density[found.cell] / density - 1.0).max() < 1e-9


def test_the_region_of_the_mock_event_is_the_one_that_was_sent_with_it() -> None:
    skymap = read_skymap(MULTI[1].read_bytes())
    sent = Moc.read((DATA / "MS181101ab_mock_90pc.moc.fits").read_bytes())
    assert skymap.region(0.9).ranges.tolist() == sent.ranges.tolist()
    assert skymap.area_deg2(0.9) == pytest.approx(sent.area_deg2)


def test_a_flat_map_is_read_as_the_cells_that_it_was_made_of() -> None:
    path = DATA / "G364600_flat.fits.gz"
    skymap = read_skymap(path.read_bytes())
    flat = fits.getdata(path, 1)
    assert len(skymap) < len(flat) / 50
    pixel = np.random.default_rng(5).integers(0, len(flat), 2000)
    index = SkyMapIndex.build([skymap])
    found = index.match(pixel << (2 * 20), 1.0)
    area = 4.0 * math.pi / len(flat)
    assert np.allclose(index.density[found.cell], flat["PROB"][pixel] / area, rtol=1e-9)
    # Cells of one density may count in any order: what is denser is counted in all, and itself in part.
    prob = flat["PROB"]
    ascending = np.sort(prob)
    above = np.append(np.cumsum(ascending[::-1])[::-1], 0.0)
    lowest = above[np.searchsorted(ascending, prob[pixel], "right")]
    highest = above[np.searchsorted(ascending, prob[pixel], "left")]
    level = index.level[found.cell]
    assert (level >= lowest - 1e-5).all()
    assert (level <= highest + 1e-5).all()


def fits_bytes(columns: list[fits.Column], **header: object) -> bytes:
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update(header)
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()


@pytest.mark.parametrize("ordering", ["RING", "NESTED"])
@pytest.mark.parametrize("packed", [False, True])
def test_flat_maps_in_either_order(ordering: str, packed: bool) -> None:
    nside = 16
    grid = HEALPix(nside, order=ordering.lower())
    lon, lat = grid.healpix_to_lonlat(np.arange(grid.npix))
    value = np.exp(-0.5 * (separation_arcsec(200.0, -30.0, lon.deg, lat.deg) / 3600.0 / 9.0) ** 2)
    value /= value.sum()
    rows = value.reshape(-1, 1024)  # as healpy writes them: many cells a row
    data = fits_bytes([fits.Column("PROBABILITY", "1024E", array=rows)], ORDERING=ordering, NSIDE=nside)
    skymap = read_skymap(gzip.compress(data) if packed else data)
    index = SkyMapIndex.build([skymap])
    found = index.match(healpix29(lon.deg, lat.deg), 1.0)
    assert len(found) == grid.npix
    assert np.allclose(index.density[found.cell], value * grid.npix / 4.0 / math.pi, rtol=1e-5)


def test_maps_of_some_cells_only_and_other_units() -> None:
    per_deg2 = np.array([3.0, 1.0])
    per_deg2 /= (per_deg2 * 41252.96 / 3072).sum()
    data = fits_bytes(
        [fits.Column("PIXEL", "K", array=[5, 77]), fits.Column("PROBDENSITY", "D", "deg-2", array=per_deg2)],
        ORDERING="NESTED", NSIDE=16,
    )  # fmt: skip
    skymap = read_skymap(data)
    assert skymap.probability.tolist() == pytest.approx([0.75, 0.25])
    assert skymap.level.tolist() == pytest.approx([0.75, 1.0])
    assert len(SkyMapIndex.build([skymap]).match(np.array([0, 5 << 50, -1, 77 << 50]), 0.8)) == 1


@given(
    radius=st.floats(1e-3, 40.0), ratio=st.floats(0.02, 1.0), angle=st.floats(0, 180),
    ra=st.floats(-360, 720), decl=st.floats(-90, 90), seed=st.integers(0, 9),
)  # fmt: skip
@settings(deadline=None, max_examples=15)
def test_drawn_regions_hold_what_they_say(
    radius: float, ratio: float, angle: float, ra: float, decl: float, seed: int
) -> None:
    skymap = gaussian_skymap(ra, decl, radius, radius * ratio, angle)
    assert skymap.probability.sum() == pytest.approx(1.0)
    if radius > 8.0:
        return  # the sphere's curvature makes it another distribution than the plane's
    x, y = np.random.default_rng(seed).normal(size=(2, 3000)) * np.array([[radius], [radius * ratio]])
    # Offsets along the axes as a distance and a direction from the centre, by spherical trigonometry.
    away, turned = np.radians(np.hypot(x, y)), np.arctan2(y, x) + math.radians(angle)
    d = math.radians(decl)
    sin_lat = math.sin(d) * np.cos(away) + math.cos(d) * np.sin(away) * np.cos(turned)
    lat = np.arcsin(np.clip(sin_lat, -1, 1))
    lon = np.arctan2(np.sin(turned) * np.sin(away) * math.cos(d), np.cos(away) - math.sin(d) * sin_lat)
    cells = healpix29(ra + np.degrees(lon), np.degrees(lat))
    index = SkyMapIndex.build([skymap])
    for level in (0.5, 0.9):
        share = len(index.match(cells, level)) / len(cells)
        assert abs(share - level) < 0.04


def test_many_maps_at_once_are_each_by_itself() -> None:
    maps = [read_skymap(path.read_bytes()) for path in MULTI]
    maps += [gaussian_skymap(10.0, 20.0, 3.0), gaussian_skymap(350.0, -89.5, 2.0, 0.3, 70.0)]
    cells = healpix29(*sky(20_000))
    together = SkyMapIndex.build(maps)
    may = np.random.default_rng(1).random((len(maps), len(cells))) < 0.5
    found = together.match(cells, 0.95, may)
    expected = []
    for number, one in enumerate(maps):
        alone = SkyMapIndex.build([one]).match(cells, 0.95)
        inside = np.zeros(len(cells), bool)
        inside[alone.position] = True
        assert (inside == one.region(0.95).contains(cells)).all()
        expected += [(number, i) for i in np.flatnonzero(inside & may[number])]
    assert list(zip(found.skymap.tolist(), found.position.tolist(), strict=True)) == expected
    assert len(SkyMapIndex.build([]).match(cells, 1.0)) == 0


def test_written_and_read_again() -> None:
    for path in MULTI:
        skymap = read_skymap(path.read_bytes())
        again = read_skymap(skymap.to_fits())
        for name in ("start", "order"):
            assert (getattr(again, name) == getattr(skymap, name)).all()
        assert skymap.distmu is not None
        assert again.distmu is not None
        assert np.array_equal(again.distmu, skymap.distmu, equal_nan=True)
        assert np.allclose(again.density, skymap.density, rtol=1e-12)


PIXELS = [fits.Column("UNIQ", "K", array=[64, 65]), fits.Column("PROBDENSITY", "D", array=[1.0, 2.0])]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no FITS"), (b"stuff", "no FITS"), (b"\x1f\x8bnonsense", "unpacked"),
        (MULTI[0].read_bytes()[:20_000], "damaged|no table"),
        (fits_bytes([fits.Column("UNIQ", "K", array=[64])]), "no column PROB"),
        (fits_bytes([fits.Column("PROB", "D", array=[1.0] * 5)]), "5 cells"),
        (fits_bytes([fits.Column("PROB", "D", array=[1.0] * 12)]), "add up to 12"),
        (fits_bytes([fits.Column("PROB", "D", array=[1.0, -1.0] * 6)]), "negative"),
        (fits_bytes([fits.Column("PROB", "D", array=[math.nan] * 12)]), "no numbers"),
        (fits_bytes([fits.Column("PROB", "5A", array=["a"] * 12)]), "no numbers"),
        (fits_bytes([fits.Column("PROB", "D", array=[1 / 12] * 12)], COORDSYS="G"), "coordinates are G"),
        (fits_bytes([fits.Column("PROB", "D", array=[1 / 12] * 12)], ORDERING="SPIRAL"), "SPIRAL"),
        (fits_bytes([fits.Column("PROB", "D", array=[1 / 12] * 12)], NSIDE=3), "NSIDE=3"),
        (fits_bytes([fits.Column("UNIQ", "K", array=[3]), PIXELS[1]]), "do not exist|number its"),
        (fits_bytes([fits.Column("UNIQ", "K", array=[4, 16]), PIXELS[1]]), "overlap"),
        (fits_bytes([fits.Column("PIXEL", "K", array=[4, -1]), PIXELS[1]], NSIDE=1), "do not exist"),
    ],
)  # fmt: skip
def test_what_is_no_map(data: bytes, told: str) -> None:
    with pytest.raises(SkyMapError, match=told):
        read_skymap(data)


def test_all_orders_of_unique_numbers() -> None:
    for order in range(30):
        for pixel in (0, 12 * 4**order - 1):
            start = np.array([pixel << (2 * (29 - order))])
            size_sr = 4.0 * math.pi / (12 * 4**order)
            one = SkyMap.of_cells(start, np.array([order], np.int8), np.array([1.0 / size_sr]))
            again = read_skymap(one.to_fits())
            assert (again.start.tolist(), again.order.tolist()) == (start.tolist(), [order])
