"""Events come before the alerts or after them, change and are withdrawn: the archive holds the same, and
those who asked are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filter_worlds import Wishes, night, wish
from stream_fixtures import ListSource

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context.events import read_notice, remove_events, take_in
from lasair_broker.packets import SchemaStore
from lasair_broker.query import triple
from lasair_broker.sky import gaussian_skymap
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.context import ContextKeeper
from lasair_broker.stream.filters import FilterStage
from lasair_broker.stream.messengers import MessengerChore, MessengerLoader

HITS = (
    "SELECT diaObjectId, mw_id, eventName, eventVersion, state, contour, firstDays, seenBefore, skyFactor, "
    "tier FROM mma_hits ORDER BY diaObjectId, mw_id"
)
"""What does not depend on when the background was measured."""


@pytest.fixture(scope="module")
def values(schemas: SchemaStore) -> list[bytes]:
    return night(60, 5, schemas)


@pytest.fixture(scope="module")
def first(
    values: list[bytes], schemas: SchemaStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """One of the objects."""
    with open_archive(tmp_path_factory.mktemp("look") / "archive") as archive:
        run(ListSource(values, 20), Pipeline(schemas, standard_stages()), archive)
        sql = "SELECT * FROM objects ORDER BY firstDiaSourceMjdTai DESC, diaObjectId LIMIT 1"
        return archive.query(sql).to_pylist()[0]


def wave(first: dict[str, Any], kind: str, days: float = 1.0, radius: float = 1.0, off: float = 0.0) -> bytes:
    """A gravitational wave some days before the object was first seen, with a map around it."""
    skymap = gaussian_skymap(first["ra"], first["decl"] + (off if first["decl"] < 0 else -off), radius)
    from astropy.time import Time

    when = Time(first["firstDiaSourceMjdTai"] - days, format="mjd", scale="tai").utc.isot + "Z"
    event = {"time": when, "far": 1e-12, "significant": True, "group": "CBC", "classification": {"BNS": 1.0},
             "properties": {"HasRemnant": 1.0}}  # fmt: skip
    event["skymap"] = base64.b64encode(skymap.to_fits()).decode()
    notice = {"superevent_id": "S260101a", "alert_type": kind, "time_created": when, "event": event}
    if kind == "RETRACTION":
        notice["event"] = None
    return json.dumps(notice).encode()


class Streams:
    """A pipeline and chore that know a folder of events."""

    def __init__(self, archive: Archive, folder: Path, schemas: SchemaStore, wishes: Wishes | None = None):
        self.loader = MessengerLoader(folder)
        self.pipeline = Pipeline(schemas, standard_stages(messengers=self.loader))
        self.filters = FilterStage(archive, wishes) if wishes is not None else None
        self.keeper = ContextKeeper(archive, [MessengerChore(archive, self.loader, self.filters)])

    def run(self, archive: Archive, values: list[bytes]) -> None:
        stages = [self.keeper] if self.filters is None else [self.filters, self.keeper]
        run(ListSource(values, 20), self.pipeline, archive, commit_stages=stages)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as archive:
        yield archive


def test_events_before_and_after_the_alerts_give_the_same(
    archive: Archive, tmp_path: Path, values: list[bytes], first: dict[str, Any], schemas: SchemaStore
) -> None:
    folder = tmp_path / "catalogues"
    streams = Streams(archive, folder, schemas)
    streams.run(archive, values)
    assert archive.query(HITS).num_rows == 0
    take_in(folder, [read_notice(wave(first, "INITIAL"))])
    streams.keeper.finish()
    found = archive.query(HITS).to_pylist()
    (mine,) = [row for row in found if row["diaObjectId"] == first["diaObjectId"]]
    assert (mine["eventName"], mine["state"], mine["seenBefore"]) == ("S260101a", "current", False)
    assert mine["firstDays"] == pytest.approx(1.0, abs=1e-6)
    assert mine["contour"] < 10.0
    assert mine["tier"] == "bronze"
    assert archive.query("SELECT eventName, version FROM event_versions").to_pylist() == [
        {"eventName": "S260101a", "version": 1}
    ]
    with open_archive(tmp_path / "other") as other:
        Streams(other, folder, schemas).run(other, values)
        assert other.query(HITS).to_pylist() == found
        # And a process that begins anew has nothing to do.
        again = ContextKeeper(other, [MessengerChore(other, MessengerLoader(folder))])
        again.finish()
        assert other.query(HITS).to_pylist() == found
    # As a query: by name, and joined with what is said of the event.
    text = triple("objects.diaObjectId, mma_hits.contour", "objects, event:S260101a", "mma_hits.contour < 10")
    named = archive.query(text.render("duckdb"))
    assert mine["diaObjectId"] in named["diaObjectId"].to_pylist()


def test_a_life(
    archive: Archive, tmp_path: Path, values: list[bytes], first: dict[str, Any], schemas: SchemaStore
) -> None:
    folder = tmp_path / "catalogues"
    asked = (
        "SELECT objects.diaObjectId, mma_hits.state, mma_hits.eventVersion FROM objects JOIN mma_hits "
        "ON mma_hits.diaObjectId = objects.diaObjectId "
        f"WHERE objects.diaObjectId = {first['diaObjectId']}"
    )
    wishes = Wishes()
    wishes.run(wish(1, asked, on="context"))
    streams = Streams(archive, folder, schemas, wishes)
    streams.run(archive, values)

    def state() -> tuple[str, int] | None:
        rows = archive.query(HITS).to_pylist()
        mine = [r for r in rows if r["diaObjectId"] == first["diaObjectId"]]
        return (mine[0]["state"], mine[0]["eventVersion"]) if mine else None

    def told() -> list[dict[str, Any]]:
        hits = archive.query("SELECT content FROM filter_hits ORDER BY committedMjdTai, hitId").to_pylist()
        return [json.loads(hit["content"]) for hit in hits]

    seen = []
    for kind, off in (("PRELIMINARY", 0.0), ("INITIAL", 1.0), ("UPDATE", 40.0), ("RETRACTION", 40.0)):
        take_in(folder, [read_notice(wave(first, kind, off=off))])
        streams.keeper.finish()
        seen.append(state())
    assert seen == [("current", 1), ("current", 2), ("superseded", 2), ("retracted", 2)]
    # Told of each version anew, and that it was withdrawn.
    assert [(hit["state"], hit["eventVersion"]) for hit in told()] == seen
    take_in(folder, [read_notice(wave(first, "RETRACTION", off=40.0))])
    streams.keeper.finish()
    assert len(told()) == 4
    remove_events(folder, "S260101a")
    streams.keeper.finish()
    assert state() is None


def test_an_event_that_changes_while_the_stream_runs(
    archive: Archive, tmp_path: Path, values: list[bytes], first: dict[str, Any], schemas: SchemaStore
) -> None:
    folder = tmp_path / "catalogues"
    take_in(folder, [read_notice(wave(first, "PRELIMINARY", off=40.0))])
    streams = Streams(archive, folder, schemas)
    streams.run(archive, values[:30])
    take_in(folder, [read_notice(wave(first, "INITIAL"))])
    streams.run(archive, values)  # goes on where it was
    streams.keeper.finish()
    with open_archive(tmp_path / "knowing") as knowing:
        Streams(knowing, folder, schemas).run(knowing, values)
        assert knowing.query(HITS).to_pylist() == archive.query(HITS).to_pylist()
    assert archive.query(HITS).num_rows


def test_maps_that_are_lost_stop_nobody(
    archive: Archive, tmp_path: Path, values: list[bytes], first: dict[str, Any], schemas: SchemaStore
) -> None:
    folder = tmp_path / "catalogues"
    take_in(folder, [read_notice(wave(first, "INITIAL"))])
    for path in (folder / "skymaps").iterdir():
        path.write_bytes(b"lost")
    streams = Streams(archive, folder, schemas)
    streams.run(archive, values)
    assert archive.query("SELECT count(*) AS n FROM objects")["n"][0].as_py() > 0
    assert archive.query(HITS).num_rows == 0
