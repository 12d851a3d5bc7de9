"""Objects and events: factors against a slow version, states of maps, calibration on made-up skies."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import integrate, stats

from lasair_broker.messengers import Background, Candidates, Chances, MessengerIndex, associate
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import SkyMap, VolumeLevels, gaussian_skymap, healpix29, read_skymap

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "messengers"
T0 = 61000.0
WAVE = {
    "origin": "LVK", "eventName": "S1", "revision": 3, "mw_id": 1, "kind": "gw", "role": "observation",
    "eventMjdTai": T0, "noticeMjdTai": T0 + 0.01, "retracted": False, "skymap": "a", "significant": True,
    "BNS": 0.9, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.1, "distance": 40.0, "distanceErr": 8.0,
}  # fmt: skip
BURST = {
    "origin": "Swift", "eventName": "G1", "revision": 0, "mw_id": 2, "kind": "grb", "role": "observation",
    "eventMjdTai": T0, "retracted": False, "ra": 100.0, "decl": 20.0, "errorRadius": 3.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def mock() -> SkyMap:
    return read_skymap((DATA / "MS181101ab_mock.multiorder.fits").read_bytes())


def table(name: str, *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(name))


def index_of(maps: dict[str, SkyMap], *events: dict[str, Any], versions: list[dict[str, Any]] | None = None,
             **kwargs: Any) -> MessengerIndex:  # fmt: skip
    notices = [{**e, "version": 1} for e in events] if versions is None else versions
    names = set(arrow_schema("event_versions").names)
    notices = [{k: v for k, v in row.items() if k in names} for row in notices]
    return MessengerIndex.build(
        table("external_events", *events), table("event_versions", *notices), maps.__getitem__, **kwargs
    )


def objects(ra: Any, decl: Any, first: Any = T0 + 1.0, **columns: Any) -> pa.Table:
    ra, decl, first = (a.astype(float) for a in np.broadcast_arrays(*np.atleast_1d(ra, decl, first)))
    given = {"firstDiaSourceMjdTai": first, "lastDiaSourceMjdTai": np.maximum(first, T0) + 1.0} | columns
    return pa.table({"diaObjectId": np.arange(1, len(ra) + 1), "ra": ra, "decl": decl, **given})


def densest(skymap: SkyMap) -> tuple[float, float]:
    from astropy_healpix import HEALPix

    best = int(np.argmax(skymap.density))
    lon, lat = HEALPix(2**29, order="nested").healpix_to_lonlat(
        int(skymap.start[best]) + int(skymap.size[best]) // 2
    )
    return float(lon.deg), float(lat.deg)


def test_distances_are_those_of_quadrature(mock: SkyMap) -> None:
    ra, decl = densest(mock)
    hosts = [(1, 0.6, 41.0, 3.0, "sz"), (1, 0.3, 300.0, 90.0, "pz"), (2, 1.0, 15.0, 9.0, "dd")]
    matches = pa.Table.from_pylist(
        [dict(zip(("diaObjectId", "hostProbability", "best_distance", "best_distance_err",
                   "best_distance_flag"), row, strict=True)) for row in hosts]
    )  # fmt: skip
    candidates = Candidates.of_tables(objects([ra, ra, ra], [decl, decl, decl]), None, matches)
    index = index_of({"a": mock}, WAVE)
    rows = associate(candidates, index).sort_by("diaObjectId").to_pylist()
    cell = int(np.argmax(mock.density))
    assert mock.distmu is not None
    assert mock.distsigma is not None
    assert mock.distnorm is not None
    mu, sigma, norm = (float(a[cell]) for a in (mock.distmu, mock.distsigma, mock.distnorm))
    volumes = VolumeLevels.of(mock)
    assert volumes is not None

    def over_hosts(weights: list[tuple[float, float, float]], value: Any) -> float:
        total = 0.0
        for w, d, e in weights:
            a = -d / e
            host = stats.truncnorm(a, np.inf, d, e)
            low, high = max(0.0, d - 9 * e), d + 9 * e
            total += w * integrate.quad(
                lambda r, host=host: host.pdf(r) * value(r), low, high,
                points=[p for p in (mu - 3 * sigma, mu, mu + 3 * sigma) if low < p < high], limit=400,
            )[0]  # fmt: skip
        return total

    def posterior(r: float) -> float:
        return norm * stats.norm.pdf(r, mu, sigma) * r**2

    prior = 3.0 / 2000.0**3
    for row, weights in ((rows[0], [(0.6, 41.0, 3.0), (0.27, 300.0, 90.0)]), (rows[1], [(1.0, 15.0, 9.0)])):
        known = sum(w for w, _, _ in weights)
        factor = over_hosts(weights, lambda r: norm * stats.norm.pdf(r, mu, sigma) / prior) + 1.0 - known
        assert row["distanceFactor"] == pytest.approx(factor, rel=1e-5)
        assert row["probdens2"] == pytest.approx(mock.density[cell], rel=1e-6)
        volume = mock.density[cell] * norm * over_hosts(weights, lambda r: stats.norm.pdf(r, mu, sigma))
        assert row["probdensVolume"] == pytest.approx(volume / known, rel=1e-5)
        density = mock.density[cell] * over_hosts(weights, posterior) / known
        assert row["probdens3"] == pytest.approx(density, rel=0.02)  # the host's cut-off at zero
    assert rows[0]["distanceSigma"] == pytest.approx((41.0 - mu) / math.hypot(sigma, 3.0), rel=1e-5)
    assert rows[0]["contour3"] < rows[1]["contour3"] <= 100.0
    assert rows[2]["distanceFactor"] == 1.0
    assert rows[2]["contour3"] is None
    # An exact distance: the level of the volume at that place.
    exact = pa.Table.from_pylist([{"diaObjectId": 1, "hostProbability": 1.0, "best_distance": 40.0,
                                   "best_distance_err": 1e-4, "best_distance_flag": "sz"}])  # fmt: skip
    (row,) = associate(Candidates.of_tables(objects(ra, decl), None, exact), index).to_pylist()
    there = math.log(mock.density[cell] * norm) + stats.norm.logpdf(40.0, mu, sigma)
    assert row["contour3"] == pytest.approx(100.0 * volumes.at(np.array([there]))[0], abs=1e-3)


def test_times_and_classes(mock: SkyMap) -> None:
    ra, decl = densest(mock)
    first = T0 + np.array([-3.0, 0.5, 4.9, 5.1, 0.5, 0.5])
    snr = np.array([0.0, 0.0, 0.0, 0.0, 9.0, np.nan])
    there = objects(ra, decl, first, g_preSnr=snr, nondetectionGap=np.full(6, 0.7))
    kinds = ["SN", "SN", "SN", "SN", "SN", "VS"]
    classes = pa.table({"diaObjectId": np.arange(1, 7), "classification": kinds})
    rows = associate(Candidates.of_tables(there, classes), index_of({"a": mock}, WAVE)).to_pylist()
    # The event is small, so that objects of before are told; those of after the window are not.
    assert [row["diaObjectId"] for row in rows] == [1, 2, 3, 5, 6]
    assert [row["seenBefore"] for row in rows] == [True, False, False, True, False]
    assert [row["logBayesFactor"] is None for row in rows] == [True, False, False, True, False]
    assert [row["tier"] for row in rows] == [None, "bronze", "bronze", None, "bronze"]
    assert rows[1]["lastNondetectionDays"] == pytest.approx(-0.2)
    assert rows[1]["timeFactor"] == pytest.approx(0.9)  # that it is no noise; the window is the kilonova's
    assert rows[1]["classFactor"] == pytest.approx(0.6 / 1.008 / 0.1, rel=1e-3)
    assert rows[1]["logBayesFactor"] - rows[4]["logBayesFactor"] == pytest.approx(math.log10(300.0))
    total = rows[1]["skyFactor"] * rows[1]["timeFactor"] * rows[1]["classFactor"] * rows[1]["distanceFactor"]
    assert rows[1]["logBayesFactor"] == pytest.approx(math.log10(total), rel=1e-5)


def test_light_curves_count_for_and_against(mock: SkyMap) -> None:
    ra, decl = densest(mock)
    ids = np.arange(1, 6)
    there = objects(ra, decl, T0 + np.full(5, 0.5))
    classes = pa.table({"diaObjectId": ids, "classification": ["SN"] * 5})
    zero = np.zeros(6)
    said = {"SN": [0.0, 0.1, 0.0, 0.9, 0.1, 0.0], "kilonova": [0.8, 0.0, 0.0, 0.05, 0.8, 0.0],
            "afterglow": zero, "orphanAfterglow": zero, "TDE": zero, "AGN": [0.1, 0.9, 0.0, 0.0, 0.1, 0.0],
            "galactic": [0.1, 0.0, 0.97, 0.0, 0.0, 0.0]}  # fmt: skip
    light = pa.table({"diaObjectId": [1, 2, 3, 4, 5, 9]} | said)
    candidates = Candidates.of_tables(there.slice(0, 5), classes, None, light.slice(0, 4))
    assert candidates.light[0].tolist() == pytest.approx([0.0, 0.8, 0.0, 0.0, 0.1, 0.1, 0.0])
    assert np.isnan(candidates.light[4]).all()
    index = index_of({"a": mock}, WAVE)
    plain = associate(Candidates.of_tables(there, classes), index).to_pylist()
    rows = associate(candidates, index).to_pylist()
    shares = {"SN": 0.2, "kilonova": 0.7, "afterglow": 0.1}
    given = {
        name: max(shares.get(name, 0.0), 0.002)
        for name in ("SN", "kilonova", "afterglow", "TDE", "AGN", "galactic")
    }
    total = sum(given.values())
    for row, told in enumerate(({"kilonova": 0.8, "AGN": 0.1, "galactic": 0.1}, {"SN": 0.1, "AGN": 0.9},
                                {"galactic": 0.97}, {"SN": 0.9, "kilonova": 0.05})):  # fmt: skip
        factor = sum(q * given[name] / total * 6 for name, q in told.items()) + 1.0 - sum(told.values())
        assert rows[row]["photometricFactor"] == pytest.approx(factor, rel=1e-5)
        change = rows[row]["logBayesFactor"] - plain[row]["logBayesFactor"]
        assert change == pytest.approx(math.log10(factor), abs=1e-5)
    assert rows[4]["photometricFactor"] == plain[4]["photometricFactor"] == 1.0
    # What is surely of another class is of no better tier than bronze, however small the chance.
    sure = replace(index, chances=(Chances(np.zeros(0), np.zeros(0), 1e-4),))
    assert [row["tier"] for row in associate(candidates, sure).to_pylist()] == [
        "gold", "gold", "bronze", "gold", "gold",
    ]  # fmt: skip
    both = pa.concat_tables([light.slice(0, 1), light.slice(1, 1).set_column(0, "diaObjectId", [[1]])])
    mean = Candidates.of_tables(there.slice(0, 1), classes, None, both).light[0]
    assert mean.tolist() == pytest.approx([0.05, 0.4, 0.0, 0.0, 0.5, 0.05, 0.0])


def test_wide_events_take_no_old_objects_and_one_object_may_be_in_many() -> None:
    maps = {"a": gaussian_skymap(100.0, 20.0, 12.0)}
    index = index_of(maps, WAVE, BURST, {**BURST, "mw_id": 3, "eventName": "G2", "retracted": True})
    found = associate(Candidates.of_tables(objects([100.0] * 2, [20.0] * 2, [T0 + 1, T0 - 50.0])), index)
    told = {(r["diaObjectId"], r["eventName"]): r["state"] for r in found.to_pylist()}
    assert told == {
        (1, "S1"): "current", (1, "G1"): "current", (1, "G2"): "retracted",
        (2, "G1"): "current", (2, "G2"): "retracted",
    }  # fmt: skip


def test_what_an_older_map_held_is_superseded(mock: SkyMap) -> None:
    maps = {"a": mock, "b": gaussian_skymap(30.0, 60.0, 2.0)}
    ra, decl = densest(mock)
    event = {**WAVE, "skymap": "b", "revision": 4}
    life = [{**WAVE, "version": 1}, {**WAVE, "skymap": "b", "revision": 4, "version": 2},
            {**WAVE, "revision": 1, "skymap": "a", "version": 3}]  # fmt: skip
    index = index_of(maps, event, versions=life)
    candidates = Candidates.of_tables(objects([ra, 30.0, ra + 180.0], [decl, 60.0, -decl]))
    rows = associate(candidates, index).to_pylist()
    assert [(r["diaObjectId"], r["state"], r["eventVersion"], r["tier"]) for r in rows] == [
        (1, "superseded", 1, None), (2, "current", 2, "bronze"),
    ]  # fmt: skip
    assert len(index.only({1}).maps) == len(index.maps) == 2
    assert associate(candidates, index.only({1})).to_pylist() == rows
    assert associate(candidates, index.only({7})).num_rows == 0
    withdrawn = index_of(maps, {**event, "retracted": True, "revision": 5}, versions=life)
    assert set(associate(candidates, withdrawn)["state"].to_pylist()) == {"retracted"}


def test_tests_count_only_if_asked_for(mock: SkyMap) -> None:
    test = {**WAVE, "role": "test"}
    assert len(index_of({"a": mock}, test)) == 0
    assert len(index_of({"a": mock}, test, tests=True)) == 1
    for unusable in ({"kind": "transient"}, {"eventMjdTai": None}, {"skymap": None}, {"kind": None}):
        assert len(index_of({"a": mock}, {**WAVE, **unusable})) == 0
    empty = index_of({})
    assert associate(Candidates.of_tables(objects([1.0], [2.0])), empty).num_rows == 0
    nothing = Candidates.of_tables(objects([1.0], [2.0]).slice(0, 0))
    assert associate(nothing, index_of({"a": mock}, WAVE)).num_rows == 0
    nowhere = Candidates.of_tables(objects([np.nan], [2.0]))
    assert associate(nowhere, index_of({"a": mock}, WAVE)).num_rows == 0


# Calibration


def random_sky(random: np.random.Generator, rate: float, since: float, until: float) -> Candidates:
    """Unrelated objects, evenly over the sky south of +30 and over time; classes and hosts as they come."""
    n = random.poisson(rate * 30939.7 * (until - since))
    ra = random.uniform(0, 360, n)
    decl = np.degrees(np.arcsin(random.uniform(-1, 0.5, n)))
    first = random.uniform(since, until, n)
    kinds = random.choice(["SN", "AGN", "VS", "ORPHAN", "NT"], n, p=[0.3, 0.2, 0.3, 0.15, 0.05])
    ids = np.arange(1, n + 1)
    far = random.random(n) ** (1 / 3) * 1200.0
    matches = pa.table(
        {"diaObjectId": ids, "hostProbability": random.uniform(0.2, 1.0, n), "best_distance": far,
         "best_distance_err": 0.1 * far, "best_distance_flag": np.where(random.random(n) < 0.5, "sz", "pz")}
    ).filter(random.random(n) < 0.6)  # fmt: skip
    there = pa.table({"diaObjectId": ids, "ra": ra, "decl": decl, "firstDiaSourceMjdTai": first,
                      "lastDiaSourceMjdTai": first + 5.0})  # fmt: skip
    return Candidates.of_tables(there, pa.table({"diaObjectId": ids, "classification": kinds}), matches)


def test_chance_probabilities_of_unrelated_objects_are_uniform_and_counterparts_stand_out() -> None:
    random = np.random.default_rng(11)
    rate = 0.01
    # What fits well is rare, so that a long time is needed to know how rare.
    measured = Background.measure(random_sky(random, rate, T0 - 400.0, T0), T0 - 400.0, T0)
    assert measured is not None
    assert measured.rate[-1] == pytest.approx(rate, rel=0.1)
    flat = gaussian_skymap(200.0, -30.0, 12.0)
    distances = [np.full(len(flat), x) for x in (150.0, 40.0)]
    norm = 1.0 / (distances[0] ** 2 + distances[1] ** 2)
    skymap = SkyMap.of_cells(flat.start, flat.order, flat.density, (*distances, norm))
    index = measured.applied(index_of({"a": skymap}, {**WAVE, "distance": 150.0, "distanceErr": 40.0}))
    expected = measured.expected_objects(skymap, 5.0)
    assert expected == pytest.approx(rate * 5.0 * skymap.area_deg2(0.99), rel=0.15)
    smallest, one_of_them, found, gold = [], [], 0, 0
    trials = 250
    place = skymap.start[random.choice(len(skymap), trials, p=skymap.probability)]
    grid = healpix_centres(place)
    for trial in range(trials):
        unrelated = associate(random_sky(random, rate, T0, T0 + 5.0), index)
        chance = np.nan_to_num(unrelated["chanceProbability"].to_numpy(), nan=1.0)
        smallest.append(chance.min(initial=1.0))
        background = unrelated["expectedBackground"].to_numpy()
        one_of_them += list(background[np.isfinite(background)])
        far = max(random.normal(150.0, 40.0), 20.0)
        true = Candidates.of_tables(
            objects(grid[0][trial], grid[1][trial], T0 + random.uniform(0, 5)),
            pa.table({"diaObjectId": [1], "classification": [random.choice(["SN", "ORPHAN", "NT"])]}),
            pa.table({"diaObjectId": [1], "hostProbability": [0.95], "best_distance": [far],
                      "best_distance_err": [0.05 * far], "best_distance_flag": ["sz"]}),
        )  # fmt: skip
        for row in associate(true, index).to_pylist():
            found += row["chanceProbability"] < 0.1
            gold += row["tier"] in ("gold", "silver")
    # The best of the unrelated objects of a sky: uniform, up to where there is often none at all.
    assert stats.kstest(smallest, "uniform").pvalue > 0.01
    for level in (0.05, 0.1, 0.3, 0.5):
        share = np.mean(np.array(smallest) < level)
        assert abs(share - level) < 3.5 * math.sqrt(level * (1 - level) / trials)
    # Each of them: as many within a number as that number says, which itself is known to some 8 per cent.
    for number in (0.3, 1.0, 3.0):
        error = 3.0 * math.hypot(1.0 / math.sqrt(trials * number), 0.08)
        assert np.sum(np.array(one_of_them) < number) == pytest.approx(trials * number, rel=error)
    # At one false alarm in ten events. What is lost lies outside of the survey, or is too much like the rest.
    assert found / trials > 0.5
    assert 0 < gold <= found


def healpix_centres(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from astropy_healpix import HEALPix

    lon, lat = HEALPix(2**29, order="nested").healpix_to_lonlat(cells)
    return lon.deg, lat.deg


def test_the_background_leaves_out_what_is_on_source() -> None:
    random = np.random.default_rng(5)
    sky = random_sky(random, 0.01, T0 - 30.0, T0 + 5.0)
    index = index_of({"a": gaussian_skymap(200.0, -30.0, 5.0)}, WAVE)
    whole = Background.measure(sky, T0 - 30.0, T0 + 5.0)
    off = Background.measure(sky, T0 - 30.0, T0 + 5.0, index)
    assert whole is not None
    assert off is not None
    inside = index.maps[0].region(0.9).contains(healpix29(sky.ra, sky.decl))
    on_source = inside & (sky.first >= T0) & (sky.first <= T0 + 5.0)
    assert on_source.sum() > 3
    assert len(whole.sample) - len(off.sample) == on_source.sum()
    assert Background.measure(sky.take(np.arange(10)), T0 - 30.0, T0) is None
    assert off.class_shares().sum() == pytest.approx(1.0)
    # Where the stream sees nothing, nothing is expected, and nothing said of chance.
    north = index_of({"a": gaussian_skymap(10.0, 85.0, 0.5)}, WAVE)
    assert whole.applied(north).chances == (None,)
    known: dict[object, Any] = {}
    assert whole.applied(index, known).chances[0] is whole.applied(index, known).chances[0]
