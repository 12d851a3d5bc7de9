"""Events kept, matched both ways, and held to slow versions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.context.events import (
    EventError,
    EventIndex,
    EventLoader,
    read_events,
    read_stored,
    remove_events,
    update_events,
)
from lasair_broker.schema import arrow_schema

P90 = math.sqrt(-2.0 * math.log(0.1))
EVENT = {
    "origin": "X", "eventName": "1", "revision": 0, "role": "observation", "retracted": False,
    "eventMjdTai": 61000.0, "noticeMjdTai": 61000.0, "ra": 10.0, "decl": 20.0, "errorRadius": 0.5,
}  # fmt: skip


def events(*changes: dict[str, Any]) -> pa.Table:
    rows = [EVENT | {"mw_id": number} | changed for number, changed in enumerate(changes, 1)]
    return pa.Table.from_pylist(rows, schema=arrow_schema("external_events"))


def objects(*rows: tuple[float, float, float, float]) -> pa.Table:
    """Objects by place and the times of their first and last detections, days after the event."""
    ra, decl, first, last = np.array(rows, np.float64).reshape(-1, 4).T
    return pa.table(
        {
            "diaObjectId": np.arange(1, len(ra) + 1),
            "ra": ra,
            "decl": decl,
            "firstDiaSourceMjdTai": 61000.0 + first,
            "lastDiaSourceMjdTai": 61000.0 + last,
        }
    )


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    decl=st.sampled_from([0.0, 45.0, 89.5, -90.0]),
    ra=st.sampled_from([0.0, 359.99, 180.0]),
    size=st.sampled_from([0.01, 0.3, 3.0]),
)
def test_hits_are_those_of_brute_force(seed: int, decl: float, ra: float, size: float) -> None:
    random = np.random.default_rng(seed)
    axes = size * random.uniform(0.2, 1.0, (5, 2))
    major, minor = axes.max(axis=1), axes.min(axis=1)
    angle = random.uniform(0.0, 180.0, 5)
    spread = 3.0 * size
    place = np.clip(decl + spread * random.uniform(-1, 1, 45), -90, 90)
    around = (ra + spread * random.uniform(-1, 1, 45) / max(math.cos(math.radians(decl)), 0.01)) % 360.0
    rows = events(
        *(
            {
                "ra": around[i],
                "decl": place[i],
                "errorRadius": major[i],
                "errorMinor": minor[i],
                "errorAngle": angle[i],
            }
            for i in range(5)
        )
    )
    there = objects(*((a, d, 0.5, 3.0) for a, d in zip(around[5:], place[5:], strict=True)))
    found = EventIndex.build(rows).hits(there).to_pylist()
    centres = SkyCoord(around[:5] * u.deg, place[:5] * u.deg)
    targets = SkyCoord(around[5:] * u.deg, place[5:] * u.deg)
    expected = {}
    for i in range(5):
        separation = centres[i].separation(targets).arcsec
        turned = centres[i].position_angle(targets).rad - math.radians(angle[i])
        a, b = (math.hypot(np.float32(axis[i]) * 3600.0 / P90, 0.5) for axis in (major, minor))
        offset = separation * np.sqrt((np.cos(turned) / a) ** 2 + (np.sin(turned) / b) ** 2)
        expected |= {
            (i + 1, j + 1): offset[j] for j in range(40) if offset[j] <= math.sqrt(-2 * math.log(0.01))
        }
    close = {key for key, value in expected.items() if value < 3.03}
    got = {(row["mw_id"], row["diaObjectId"]): row["offsetSigma"] for row in found}
    assert close <= set(got) <= set(expected)
    for key in close:
        assert got[key] == pytest.approx(expected[key], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("radius", "first", "last", "matched"),
    [
        (0.001, -5000.0, -4000.0, True),  # a few arcseconds: the same place, whenever
        (0.5, -5000.0, -4000.0, False),
        (0.5, -5000.0, 3.0, True),  # an active galaxy within a neutrino's circle
        (5.0, -5000.0, 3.0, False),  # not within a burst's: only what is new
        (5.0, 3.0, 300.0, True),
        (5.0, 40.0, 41.0, False),
        (30.0, 1.0, 2.0, False),  # too wide to say anything
    ],
)
def test_when_an_event_may_have_shown(radius: float, first: float, last: float, matched: bool) -> None:
    found = EventIndex.build(events({"errorRadius": radius})).hits(objects((10.0, 20.0, first, last)))
    assert found.num_rows == matched
    for row in found.to_pylist():
        assert (row["firstDays"], row["lastDays"]) == (first, last)


@pytest.mark.parametrize(
    "changed",
    [{"retracted": True}, {"role": "test"}, {"ra": None}, {"errorRadius": None}, {"eventMjdTai": None}],
)
def test_events_that_match_nothing(changed: dict[str, Any]) -> None:
    index = EventIndex.build(events(changed, {}))
    assert len(index) == 1
    assert index.hits(objects((10.0, 20.0, 0.0, 1.0)))["mw_id"].to_pylist() == [2]
    assert EventIndex.build(events()).hits(objects((10.0, 20.0, 0.0, 1.0))).num_rows == 0
    assert index.hits(objects()).num_rows == 0


def test_newer_notices_replace_and_older_ones_do_not(tmp_path: Path) -> None:
    first = update_events(tmp_path, events({"ra": 1.0, "revision": 1, "url": "https://a"}))
    assert (first.new, first.changed, first.total) == (1, 0, 1)
    newer = update_events(tmp_path, events({"ra": 2.0, "revision": 2}))
    assert (newer.new, newer.changed) == (0, 1)
    older = update_events(tmp_path, events({"ra": 1.0, "revision": 1}))
    again = update_events(tmp_path, events({"ra": 2.0, "revision": 2}))
    assert (older.changed, again.changed, again.rows.num_rows) == (0, 0, 0)
    test = update_events(tmp_path, events({"ra": 3.0, "revision": 9, "role": "test"}))
    assert test.changed == 0
    (row,) = read_stored(tmp_path).to_pylist()
    assert (row["ra"], row["url"], row["mw_id"]) == (2.0, "https://a", 1)


def test_a_retraction_without_a_place_keeps_the_place(tmp_path: Path) -> None:
    back = {"ra": None, "decl": None, "errorRadius": None, "retracted": True, "revision": 1}
    update_events(tmp_path, events(back, {"eventName": "2"}))
    update_events(tmp_path, events({"errorMinor": 0.1, "errorAngle": 3.0}))
    rows = {row["eventName"]: row for row in read_stored(tmp_path).to_pylist()}
    assert (rows["1"]["ra"], rows["1"]["retracted"], rows["1"]["errorAngle"]) == (10.0, True, 3.0)
    assert {row["mw_id"] for row in rows.values()} == {1, 2}


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(range(6)), cut=st.integers(0, 6))
def test_the_order_of_notices_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    notices = [
        {"revision": 0, "kind": "grb"}, {"revision": 1, "ra": 11.0, "errorMinor": 0.2, "errorAngle": 1.0},
        {"revision": 2, "ra": None, "decl": None}, {"revision": 3, "ra": 12.0, "band": "r"},
        {"eventName": "2"}, {"eventName": "2", "noticeMjdTai": 61001.0, "ra": 50.0},
    ]  # fmt: skip

    def kept(sequence: list[int]) -> list[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("events")
        for part in (sequence[:cut], sequence[cut:]):
            update_events(folder, events(*(notices[i] for i in part)))
        rows = read_stored(folder).sort_by("eventName").to_pylist()
        return [{k: v for k, v in row.items() if k not in ("mw_id", "arrivedMjdTai")} for row in rows]

    assert kept(list(order)) == kept(list(range(6)))


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    update_events(tmp_path, events({}, {"eventName": "2"}))
    assert remove_events(tmp_path, "2").num_rows == 1
    assert remove_events(tmp_path, "2").num_rows == 0
    assert remove_events(tmp_path, "1", "Y").num_rows == 0
    update_events(tmp_path, events({"eventName": "3"}))
    assert sorted(read_stored(tmp_path)["mw_id"].to_pylist()) == [1, 3]


def test_a_running_stage_has_them_at_once_and_survives_damage(tmp_path: Path) -> None:
    loader = EventLoader(tmp_path)
    assert loader.current() is None
    update_events(tmp_path, events({}))
    index = loader.current()
    assert index is not None
    assert loader.current() is index
    update_events(tmp_path, events({"eventName": "2"}))
    assert len(loader.current() or ()) == 2
    (tmp_path / "external_events.parquet").write_bytes(b"PAR1 cut off")
    assert len(loader.current() or ()) == 2
    with pytest.raises(EventError, match="damaged"):
        update_events(tmp_path, events({}))


def test_a_notice_and_its_retraction(tmp_path: Path) -> None:
    notice = {"mission": "X", "id": ["7"], "ra": 1.0, "dec": 2.0, "ra_dec_error": 0.1, "record_number": 1}
    back = {"mission": "X", "id": "7", "alert_type": "retraction", "record_number": 2}
    for value in (back, notice):
        path = tmp_path / "notice.json"
        path.write_text(json.dumps(value | {"trigger_time": "2026-01-01T00:00:00Z"}))
        update_events(tmp_path / "kept", read_events(path).rows)
    (row,) = read_stored(tmp_path / "kept").to_pylist()
    assert (row["retracted"], row["ra"]) == (True, 1.0)
