"""Matches against brute force, at every place of the sky; proper motion against astropy."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time
from catalogue_tables import description, moving_description, sphere, table
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.context.catalogues import Catalogue, CatalogueSet, Description, propagate, write_catalogue
from lasair_broker.sky import SortedCells, healpix29, separation_arcsec

Float64 = npt.NDArray[np.float64]


def catalogue_of(folder: Path, rows: pa.Table, about: Description) -> Catalogue:
    write_catalogue(folder, "test", rows, about)
    return CatalogueSet.open(folder)["test"]


def brute_force(catalogue: Catalogue, ra: Float64, decl: Float64, radius: Float64) -> list[tuple[int, int]]:
    at = catalogue.take(np.arange(len(catalogue)), ["ra", "decl"])
    pairs = []
    for i in range(len(ra)):
        arcsec = separation_arcsec(ra[i], decl[i], at["ra"].to_numpy(), at["decl"].to_numpy())
        inside = np.flatnonzero(arcsec <= radius[i])
        pairs += [(i, int(row)) for row in inside[np.lexsort((inside, arcsec[inside]))]]
    return pairs


longitudes = st.one_of(
    st.floats(0.0, 360.0, exclude_max=True), st.sampled_from([0.0, 1e-9, 359.9999999, 45.0, 90.0, 180.0])
)
latitudes = st.one_of(
    st.floats(-90.0, 90.0),
    st.sampled_from([90.0, -90.0, 89.9999999, -89.9999999, 0.0, 41.8103149, -41.8103149]),
)
radii = st.one_of(
    st.sampled_from([0.0, 1e-4, 0.5, 2.0, 60.0, 14_000.0, 133_000.0, 135_000.0, 648_000.0, 1e9]),
    st.floats(0.0, 7e5),
)
offsets = st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(longitudes, latitudes), max_size=25),
    st.lists(st.tuples(longitudes, latitudes, radii), min_size=1, max_size=4),
    st.lists(offsets, max_size=4),
    st.integers(1, 5),
)
def test_all_pairs_and_nearest_are_those_of_brute_force(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, float]],
    queries: list[tuple[float, float, float]],
    near: list[tuple[float, float]],
    k: int,
) -> None:
    # Rows on the spot (twice), and some a few arcseconds beside, so that small circles have matches too.
    ra, decl, _ = queries[0]
    rows = [*rows, (ra, decl), (ra, decl)]
    rows += [((ra + a / 3600.0) % 360.0, min(max(decl + d / 3600.0, -90.0), 90.0)) for a, d in near]
    catalogue = catalogue_of(
        tmp_path_factory.mktemp("catalogue"), table(*zip(*rows, strict=True)), description()
    )
    at = np.array(queries)
    want = brute_force(catalogue, at[:, 0], at[:, 1], at[:, 2])
    found = catalogue.match(at[:, 0], at[:, 1], at[:, 2])
    assert list(zip(found.position.tolist(), found.row.tolist(), strict=True)) == want
    nearest = catalogue.match(at[:, 0], at[:, 1], at[:, 2], k=k)
    kept = [pair for i in range(len(queries)) for pair in [p for p in want if p[0] == i][:k]]
    assert list(zip(nearest.position.tolist(), nearest.row.tolist(), strict=True)) == kept


def test_many_rows_in_several_parts_and_a_radius_a_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lasair_broker.context.catalogues._version_writer.PART_ROWS", 1000)
    rng = np.random.default_rng(3)
    catalogue = catalogue_of(tmp_path, table(*sphere(rng, 20_000)), description())
    assert len(catalogue.details.parts) == 20
    ra, decl = sphere(rng, 200)
    radius = 10.0 ** rng.uniform(1.0, 4.5, 200)
    found = catalogue.match(ra, decl, radius)
    want = brute_force(catalogue, ra, decl, radius)
    assert len(want) > 1000
    assert list(zip(found.position.tolist(), found.row.tolist(), strict=True)) == want
    taken = catalogue.take(found.row, ["name", "ra", "decl"])
    number = np.array([int(name.split()[1]) for name in taken["name"].to_pylist()])
    given_ra, given_decl = sphere(np.random.default_rng(3), 20_000)
    assert np.array_equal(taken["ra"].to_numpy(), given_ra[number])
    assert np.array_equal(taken["decl"].to_numpy(), given_decl[number])


def test_rows_come_in_the_order_asked_for_and_may_repeat(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, table([10.0, 200.0, 300.0], [1.0, 2.0, 3.0]), description())
    names = catalogue.take([0, 1, 2], ["name"])["name"].to_pylist()
    assert catalogue.take([2, 0, 2], ["name"])["name"].to_pylist() == [names[2], names[0], names[2]]
    assert catalogue.take([]).num_rows == 0
    assert catalogue.take([]).schema == catalogue.schema
    with pytest.raises(IndexError, match="0 to 2"):
        catalogue.take([3])
    with pytest.raises(KeyError, match="nonsense"):
        catalogue.take([0], ["nonsense"])


def test_an_empty_catalogue_matches_nothing(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, table([], []), description())
    assert len(catalogue.match([1.0, 2.0], [0.0, 90.0], 648_000.0)) == 0
    assert catalogue.take([], ["ra", "name"]).num_rows == 0


def test_what_is_no_position_has_no_matches_and_bad_radii_are_refused(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, table([1.0], [1.0]), description())
    found = catalogue.match([np.nan, 1.0, 1.0], [1.0, 1.0, 91.0], 1.0)
    assert found.position.tolist() == [1]
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match="radii"):
            catalogue.match([1.0], [1.0], bad)


BARNARD = {"ra": 269.44850252543836, "decl": 4.739420051112412, "pmra": -801.551, "pmdec": 10362.394}
"""Gaia DR3 4472832130942575872, epoch 2016.0."""


def test_barnards_star_is_found_where_it_stands(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    crowd = (BARNARD["ra"] + rng.uniform(-0.2, 0.2, 5000), BARNARD["decl"] + rng.uniform(-0.2, 0.2, 5000))
    catalogue = catalogue_of(
        tmp_path,
        table(
            np.append(crowd[0], BARNARD["ra"]),
            np.append(crowd[1], BARNARD["decl"]),
            pmra=np.append(rng.normal(0.0, 5.0, 5000), BARNARD["pmra"]),
            pmdec=np.append(rng.normal(0.0, 5.0, 5000), BARNARD["pmdec"]),
        ),
        moving_description(),
    )
    for year in (1950.0, 2016.0, 2026.9, 2036.0):
        when = Time(year, format="jyear", scale="tai")
        star = SkyCoord(
            BARNARD["ra"] * u.deg,
            BARNARD["decl"] * u.deg,
            pm_ra_cosdec=BARNARD["pmra"] * u.mas / u.yr,
            pm_dec=BARNARD["pmdec"] * u.mas / u.yr,
            distance=Distance(1e6, u.pc),  # so that the line of sight hardly turns: as without a distance
            obstime=Time(2016.0, format="jyear", scale="tai"),
        ).apply_space_motion(new_obstime=when)
        found = catalogue.match([star.ra.deg], [star.dec.deg], 0.5, k=1, mjd=when.mjd)
        assert catalogue.take(found.row, ["name"])["name"].to_pylist() == ["source 5000"]
        assert found.arcsec[0] < 0.002
    # A decade later there is nothing where it stood, and without a time it stands where the catalogue says.
    stood = ([BARNARD["ra"]], [BARNARD["decl"]])
    assert (
        "source 5000"
        not in catalogue.take(catalogue.match(*stood, 20.0, mjd=61_500.0).row)["name"].to_pylist()
    )
    assert "source 5000" in catalogue.take(catalogue.match(*stood, 0.5).row)["name"].to_pylist()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(longitudes, latitudes, st.floats(-11_000, 11_000), st.floats(-11_000, 11_000)),
        min_size=1,
        max_size=20,
    ),
    st.floats(-60.0, 60.0),
    st.floats(0.0, 3000.0),
)
def test_moving_rows_are_found_like_rows_that_were_moved_beforehand(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float, float, float, float]],
    years: float,
    radius: float,
) -> None:
    ra, decl, pmra, pmdec = np.array(rows).T
    folder = tmp_path_factory.mktemp("catalogue")
    moving = catalogue_of(folder / "a", table(ra, decl, pmra=pmra, pmdec=pmdec), moving_description())
    then = propagate(ra, decl, np.float32(pmra), np.float32(pmdec), years)
    still = catalogue_of(folder / "b", table(*then), description())
    mjd = 51_544.5 + 365.25 * (16.0 + years)
    ask = (then[0] + 0.0003, np.clip(then[1] + 0.0002, -90.0, 90.0))
    a, b = moving.match(*ask, radius, mjd=mjd), still.match(*ask, radius)

    def pairs(catalogue: Catalogue, found: object) -> dict[tuple[int, str], float]:
        names = catalogue.take(found.row, ["name"])["name"].to_pylist()  # type: ignore[attr-defined]
        return dict(zip(zip(found.position.tolist(), names, strict=True), found.arcsec, strict=True))  # type: ignore[attr-defined]

    left, right = pairs(moving, a), pairs(still, b)
    # The rounding of the time may decide about a row that stands on the rim.
    for pair in left.keys() ^ right.keys():
        assert abs((left | right)[pair] - radius) < 1e-3
    for pair in left.keys() & right.keys():
        assert abs(left[pair] - right[pair]) < 1e-3


def test_rows_without_motion_or_epoch_stand_still(tmp_path: Path) -> None:
    catalogue = catalogue_of(
        tmp_path,
        table([10.0, 20.0], [0.0, 0.0], pmra=pa.array([None, 100.0]), pmdec=pa.array([None, 0.0])),
        moving_description(),
    )
    assert len(catalogue.match([10.0], [0.0], 0.01, mjd=88_069.5)) == 1
    ra, decl = catalogue.positions(np.arange(2), 51_544.5 + 365.25 * 116)
    assert np.allclose(np.sort(ra), [10.0, 20.0 + 10.0 / 3600.0], atol=1e-9)
    assert np.allclose(decl, 0.0, atol=1e-5)
    assert catalogue.take([0, 1], ["epoch"])["epoch"].to_pylist() == [2016.0, 2016.0]


def test_cells_out_of_order_are_refused() -> None:
    cells = np.sort(healpix29(*sphere(np.random.default_rng(1), 50)))
    cells[[10, 11]] = cells[[11, 10]]
    with pytest.raises(ValueError, match="row 11 is out of order"):
        SortedCells.build(cells)


def test_a_table_of_another_catalogue_is_refused() -> None:
    cells = np.sort(healpix29(*sphere(np.random.default_rng(1), 50)))
    bins = SortedCells.build(cells).bins
    with pytest.raises(ValueError, match="does not belong"):
        SortedCells.with_bins(cells[:-1], bins)
    with pytest.raises(ValueError, match="does not belong"):
        SortedCells.with_bins(cells, bins[:-1])
