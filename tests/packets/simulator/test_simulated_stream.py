"""The stream as a whole: the same for a seed, in order of time, with histories that grow as Rubin's do."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from simulated_packets import decode

from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation

Packet = dict[str, Any]


def _small(schemas: SchemaStore, **options: Any) -> Simulation:
    options = {"num_fields": 2, "alerts_per_visit": 60, "schemas": schemas, **options}
    return Simulation(options.pop("seed", 3), **options)


def _bytes(simulation: Simulation, first: int = 0) -> list[bytes]:
    return [value for messages in simulation.alerts(first) for value in messages.values]


def test_same_seed_same_bytes_whatever_the_batches(schemas: SchemaStore) -> None:
    one = _bytes(_small(schemas))
    assert len(one) > 60
    assert one == _bytes(_small(schemas, batch_size=7, fields_in_memory=1))
    assert one != _bytes(_small(schemas, seed=4))


def test_offsets_continue_where_told_and_the_name_tells_simulations_apart(schemas: SchemaStore) -> None:
    simulation = _small(schemas, batch_size=16)
    whole = _bytes(simulation)
    offsets = np.concatenate([m.offset for m in simulation.alerts()])
    assert offsets.tolist() == list(range(len(whole)))
    late = list(simulation.alerts(23))
    assert np.concatenate([m.offset for m in late]).tolist() == list(range(23, len(whole)))
    assert [v for m in late for v in m.values] == whole[23:]
    assert {m.topics for m in late} == {(simulation.name,)}
    assert simulation.name == _small(schemas, batch_size=99).name
    assert simulation.name != _small(schemas, seed=4).name


def test_alerts_stop_at_the_number_asked_for(schemas: SchemaStore) -> None:
    whole = _bytes(_small(schemas))
    assert _bytes(_small(schemas, num_alerts=31)) == whole[:31]
    assert _bytes(_small(schemas, num_alerts=0)) == []


@pytest.mark.parametrize("wanted", [1, 37, 500])
def test_a_night_has_the_number_of_alerts_asked_for(schemas: SchemaStore, wanted: int) -> None:
    assert len(_bytes(Simulation.night(wanted, cutouts="none", schemas=schemas))) == wanted


def test_a_night_sees_objects_again(schemas: SchemaStore) -> None:
    simulation = Simulation.night(500, cutouts="none", schemas=schemas)
    ids = [p["diaSource"]["diaObjectId"] for p in decode(simulation, _bytes(simulation))]
    ids = [i for i in ids if i is not None]
    assert len(ids) - len(set(ids)) > 50


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_fields": 0}, "num_fields is 0"),
        ({"alerts_per_visit": 0}, "alerts_per_visit is 0"),
        ({"boost": {"SN IA": 2.0}}, "no class 'SN IA'; have AGN"),
        ({"cutouts": "huge"}, "not 'huge'"),
        ({"num_fields": 5000}, "fields in sight"),
    ],
)
def test_senseless_parameters_are_refused(schemas: SchemaStore, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _small(schemas, **options)


def test_without_schemas_it_says_what_to_install() -> None:
    with pytest.raises(Exception, match="lsst-schemas"):
        Simulation(schemas=SchemaStore(use_installed=False))


def test_time_and_ids_ascend(few_nights_packets: list[Packet]) -> None:
    times = [p["diaSource"]["midpointMjdTai"] for p in few_nights_packets]
    assert times == sorted(times)
    ids = [p["diaSourceId"] for p in few_nights_packets]
    assert len(set(ids)) == len(ids)
    assert all(p["diaSourceId"] == p["diaSource"]["diaSourceId"] for p in few_nights_packets)
    by_visit: dict[int, list[int]] = defaultdict(list)
    for p in few_nights_packets:
        by_visit[p["diaSource"]["visit"]].append(p["diaSourceId"])
    assert all(found == sorted(found) for found in by_visit.values())


def test_ids_hold_visit_and_detector(few_nights_packets: list[Packet]) -> None:
    for p in few_nights_packets[::7]:
        for record, name in [
            (p["diaSource"], "diaSourceId"),
            *((f, "diaForcedSourceId") for f in p["prvDiaForcedSources"] or []),
        ]:
            assert record[name] >> 19 & 0xFF == record["detector"]
            assert record[name] >> 27 & 0x7FFF == record["visit"] % 100_000
            assert 0 <= record["detector"] < 189


def test_every_packet_holds_exactly_what_was_detected_before(few_nights_packets: list[Packet]) -> None:
    sent: dict[int, list[Packet]] = defaultdict(list)
    shown: dict[int, list[Packet]] = {}
    again = older = 0
    for p in few_nights_packets:
        source, before = p["diaSource"], p["prvDiaSources"] or []
        if p["diaObject"] is None:
            continue
        key = source["diaObjectId"]
        times = [s["midpointMjdTai"] for s in before]
        assert times == sorted(times)
        assert all(t < source["midpointMjdTai"] for t in times)
        assert all(t >= source["midpointMjdTai"] - 365.0 for t in times)
        # What the last packet showed, without what is now older than a year, and what has been sent since.
        if key in shown:
            again += 1
            old = [s for s in shown[key] if s["midpointMjdTai"] >= source["midpointMjdTai"] - 365.0]
            assert before == old
        shown[key] = [*before, source]
        sent[key].append(source)
        assert all(s in shown[key] for s in sent[key])
        # The object is named after its first detection.
        assert len(before) < p["diaObject"]["nDiaSources"]
        older += p["diaObject"]["nDiaSources"] > len(before) + 1
        if p["diaObject"]["nDiaSources"] == len(before) + 1:
            assert (before or [source])[0]["diaSourceId"] == key
    assert again > 100
    assert older > 20


def test_history_is_null_for_the_first_detection(few_nights_packets: list[Packet]) -> None:
    new = [p for p in few_nights_packets if p["diaObject"] and p["diaObject"]["nDiaSources"] == 1]
    assert new
    for p in new:
        assert p["prvDiaSources"] is None
        assert p["prvDiaForcedSources"] == []
        assert p["diaSource"]["diaObjectId"] == p["diaSourceId"] == p["diaObject"]["diaObjectId"]


def test_forced_photometry_follows_the_rules(few_nights_packets: list[Packet]) -> None:
    early = 0
    for p in few_nights_packets:
        if not p["prvDiaSources"]:
            continue
        forced = p["prvDiaForcedSources"]
        now, first = p["diaSource"]["midpointMjdTai"], p["diaObject"]["firstDiaSourceMjdTai"]
        times = [f["midpointMjdTai"] for f in forced]
        assert times == sorted(times)
        assert len({f["diaForcedSourceId"] for f in forced}) == len(forced)
        assert times[-1] == now
        assert min(times) >= first - (30.0 if now - first >= 1.0 else 0.0)
        assert min(times) >= now - 365.0
        early += sum(t < first for t in times)
        detected = {s["midpointMjdTai"]: s for s in [*p["prvDiaSources"], p["diaSource"]]}
        assert detected.keys() <= set(times)
        for f in forced:
            assert f["diaObjectId"] == p["diaObject"]["diaObjectId"]
            assert (f["ra"], f["dec"]) == (p["diaObject"]["ra"], p["diaObject"]["dec"])
            if f["midpointMjdTai"] in detected:
                assert f["psfFlux"] == detected[f["midpointMjdTai"]]["psfFlux"]
    assert early > 50


def test_forced_photometry_of_one_visit_never_changes(few_nights_packets: list[Packet]) -> None:
    seen: dict[int, Packet] = {}
    for p in few_nights_packets:
        for f in p["prvDiaForcedSources"] or []:
            # The position is the object's, which improves; the measurement stays.
            known = seen.setdefault(f["diaForcedSourceId"], f)
            assert {k: v for k, v in known.items() if k not in ("ra", "dec")} == {
                k: v for k, v in f.items() if k not in ("ra", "dec")
            }


def test_object_summary_is_that_of_its_sources(few_nights_packets: list[Packet]) -> None:
    checked = 0
    for p in few_nights_packets[::4]:
        o = p["diaObject"]
        if o is None:
            continue
        sources = [*(p["prvDiaSources"] or []), p["diaSource"]]
        assert o["ra"] == pytest.approx(np.mean([s["ra"] for s in sources]), abs=1e-9)
        assert o["dec"] == pytest.approx(np.mean([s["dec"] for s in sources]), abs=1e-9)
        assert o["lastDiaSourceMjdTai"] == p["diaSource"]["midpointMjdTai"]
        for band in "ugrizy":
            mine = [s for s in sources if s["band"] == band]
            assert o[f"{band}_psfFluxNdata"] == len(mine)
            names = (
                "psfFluxMean",
                "psfFluxMeanErr",
                "psfFluxMin",
                "psfFluxMax",
                "psfFluxErrMean",
                "scienceFluxMean",
            )
            if not mine:
                assert all(
                    o[f"{band}_{name}"] is None for name in (*names, "psfFluxSigma", "psfFluxMaxSlope")
                )
                continue
            f = np.array([s["psfFlux"] for s in mine])
            w = 1.0 / np.array([s["psfFluxErr"] for s in mine]) ** 2
            science = np.array([s["scienceFlux"] for s in mine])
            expected = (
                (f * w).sum() / w.sum(), w.sum() ** -0.5, f.min(), f.max(), (w**-0.5).mean(),
                (science * w).sum() / w.sum(),
            )  # fmt: skip
            for name, value in zip(names, expected, strict=True):
                assert o[f"{band}_{name}"] == pytest.approx(value, rel=2e-6, abs=1e-3), name
            if len(mine) == 1:
                assert o[f"{band}_psfFluxSigma"] is None
                assert o[f"{band}_psfFluxMaxSlope"] is None
            else:
                t = np.array([s["midpointMjdTai"] for s in mine])
                assert o[f"{band}_psfFluxSigma"] == pytest.approx(f.std(ddof=1), rel=1e-5, abs=1e-2)
                assert o[f"{band}_psfFluxMaxSlope"] == pytest.approx(
                    (np.diff(f) / np.diff(t)).max(), rel=1e-5
                )
                checked += 1
            forced = [s for s in p["prvDiaForcedSources"] if s["band"] == band]
            if forced:
                f = np.array([s["psfFlux"] for s in forced])
                w = 1.0 / np.array([s["psfFluxErr"] for s in forced]) ** 2
                assert o[f"{band}_fpFluxMean"] == pytest.approx((f * w).sum() / w.sum(), rel=2e-6, abs=1e-3)
            else:
                assert o[f"{band}_fpFluxMean"] is None
    assert checked > 100


def _numbers(record: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(record, dict):
        for name, value in record.items():
            yield from _numbers(value, f"{path}.{name}")
    elif isinstance(record, list):
        for value in record:
            yield from _numbers(value, path)
    elif isinstance(record, float):
        yield path, record


def test_missing_values_are_null_and_never_nan(few_nights_packets: list[Packet]) -> None:
    for p in few_nights_packets[::9]:
        wrong = {path for path, value in _numbers(p) if not math.isfinite(value)}
        assert not wrong


def test_sources_are_consistent_within_themselves(few_nights_packets: list[Packet]) -> None:
    negative = 0
    for p in few_nights_packets:
        s = p["diaSource"]
        assert abs(s["psfFlux"]) >= 4.999 * s["psfFluxErr"]
        assert s["snr"] == pytest.approx(abs(s["psfFlux"]) / s["psfFluxErr"], rel=1e-5)
        assert s["isNegative"] == (s["psfFlux"] < 0)
        assert 0.0 <= s["reliability"] <= 1.0
        assert 0.0 <= s["ra"] < 360.0
        assert s["timeProcessedMjdTai"] > s["midpointMjdTai"]
        assert -1.0 < s["x"] < 4072.0
        assert -1.0 < s["y"] < 4000.0
        assert abs(s["scienceFlux"] - s["psfFlux"] - s["templateFlux"]) < 1.0 * s["psfFluxErr"] + 60.0
        negative += s["isNegative"]
    assert 0.1 < negative / len(few_nights_packets) < 0.6


def test_truth_names_what_the_packets_hold(few_nights: Simulation, few_nights_packets: list[Packet]) -> None:
    truth = few_nights.truth()
    alerts: dict[int, int] = defaultdict(int)
    where: dict[int, tuple[float, float]] = {}
    for p in few_nights_packets:
        key = p["diaSource"]["diaObjectId"] or p["diaSource"]["ssObjectId"]
        alerts[key] += 1
        if p["diaObject"]:
            where[key] = (p["diaObject"]["ra"], p["diaObject"]["dec"])
    rows = {r["diaObjectId"] or r["ssObjectId"]: r for r in truth.to_pylist()}
    assert {k: r["numAlerts"] for k, r in rows.items() if r["numAlerts"]} == dict(alerts)
    for key, (ra, decl) in where.items():
        r = rows[key]
        apart = math.hypot((ra - r["ra"]) * math.cos(math.radians(decl)), decl - r["decl"]) * 3600.0
        assert apart < 1.2
        if r["class"] == "SN Ia":
            assert 0.0 < r["redshift"] < 1.0
            assert r["hostOffset"] < 60.0
    assert {"SN Ia", "AGN", "variable star", "artefact"} <= set(truth["class"].to_pylist())
    assert "solar system" in set(truth["class"].to_pylist())


def test_artefacts_have_low_reliability(few_nights: Simulation, few_nights_packets: list[Packet]) -> None:
    truth = few_nights.truth()
    bogus = set(truth.filter(pc.equal(truth["class"], "artefact"))["diaObjectId"].to_pylist())
    score: dict[bool, list[float]] = {True: [], False: []}
    for p in few_nights_packets:
        score[p["diaSource"]["diaObjectId"] in bogus].append(p["diaSource"]["reliability"])
    assert np.median(score[True]) < 0.25
    assert np.median(score[False]) > 0.85
    assert 0.05 < len(score[True]) / len(few_nights_packets) < 0.5


def test_catalogue_has_the_hosts_and_the_quiet_stars(few_nights: Simulation) -> None:
    truth, catalogue = few_nights.truth(), few_nights.catalogue()
    rows = {r["sourceId"]: r for r in catalogue.to_pylist()}
    assert len(rows) == catalogue.num_rows
    hosts = stars = faint = 0
    for r in truth.to_pylist():
        if r["sourceId"] is None:
            continue
        known = rows.get(r["sourceId"])
        if known is None:
            faint += 1
        elif r["hostRa"] is not None:
            assert (known["ra"], known["decl"]) == (r["hostRa"], r["hostDecl"])
            assert known["kind"] == ("AGN" if r["class"] == "AGN" else "galaxy")
            east = (r["ra"] - known["ra"]) * math.cos(math.radians(known["decl"]))
            apart = math.hypot(east, r["decl"] - known["decl"]) * 3600.0
            assert apart == pytest.approx(r["hostOffset"], abs=0.01)
            if known["specz"] is not None:
                assert known["specz"] == r["redshift"]
            hosts += 1
        else:
            assert (known["ra"], known["decl"], known["kind"]) == (r["ra"], r["decl"], "star")
            stars += 1
    assert hosts > 100
    assert stars > 100
    assert faint < 0.2 * (hosts + stars)
    background = catalogue.num_rows - hosts - stars
    assert background > 100


def test_rates_are_what_is_drawn(few_nights: Simulation) -> None:
    for row in few_nights.rates().to_pylist():
        expected = row["natural"] * row["boost"] * row["density"]
        assert abs(row["drawn"] - expected) < 5.0 * math.sqrt(expected) + 3.0, row


@pytest.mark.slow
def test_memory_is_bounded_over_many_alerts() -> None:
    import subprocess
    import sys

    # The peak of this very program: what getrusage calls the greatest size is, right after the program began,
    # that of the process which started it.
    program = (
        "from pathlib import Path\n"
        "from lasair_broker.packets.simulator import Simulation\n"
        "n = sum(len(m) for m in Simulation.night(200_000).alerts())\n"
        "status = Path('/proc/self/status').read_text().splitlines()\n"
        "print(n, next(line.split()[1] for line in status if line.startswith('VmHWM:')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    count, kilobytes = (int(word) for word in done.stdout.split())
    assert count == 200_000
    assert kilobytes < 720_000
