"""Regions and the index of many of them, against mocpy."""

from __future__ import annotations

import os
from pathlib import Path

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC, TimeMOC

from lasair_broker.sky import Moc, MocError, WatchmapIndex, healpix29, separation_arcsec

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "footprints"
CELLS = 12 * 4**29


def sphere(seed: int, n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def mocpy_of(moc: Moc) -> MOC:
    return MOC.from_depth29_ranges(29, moc.ranges.astype(np.uint64))


@pytest.mark.parametrize("name", ["sdss_dr12.moc.fits", "galex_ais_fuv.moc.fits", "example.moc.ascii.txt"])
def test_real_footprints_read_as_mocpy_reads_them(name: str) -> None:
    path = DATA / name
    moc = Moc.read(path.read_bytes())
    theirs = MOC.from_fits(path) if name.endswith("fits") else MOC.load(path, format="ascii")
    assert np.array_equal(moc.ranges, theirs.to_depth29_ranges)
    assert moc.area_deg2 == pytest.approx(theirs.sky_fraction * 41252.96124941928, rel=1e-12)
    ra, decl = sphere(0, 20_000)
    assert np.array_equal(moc.contains(healpix29(ra, decl)), theirs.contains_lonlat(ra * u.deg, decl * u.deg))


@pytest.mark.parametrize("form", ["fits", "ascii", "json"])
def test_forms_go_round(form: str) -> None:
    moc = Moc.circle(120.0, -30.0, 2.0)
    data = {
        "fits": moc.to_fits,
        "ascii": lambda: moc.to_ascii().encode(),
        "json": lambda: str(mocpy_of(moc).to_string(format="json")).encode(),
    }[form]()
    again = Moc.read(data)
    assert np.array_equal(again.ranges, moc.ranges)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"ra,dec\n1,2\n", "ASCII"),
        (b'{"3": [9999999]}', "cells that do not exist|JSON"),
        (b"{not json", "JSON"),
        (b"\xff\xfe\x00\x01", "neither a FITS file nor text"),
        (b"3/", "empty"),
    ],
)
def test_what_is_no_moc_is_said(data: bytes, says: str) -> None:
    with pytest.raises(MocError, match=says) as caught:
        Moc.read(data)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_broken_fits_is_said() -> None:
    whole = Moc.circle(1, 1, 1).to_fits()
    for cut in (100, 2880, 4000):
        with pytest.raises(MocError):
            Moc.read(whole[:cut])


def test_galactic_map_is_refused() -> None:
    data = Moc.circle(1, 1, 1).to_fits().replace(b"COORDSYS= 'C'", b"COORDSYS= 'G'")
    with pytest.raises(MocError, match="convert it to equatorial"):
        Moc.read(data)


def test_time_map_is_refused(tmp_path: Path) -> None:
    from astropy.time import Time

    TimeMOC.from_times(Time([60000.0], format="mjd", scale="tdb")).save(tmp_path / "t.fits", format="fits")
    with pytest.raises(MocError):
        Moc.read((tmp_path / "t.fits").read_bytes())


@pytest.mark.parametrize(
    ("ra", "decl", "radius"), [(0, 0, 1), (359.9, 89.9, 3), (10, -90, 0.05), (77, 20, 40)]
)
def test_circle_holds_its_disc_and_little_more(ra: float, decl: float, radius: float) -> None:
    moc = Moc.circle(ra, decl, radius)
    disc = 2 * np.pi * (1 - np.cos(np.radians(radius))) * np.degrees(1) ** 2
    assert disc <= moc.area_deg2 <= 1.05 * disc
    rng = np.random.default_rng(3)
    at_ra = ra + rng.normal(0, radius, 20_000) / max(0.01, np.cos(np.radians(decl)))
    at_decl = np.clip(decl + rng.normal(0, radius, 20_000), -90, 90)
    inside = separation_arcsec(at_ra, at_decl, ra, decl) <= 3600 * radius
    assert inside.any()
    assert moc.contains(healpix29(at_ra, at_decl))[inside].all()


def test_fields_are_the_union() -> None:
    ra, decl = sphere(5, 12)
    radius = np.linspace(0.2, 3, 12)
    moc = Moc.fields(ra, decl, radius)
    at = sphere(6, 50_000)
    near = np.zeros(50_000, bool)
    for a, d, r in zip(ra, decl, radius, strict=True):
        near |= separation_arcsec(*at, a, d) <= 3600 * r
    assert moc.contains(healpix29(*at))[near].all()
    assert moc.contains(healpix29(*at)).mean() == pytest.approx(near.mean(), abs=0.001)


def test_polygon_either_way_round_and_across_the_wrap() -> None:
    ra, decl = [359.0, 1.0, 1.0, 359.0], [-1.0, -1.0, 1.0, 1.0]
    one, other = Moc.polygon(ra, decl), Moc.polygon(ra[::-1], decl[::-1])
    assert np.array_equal(one.ranges, other.ranges)
    assert one.area_deg2 == pytest.approx(4.0, rel=0.02)
    assert one.contains(healpix29([0.0, 359.5, 2.0, 180.0], [0.0, 0.5, 0.0, 0.0])).tolist() == [
        True,
        True,
        False,
        False,
    ]
    closed = Moc.polygon([*ra, ra[0]], [*decl, decl[0]])
    assert np.array_equal(one.ranges, closed.ranges)


