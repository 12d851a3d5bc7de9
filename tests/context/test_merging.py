"""Groups of catalogue rows that are one source, against a slow version with astropy's separations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.context._candidates import Candidates
from lasair_broker.context._merge import best, groups
from lasair_broker.context._rules import Merging

MERGING = Merging(radius=1.0, extent=0.1)

rows = st.tuples(
    st.integers(0, 2),  # position
    st.integers(0, 2),  # catalogue
    st.floats(-3.0, 3.0),  # offset, arcsec
    st.floats(-3.0, 3.0),
    st.sampled_from([0.0, 5.0, 40.0]),  # semi-major axis, arcsec; 0: none
    st.booleans(),  # a galaxy
)


def made(drawn: list[tuple[int, int, float, float, float, bool]], ra: float, decl: float) -> Candidates:
    drawn = sorted(drawn, key=lambda row: row[0])
    position, catalogue, x, y, axis, _ = (np.array(v) for v in zip(*drawn, strict=True))
    lon = (ra + x / 3600.0 / max(np.cos(np.radians(decl)), 1e-3)) % 360.0
    table = pa.table({"ra": lon, "decl": np.clip(decl + y / 3600.0, -90, 90), "major_axis": 2.0 * axis})
    one = Candidates.of(position.astype(np.int64), 0, np.arange(len(drawn)), np.abs(x), table, "isophote")
    return Candidates(**{**vars(one), "catalogue": catalogue.astype(np.int16)})


def slowly(c: Candidates, galaxy: np.ndarray) -> list[set[int]]:
    """Friends of friends by repeated joining of sets."""
    place = SkyCoord(c.ra, c.decl, unit="deg")
    sets = [{k} for k in range(len(c))]
    for i in range(len(c)):
        for j in range(i):
            reach = MERGING.radius
            if c.catalogue[i] != c.catalogue[j] and galaxy[i] and galaxy[j]:
                reach = max(reach, *(MERGING.extent * np.nan_to_num(c.semi_major[[i, j]])))
            if c.position[i] == c.position[j] and place[i].separation(place[j]).arcsec <= reach:
                joined = next(s for s in sets if i in s) | next(s for s in sets if j in s)
                sets = [s for s in sets if not s & joined] + [joined]
    return sets


@settings(deadline=None, max_examples=60)
@given(
    st.lists(rows, min_size=1, max_size=7),
    st.sampled_from([0.0, 123.4, 359.9999]),
    st.sampled_from([-89.9, 0.0, 60.0]),
)
def test_groups(drawn: list[tuple[int, int, float, float, float, bool]], ra: float, decl: float) -> None:
    c = made(drawn, ra, decl)
    galaxy = np.array([row[5] for row in sorted(drawn, key=lambda row: row[0])])
    found = groups(c, np.ones(len(c)), galaxy, MERGING)
    ours = [set(np.flatnonzero(found.of == g).tolist()) for g in range(len(found))]
    assert sorted(map(sorted, ours)) == sorted(map(sorted, slowly(c, galaxy)))
    assert (np.diff(found.position) >= 0).all()
    np.testing.assert_array_equal(found.position[found.of], c.position)


def test_the_best_of_what_members_know() -> None:
    c = made([(0, k, 0.0, 0.0, 0.0, False) for k in range(3)], 10.0, 10.0)
    found = groups(c, np.array([1.0, 3.0, 2.0]), np.zeros(3, np.bool_), MERGING)
    value, who = best(np.array([5.0, np.nan, 7.0]), found)
    assert (value.tolist(), who.tolist()) == ([7.0], [2])  # the most trusted that has one
    nothing, nobody = best(np.full(3, np.nan), found)
    assert np.isnan(nothing).all()
    assert nobody.tolist() == [-1]
