"""Objects of two surveys at one place: held to brute force."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.context import PARTNER_COLUMNS, PlaceIndex, partner_rows
from lasair_broker.schema import arrow_schema

SCHEMA = pa.schema([field for field in arrow_schema("objects") if field.name in PARTNER_COLUMNS])


def survey(name: str, *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"survey": name, "objectName": f"{name}?"} | row for row in rows], SCHEMA)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    decl=st.sampled_from([0.0, 60.0, 89.9999, -90.0]),
    ra=st.sampled_from([0.0, 180.0, 359.9999]),
)
def test_pairs_are_those_of_brute_force(seed: int, decl: float, ra: float) -> None:
    random = np.random.default_rng(seed)

    def made(name: str, first: int) -> pa.Table:
        rows = [
            {
                "diaObjectId": first + i,
                "ra": (ra + random.uniform(-2, 2) / 3600.0 / max(np.cos(np.radians(decl)), 1e-5)) % 360.0,
                "decl": float(np.clip(decl + random.uniform(-2, 2) / 3600.0, -90.0, 90.0)),
                "raErr": None if random.random() < 0.3 else random.uniform(0.0, 0.4) / 3600.0,
                "decErr": random.uniform(0.01, 0.4) / 3600.0,
                "g_psfFlux": float(first + i),
            }
            for i in range(6)
        ]
        return survey(name, *rows)

    ours, theirs = made("lsst", 100), made("ztf", 200)
    at = [SkyCoord(s["ra"].to_numpy() * u.deg, s["decl"].to_numpy() * u.deg) for s in (ours, theirs)]
    separations = at[0][:, None].separation(at[1][None, :]).arcsec
    expected = {}
    for a in ours.to_pylist():
        for b in theirs.to_pylist():
            apart = separations[a["diaObjectId"] - 100, b["diaObjectId"] - 200]
            variance = 0.15**2
            for o, unstated in ((a, 0.2), (b, 0.3)):
                stated = o["raErr"] is not None
                variance += 3600.0**2 * (o["raErr"] ** 2 + o["decErr"] ** 2) / 2 if stated else unstated**2
            if apart <= 1.5 and apart / variance**0.5 <= 4.0:
                expected[a["diaObjectId"], b["diaObjectId"]] = apart / variance**0.5
    rows = partner_rows(ours, theirs, theirs["diaObjectId"].to_numpy()).to_pylist()
    got = {(row["diaObjectId"], row["partnerDiaObjectId"]): row for row in rows}
    assert set(got) == set(expected) | {(b, a) for a, b in expected}
    for (a, b), offset in expected.items():
        of_a = sorted((value, pair[1]) for pair, value in expected.items() if pair[0] == a)
        of_b = sorted((value, pair[0]) for pair, value in expected.items() if pair[1] == b)
        there, back = got[a, b], got[b, a]
        assert there["offsetSigma"] == pytest.approx(offset, rel=1e-4, abs=1e-4)
        assert there["partnerRank"] == 1 + [pair[1] for pair in of_a].index(b)
        assert back["partnerRank"] == 1 + [pair[1] for pair in of_b].index(a)
        assert there["isMutual"] == back["isMutual"] == (of_a[0][1] == b and of_b[0][1] == a)
        assert (there["partner_g_psfFlux"], back["partner_g_psfFlux"]) == (b, a)
        assert (there["partnerSurvey"], back["partnerSurvey"]) == ("ztf", "lsst")


def test_nobody_is_near_nobody() -> None:
    nothing = SCHEMA.empty_table()
    one = survey("ztf", {"diaObjectId": 1, "ra": 1.0, "decl": 1.0}, {"diaObjectId": 2})
    for ours, theirs in ((nothing, one), (one, nothing), (nothing, nothing)):
        assert partner_rows(ours, theirs, np.array([1], np.int64)).num_rows == 0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(0, 30), max_size=6))
def test_an_index_made_in_parts_finds_what_is_there(seed: int, sizes: list[int]) -> None:
    random = np.random.default_rng(seed)
    index = PlaceIndex()
    ids, places = np.zeros(0, np.int64), np.zeros((0, 2))
    for size in sizes:
        more = np.column_stack([random.uniform(-1, 1, size) % 360.0, random.uniform(-1, 1, size)])
        numbers = np.arange(len(ids), len(ids) + size)
        index = index.with_places(numbers, more[:, 0].copy(), more[:, 1].copy())
        ids, places = np.concatenate([ids, numbers]), np.concatenate([places, more])
    assert len(index) == len(ids)
    ra, decl = np.array([0.0, 359.5, np.nan]), np.array([0.0, 0.5, 0.0])
    position, number = index.near(ra, decl, 1000.0)
    apart = SkyCoord(ra[:2, None] * u.deg, decl[:2, None] * u.deg).separation(
        SkyCoord(places[:, 0] * u.deg, places[:, 1] * u.deg)
    )
    expected = set(zip(*map(np.ndarray.tolist, np.nonzero(apart.arcsec <= 1000.0)), strict=True))
    assert set(zip(position.tolist(), number.tolist(), strict=True)) == expected


def test_memory_is_what_is_stated() -> None:
    random = np.random.default_rng(1)
    count = 1_000_000
    ra, decl = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    index = PlaceIndex().with_places(np.arange(count), ra, decl)
    assert index.nbytes < 18_000_000