@pytest.mark.parametrize(
    ("ra", "decl", "says"),
    [
        ([0, 1], [0, 1], "at least 3"),
        ([0, 1, 0], [0, 1, 0], "at least 3"),
        ([0, 1, 1], [0, 0, 95], "position 3"),
        ([0, 120, 240], [0, 0, 0], "hemisphere"),
        ([0, 1, 1, 0, 1, 2], [0, 0, 1, 1, 1, 2], "twice"),
        ([0, np.nan, 1], [0, 0, 1], "position 2"),
    ],
)
def test_bad_polygons(ra: list[float], decl: list[float], says: str) -> None:
    with pytest.raises(MocError, match=says):
        Moc.polygon(ra, decl)


def test_bad_circles() -> None:
    with pytest.raises(MocError, match="radius"):
        Moc.circle(0, 0, 0)
    with pytest.raises(MocError, match="field 2: the radius"):
        Moc.fields([1, 2], [1, 2], [1, 181])
    with pytest.raises(MocError, match="no positions"):
        Moc.fields([], [], 1)


def test_contains_nothing_without_a_position() -> None:
    whole = Moc.from_ranges([[0, CELLS]])
    assert whole.contains(np.array([-1, 0, CELLS - 1])).tolist() == [False, True, True]
    assert WatchmapIndex.build({4: whole}).match(np.array([-1, 0, CELLS - 1])).position.tolist() == [1, 2]


def test_bad_ranges() -> None:
    for bad in ([[5, 5]], [[-1, 4]], [[0, CELLS + 1]]):
        with pytest.raises(MocError, match="half-open"):
            Moc.from_ranges(bad)
    with pytest.raises(MocError, match="empty"):
        Moc.from_ranges(np.zeros((0, 2)))


def test_three_hundred_maps_equal_mocpy() -> None:
    rng = np.random.default_rng(8)
    maps = {}
    for k in rng.permutation(300):
        n = int(rng.integers(1, 6))
        ra, decl = sphere(int(k), n)
        maps[int(k) + 1000] = Moc.fields(ra, decl, 10.0 ** rng.uniform(0, 1.3, n))
    ra, decl = sphere(9, 3000)
    matches = WatchmapIndex.build(maps).match(healpix29(ra, decl))
    got = set(zip(matches.position.tolist(), matches.map_id.tolist(), strict=True))
    want = {
        (int(i), map_id)
        for map_id, moc in maps.items()
        for i in np.flatnonzero(mocpy_of(moc).contains_lonlat(ra * u.deg, decl * u.deg))
    }
    assert got == want
    assert len(want) > 3000
    assert np.all(np.diff(matches.position) >= 0)


cells = st.integers(0, CELLS - 1)
regions = st.lists(st.tuples(cells, cells).filter(lambda p: p[0] != p[1]), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(st.lists(regions, max_size=5), st.lists(st.one_of(cells, st.just(-1)), max_size=5), st.integers(0, 4))
def test_any_regions(drawn: list[list[tuple[int, int]]], at: list[int], gone: int) -> None:
    maps = {k: Moc.from_ranges([sorted(pair) for pair in region]) for k, region in enumerate(drawn)}
    # The ends of the ranges, and the cells before them, are where mistakes would be.
    ends = [int(e) + d for moc in maps.values() for e in moc.ranges.ravel() for d in (-1, 0)]
    positions = np.array(at + [e for e in ends if e < CELLS], np.int64)
    index = WatchmapIndex()
    for k, moc in maps.items():
        index = index.with_map(k, moc)
    index = index.without_maps([gone])
    maps.pop(gone, None)
    assert index.map_ids == set(maps)
    matches = index.match(positions)
    want = {
        (i, k)
        for i, c in enumerate(positions)
        for k, moc in maps.items()
        if any(a <= c < b for a, b in moc.ranges)
    }
    assert set(zip(matches.position.tolist(), matches.map_id.tolist(), strict=True)) == want


def test_replacing_a_map_and_full_tables() -> None:
    index = WatchmapIndex()
    for k in range(130):
        index = index.with_map(k, Moc.from_ranges([[k * 1000, k * 1000 + 1500]]))
    assert len(index) == 130
    assert len(index._tables) == 3
    assert index.match([64_100]).map_id.tolist() == [63, 64]
    index = index.with_map(64, Moc.from_ranges([[7, 9]]))
    assert index.match([64_100, 8]).map_id.tolist() == [63, 0, 64]


def test_hits_have_the_columns_of_the_table() -> None:
    maps = {9: Moc.circle(10, 10, 1), 4: Moc.circle(10, 10, 2)}
    hits = WatchmapIndex.build(maps).hits(pa.array([71, 72], pa.int64()), healpix29([200, 10], [0, 10]))
    assert hits.to_pydict() == {"diaObjectId": [72, 72], "ar_id": [4, 9]}
