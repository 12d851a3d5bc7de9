"""The life of an event, notice by notice: its maps, its versions, again and in any order."""

from __future__ import annotations

import base64
import gzip
import json
import os
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lasair_broker.context.events import (
    EventError,
    EventFile,
    read_events,
    read_map,
    read_notice,
    read_stored,
    read_versions,
    remove_events,
    take_in,
)
from lasair_broker.sky import Moc, gaussian_skymap

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "messengers"
LIFE = ("earlywarning", "preliminary", "initial", "update", "ext-update", "retraction")


@pytest.fixture(scope="module")
def life() -> dict[str, EventFile]:
    return {stage: read_events(DATA / f"igwn_MS181101ab_{stage}.json.gz") for stage in LIFE}


def test_a_notice_of_gravitational_waves(life: dict[str, EventFile]) -> None:
    (row,) = life["update"].rows.to_pylist()
    assert (row["origin"], row["eventName"], row["kind"], row["eventClass"]) == (
        "LVK", "MS181101ab", "gw", "BNS",
    )  # fmt: skip
    assert row["role"] == "test"  # its name says so
    assert (row["BNS"], row["HasRemnant"], row["significant"]) == (
        pytest.approx(0.95),
        pytest.approx(0.91),
        True,
    )
    assert row["falseAlarmRate"] == pytest.approx(9.11069936486e-14 * 365.25 * 86400)
    assert (row["distance"], row["distanceErr"]) == (
        pytest.approx(39.77, abs=0.01),
        pytest.approx(8.31, abs=0.01),
    )
    sent = Moc.read((DATA / "MS181101ab_mock_90pc.moc.fits").read_bytes())
    assert row["area90"] == pytest.approx(sent.area_deg2, rel=1e-6)
    assert row["area50"] < row["area90"]
    assert "skymap" not in json.loads(row["notice"])["event"]
    (row,) = life["ext-update"].rows.to_pylist()
    assert row["relatedEvent"] == "Fermi 524666471"
    assert len(row["notice"]) < 4000
    assert row["skymap"] == life["update"].rows["skymap"][0].as_py()


def test_the_whole_life(tmp_path: Path, life: dict[str, EventFile]) -> None:
    for number, stage in enumerate(LIFE, 1):
        report = take_in(tmp_path, [life[stage]])
        (row,) = read_stored(tmp_path).to_pylist()
        assert row["retracted"] == (stage == "retraction")
        assert row["alertType"] == {"ext-update": "update"}.get(stage, stage)
        assert row["area90"] == pytest.approx(30.975, abs=0.01)  # a retraction does not say: as before
        assert report.rows["mw_id"].to_pylist() == [1]
        assert read_versions(tmp_path)["version"].to_pylist() == list(range(1, number + 1))
        again = take_in(tmp_path, [life[stage]])
        assert (again.new, again.changed) == (0, 0)
    assert read_map(tmp_path, row["skymap"]).area_deg2(0.9) == pytest.approx(row["area90"], rel=1e-6)
    for stage in LIFE:
        take_in(tmp_path, [life[stage]])
    assert read_stored(tmp_path).to_pylist() == [row]
    assert len(list((tmp_path / "skymaps").iterdir())) == 1  # they all have the same map


def test_the_order_does_not_matter(tmp_path: Path, life: dict[str, EventFile]) -> None:
    states = []
    for number, order in enumerate(permutations(("preliminary", "initial", "retraction"))):
        folder = tmp_path / str(number)
        for stage in order:
            take_in(folder, [life[stage]])
        (row,) = read_stored(folder).to_pylist()
        states.append({k: v for k, v in row.items() if k != "arrivedMjdTai"})
    assert all(state == states[0] for state in states)
    assert states[0]["retracted"]


def test_what_was_removed_may_come_again(tmp_path: Path, life: dict[str, EventFile]) -> None:
    take_in(tmp_path, [life["initial"], life["update"]])
    remove_events(tmp_path, "MS181101ab")
    report = take_in(tmp_path, [life["initial"]])
    assert report.total == 1
    assert read_versions(tmp_path)["alertType"].to_pylist() == ["initial"]


def lvk(**changed: Any) -> bytes:
    notice = {
        "superevent_id": "S260101a", "alert_type": "INITIAL", "time_created": "2026-01-01T00:10:00Z",
        "event": {"time": "2026-01-01T00:00:00Z", "far": 1e-9, "significant": True, "group": "CBC",
                  "classification": {"BBH": 1.0}, "properties": {}},
    } | changed  # fmt: skip
    return json.dumps(notice).encode()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"superevent_id": 3}, "superevent_id=3"), ({"alert_type": "GUESS"}, "alert_type='GUESS'"),
        ({"event": None}, "event is missing"), ({"event": "x"}, "no record"),
        ({"event": {"skymap": "?"}}, "skymap is not base64"), ({"event": {"skymap": 3}}, "skymap is no text"),
        ({"event": {"skymap": base64.b64encode(b"map").decode()}}, "skymap: it is no FITS file"),
        ({"event": {"far": "low"}}, "far='low' is no number"), ({"event": {"time": 5}}, "time=5"),
        ({"event": {"classification": [1]}}, "classification"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(EventError, match=told.replace("?", r"\?")):
        read_notice(lvk(**changed))


def test_what_a_notice_adds_or_lacks_is_no_error() -> None:
    (row,) = read_notice(lvk(new_field=[1], external_coinc=3, urls=None, event={"new": {}})).rows.to_pylist()
    assert (row["eventName"], row["role"], row["BNS"], row["skymap"]) == (
        "S260101a",
        "observation",
        None,
        None,
    )
    (row,) = read_notice(lvk(alert_type="RETRACTION", event=None)).rows.to_pylist()
    assert row["retracted"]


def test_a_map_in_any_notice(tmp_path: Path) -> None:
    content = gzip.compress(gaussian_skymap(30.0, -20.0, 4.0).to_fits())
    notice = {"mission": "X", "id": "1", "healpix_file": base64.b64encode(content).decode()}
    found = read_notice(json.dumps(notice).encode())
    (row,) = found.rows.to_pylist()
    assert row["ra"] is None
    assert len(row["notice"]) < 100
    take_in(tmp_path, [found])
    assert read_map(tmp_path, row["skymap"]).area_deg2(0.9) == pytest.approx(row["area90"], rel=1e-6)
    with pytest.raises(EventError, match="cannot read"):
        read_map(tmp_path, "../../nothing.fits")
    (tmp_path / "skymaps" / row["skymap"]).write_bytes(b"damaged")
    with pytest.raises(EventError, match="no FITS"):
        read_map(tmp_path, row["skymap"])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "event_versions.parquet").write_bytes(b"x")
    with pytest.raises(EventError, match=r"event_versions\.parquet is damaged"):
        read_versions(tmp_path)
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(lvk())[:-20])
    with pytest.raises(EventError, match="unpacked"):
        read_events(path)
