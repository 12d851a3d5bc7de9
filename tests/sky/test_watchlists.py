"""The watchlist index against brute force over all pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from cdshealpix.nested import neighbours
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.sky import WatchlistIndex, healpix29, separation_arcsec
from lasair_broker.sky._watchlist_block import BLOCK_RADIUS, block, block_order

Float64 = npt.NDArray[np.float64]


def rows(ra: object, decl: object, radius: object, first: int = 1) -> pa.Table:
    lon, lat, r = np.broadcast_arrays(
        np.asarray(ra, float), np.asarray(decl, float), np.asarray(radius, float)
    )
    n = len(lon)
    return pa.table(
        {
            "cone_id": np.arange(first, first + n),
            "name": pa.array([f"star {i}" for i in range(n)], pa.string()),
            "ra": lon,
            "decl": lat,
            "radius": r,
        }
    )


def brute_force(lists: dict[int, pa.Table], ra: Float64, decl: Float64) -> dict[tuple[int, int, int], float]:
    """(position, list, cone) → separation, by testing every pair."""
    found = {}
    for wl_id, table in lists.items():
        for row in table.to_pylist():
            apart = separation_arcsec(ra, decl, row["ra"], row["decl"])
            for i in np.flatnonzero(apart <= row["radius"]):
                found[int(i), wl_id, row["cone_id"]] = float(apart[i])
    return found


def found_by(index: WatchlistIndex, ra: Float64, decl: Float64) -> dict[tuple[int, int, int], float]:
    matches = index.match(ra, decl)
    taken = index.take(matches.row)
    pairs = zip(
        matches.position.tolist(), taken["wl_id"].to_pylist(), taken["cone_id"].to_pylist(), strict=True
    )
    found = dict(zip(pairs, matches.arcsec.tolist(), strict=True))
    assert len(found) == len(matches), "a pair was found twice"
    return found


def assert_same(got: dict[tuple[int, int, int], float], want: dict[tuple[int, int, int], float]) -> None:
    assert got.keys() == want.keys()
    for pair, apart in want.items():
        assert got[pair] == pytest.approx(apart, rel=1e-9, abs=1e-7)


def sphere(rng: np.random.Generator, n: int) -> tuple[Float64, Float64]:
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def around(rng: np.random.Generator, ra: Float64, decl: Float64, within: Float64) -> tuple[Float64, Float64]:
    """A random position near each of the given ones, within `within` arcseconds, poles and wrap included."""
    lon, lat = np.radians(ra), np.radians(decl)
    centre = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    east = np.stack([-np.sin(lon), np.cos(lon), 0 * lon], 1)
    north = np.cross(centre, east)
    r = np.radians(within / 3600) * np.sqrt(rng.uniform(0, 1, len(ra)))[:]
    angle = rng.uniform(0, 2 * np.pi, len(ra))
    p = np.cos(r)[:, None] * centre + np.sin(r)[:, None] * (
        np.cos(angle)[:, None] * north + np.sin(angle)[:, None] * east
    )
    return np.degrees(np.arctan2(p[:, 1], p[:, 0])) % 360, np.degrees(
        np.arctan2(p[:, 2], np.hypot(p[:, 0], p[:, 1]))
    )


@pytest.mark.parametrize("order", range(6))
def test_block_is_cell_and_its_neighbours(order: int) -> None:
    cells = np.arange(12 * 4**order)
    want = neighbours(cells.astype(np.uint64), order)
    out = np.empty(9, np.int64)
    for cell in cells:
        count = block(int(cell), order, out)
        assert len(set(out[:count].tolist())) == count
        assert set(out[:count].tolist()) == set(want[cell][want[cell] >= 0].tolist())


@pytest.mark.parametrize("order", [0, 1, 2, 5, 8, 13, 18])
def test_a_cone_of_block_radius_stays_in_the_block(order: int) -> None:
    rng = np.random.default_rng(order)
    ra, decl = sphere(rng, 40_000)
    # Half of them where cells are narrowest: along the edges of the polar faces.
    edge = slice(0, 20_000)
    decl[edge] = np.sign(decl[edge]) * (90 - np.degrees(10.0 ** rng.uniform(-6, 0, 20_000)))
    ra[edge] = (90 * rng.integers(0, 4, 20_000) + rng.normal(0, 1, 20_000) / 2**order) % 360
    rim = np.degrees(BLOCK_RADIUS / 2**order) * 3600
    lon, lat = np.radians(ra), np.radians(decl)
    centre = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    east = np.stack([-np.sin(lon), np.cos(lon), 0 * lon], 1)
    angle = rng.uniform(0, 2 * np.pi, len(ra))[:, None]
    r = np.radians(rim / 3600)
    p = np.cos(r) * centre + np.sin(r) * (np.cos(angle) * np.cross(centre, east) + np.sin(angle) * east)
    there_ra = np.degrees(np.arctan2(p[:, 1], p[:, 0])) % 360
    there_decl = np.degrees(np.arctan2(p[:, 2], np.hypot(p[:, 0], p[:, 1])))
    shift = 2 * (29 - order)
    here, there = healpix29(ra, decl) >> shift, healpix29(there_ra, there_decl) >> shift
    out = np.empty(9, np.int64)
    for a, b in zip(here, there, strict=True):
        count = block(int(a), order, out)
        assert b in out[:count]


def test_block_order_is_the_finest_that_fits() -> None:
    radius = np.array([0.01, 1, 3, 60, 600, 3600, 36000.0])
    order = block_order(radius)
    assert np.all(np.radians(radius / 3600) <= BLOCK_RADIUS / 2.0**order)
    assert np.all(np.diff(order) <= 0)
    for bad in (0.0, -1.0, np.nan, 200_000.0):
        with pytest.raises(ValueError, match="radii"):
            block_order(np.array([bad]))


@pytest.mark.parametrize("seed", range(6))
def test_matches_equal_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists, positions = {}, []
    for wl_id in (3, 7, 11):
        ra, decl = sphere(rng, 300)
        decl[:20] = np.sign(decl[:20]) * (90 - 10.0 ** rng.uniform(-7, 0, 20))
        ra[20:40] = (10.0 ** rng.uniform(-7, 0, 20) * rng.choice([-1, 1], 20)) % 360
        decl[0], decl[1], ra[2] = 90.0, -90.0, 0.0
        radius = 10.0 ** rng.uniform(0, np.log10(3600), 300)
        lists[wl_id] = rows(ra, decl, radius)
        positions.append(around(rng, np.repeat(ra, 2), np.repeat(decl, 2), 1.5 * np.repeat(radius, 2)))
    ra, decl = (np.concatenate(x) for x in zip(*positions, strict=True))
    want = brute_force(lists, ra, decl)
    assert len(want) > 500
    assert_same(found_by(WatchlistIndex.build(lists), ra, decl), want)


def test_crowded_rows_are_all_found() -> None:
    """So many rows in one bin that they are looked up by cell."""
    rng = np.random.default_rng(1)
    ra, decl = 266.4 + rng.normal(0, 0.2, 4000), -28.9 + rng.normal(0, 0.2, 4000)
    lists = {1: rows(ra, decl, 10.0 ** rng.uniform(0, 2, 4000))}
    near = rng.choice(4000, 500)
    here = ra[near] + 1e-4, decl[near]
    assert_same(found_by(WatchlistIndex.build(lists), *here), brute_force(lists, *here))


angles = st.one_of(st.sampled_from([0.0, 360.0, 90.0, 45.0, 180.0, -1e-9]), st.floats(-360, 720))
declinations = st.one_of(st.sampled_from([90.0, -90.0, 0.0, 41.810314895778596]), st.floats(-90, 90))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(angles, declinations, st.floats(0.01, 36000)), max_size=8),
    st.lists(st.tuples(angles, declinations), max_size=8),
)
def test_any_rows_and_positions(
    cones: list[tuple[float, float, float]], positions: list[tuple[float, float]]
) -> None:
    ra, decl, radius = np.array(cones, float).reshape(-1, 3).T
    # The rows themselves are positions too, so that something matches.
    at = np.array(positions + [(a, d) for a, d, _ in cones], float).reshape(-1, 2)
    lists = {1: rows(ra, decl, radius)}
    got, want = (
        found_by(WatchlistIndex.build(lists), at[:, 0], at[:, 1]),
        brute_force(lists, at[:, 0], at[:, 1]),
    )
    for pair in got.keys() ^ want.keys():  # only rounding at the rim may tell them apart
        i, _, cone = pair
        apart = separation_arcsec(at[i, 0], at[i, 1], ra[cone - 1], decl[cone - 1])
        assert apart == pytest.approx(radius[cone - 1], rel=1e-9, abs=1e-7)


def test_matches_are_sorted_and_hits_name_the_source() -> None:
    lists = {5: rows([10, 10.0005], [0, 0], 3.0), 2: rows([10.0002], [0], 3.0)}
    hits = WatchlistIndex.build(lists).hits(pa.array([100, 200, 300]), [50.0, 10.0, np.nan], [0.0, 0.0, 0.0])
    assert hits.schema.names == ["diaObjectId", "wl_id", "cone_id", "arcsec", "name"]
    assert hits["diaObjectId"].to_pylist() == [200, 200, 200]
    assert hits["wl_id"].to_pylist() == [5, 2, 5]
    assert hits["cone_id"].to_pylist() == [1, 1, 2]
    assert hits["name"].to_pylist() == ["star 0", "star 0", "star 1"]
    assert hits["arcsec"].to_pylist() == pytest.approx([0.0, 0.72, 1.8], abs=1e-6)


def test_empty_index_and_no_positions() -> None:
    empty = WatchlistIndex()
    assert len(empty) == 0
    assert len(empty.match([1.0], [2.0])) == 0
    assert empty.hits(pa.array([1]), [1.0], [2.0]).num_rows == 0
    assert empty.covering_ranges().shape == (0, 2)
    full = WatchlistIndex.build({1: rows([1.0], [2.0], 3.0)})
    assert len(full.match([], [])) == 0
    assert WatchlistIndex.build({1: rows([], [], [])}).list_ids == frozenset()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "drop", "edit", "cut"]), st.integers(1, 4), st.integers(0, 60)),
        max_size=25,
    )
)
def test_updates_equal_building_anew(steps: list[tuple[str, int, int]]) -> None:
    rng = np.random.default_rng(0)
    lists: dict[int, pa.Table] = {}
    index = WatchlistIndex()
    for what, wl_id, n in steps:
        before = index, len(index)
        ra, decl = rng.uniform(0, 0.05, n), rng.uniform(-0.05, 0.05, n)
        table = rows(ra, decl, rng.uniform(1, 100, n))
        if what == "put":
            lists[wl_id], index = table, index.with_list(wl_id, table)
        elif what == "drop":
            lists.pop(wl_id, None)
            index = index.without_lists([wl_id])
        elif what == "edit" and wl_id in lists:
            changed = table.slice(0, n // 2)
            index = index.with_rows(wl_id, changed)
            kept = lists[wl_id].filter(
                pa.array(~np.isin(lists[wl_id]["cone_id"].to_numpy(), changed["cone_id"].to_numpy()))
            )
            lists[wl_id] = pa.concat_tables([kept, changed])
        elif what == "cut" and wl_id in lists:
            index = index.without_rows(wl_id, np.arange(n // 2))
            lists[wl_id] = lists[wl_id].filter(pa.array(lists[wl_id]["cone_id"].to_numpy() >= n // 2))
        assert len(before[0]) == before[1], "an index was changed"
    assert len(index) == sum(t.num_rows for t in lists.values())
    assert index.list_ids == {i for i, t in lists.items() if t.num_rows}
    ra, decl = rng.uniform(0, 0.05, 30), rng.uniform(-0.05, 0.05, 30)
    assert_same(found_by(index, ra, decl), brute_force(lists, ra, decl))


def test_parts_stay_few() -> None:
    rng = np.random.default_rng(0)
    index = WatchlistIndex()
    for i in range(200):
        ra, decl = sphere(rng, int(rng.integers(1, 50)))
        index = index.with_list(i, rows(ra, decl, 2.0))
    assert len(index._parts) <= 8


def test_covering_ranges_hold_all_that_match() -> None:
    rng = np.random.default_rng(2)
    ra, decl = sphere(rng, 200)
    index = WatchlistIndex.build({1: rows(ra, decl, 10.0 ** rng.uniform(0, 3.5, 200))}).without_rows(
        1, range(50)
    )
    at = sphere(rng, 20_000)
    matched = np.unique(index.match(*at).position)
    assert len(matched)
    for gap in (0, 1 << 40):
        ranges = index.covering_ranges(gap)
        assert np.all(ranges[1:, 0] > ranges[:-1, 1] + gap)
        inside = np.searchsorted(ranges.ravel(), healpix29(*at), side="right") % 2 == 1
        assert inside[matched].all()
    assert inside.mean() < 0.9


@pytest.mark.parametrize(("ra", "decl", "radius"), [(np.nan, 0, 1), (0, 91, 1), (0, 0, 0), (0, 0, np.nan)])
def test_bad_rows_are_refused(ra: float, decl: float, radius: float) -> None:
    with pytest.raises(ValueError, match=r"not a position|radii"):
        WatchlistIndex.build({1: rows([ra], [decl], [radius])})


def test_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="watchlist 4 lack radius"):
        WatchlistIndex().with_list(4, rows([1], [1], 1).drop_columns(["radius"]))
