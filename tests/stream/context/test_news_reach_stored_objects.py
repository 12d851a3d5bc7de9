"""An archive that hears of news late holds what one holds that knew them from the beginning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filter_worlds import Wishes, night, wish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from news_worlds import HEARING, Sky, Streams, contents, places_of
from prometheus_client import CollectorRegistry, generate_latest
from stream_fixtures import ListSource

from lasair_broker.archive import ArchiveCorruptError, ArchiveFullError, open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.stream import run
from lasair_broker.stream.context import ContextMetrics
from lasair_broker.stream.filters import FilterStage

STEPS = 7


@pytest.fixture(scope="module")
def values(schemas: SchemaStore) -> list[bytes]:
    return night(70, 11, schemas)


@pytest.fixture(scope="module")
def expected(
    values: list[bytes], schemas: SchemaStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, object]]]:
    """What an archive holds whose stream began when all was known."""
    folder = tmp_path_factory.mktemp("knowing")
    sky = Sky(folder / "catalogues", places_of(values, schemas))
    for step in sky.steps:
        step()
    with open_archive(folder / "archive") as archive:
        streams = Streams(archive, sky, schemas)
        run(ListSource(values, 10), streams.pipeline, archive, commit_stages=[streams.keeper])
        streams.keeper.finish()
        found = contents(archive)
    assert {row["classification"] for row in found["sherlock_classifications"]} == {"VS", "SN", "ORPHAN"}
    assert {row["tns_name"] for row in found["objects"]} == {None, "20233", "202314", "202315"}
    assert len(found["event_hits"]) == 2
    return found


def without_times(rows: dict[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """Versions and arrivals of news are of each folder's own."""
    own = {"configuration", "arrivedMjdTai"}
    return {
        name: [{key: value for key, value in row.items() if key not in own} for row in table]
        for name, table in rows.items()
    }


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.integers(0, 32), min_size=STEPS, max_size=STEPS).map(sorted))
def test_whenever_news_come_while_the_stream_runs(
    values: list[bytes],
    schemas: SchemaStore,
    expected: dict[str, list[dict[str, object]]],
    tmp_path_factory: pytest.TempPathFactory,
    moments: list[int],
) -> None:
    """At any step of the loop, while batches made with older news are on their way to the archive."""
    folder = tmp_path_factory.mktemp("hearing")
    sky = Sky(folder / "catalogues", places_of(values, schemas))
    steps = iter(zip(moments, sky.steps, strict=True))
    coming: list[tuple[int, object]] = [next(steps)]
    passed = 0

    def at_step(now: str) -> None:
        nonlocal passed
        passed += 1
        while coming and passed > coming[0][0]:
            coming.pop()[1]()  # type: ignore[operator]  # a step
            coming.extend([following] if (following := next(steps, None)) else [])

    with open_archive(folder / "archive") as archive:
        streams = Streams(archive, sky, schemas)
        run(
            ListSource(values, 10),
            streams.pipeline,
            archive,
            commit_stages=[streams.keeper],
            at_step=at_step,
        )
        while coming:
            at_step("over")
        streams.keeper.finish()
        assert without_times(contents(archive)) == without_times(expected)
        assert {s.state for s in streams.keeper.standings.values()} == {"ok"}
        before = archive.query("SELECT max(timestamp) AS t FROM objects").to_pylist()
        streams.keeper.finish()
        assert archive.query("SELECT max(timestamp) AS t FROM objects").to_pylist() == before, (
            "nothing is due"
        )


@pytest.fixture
def stored(values: list[bytes], schemas: SchemaStore, tmp_path: Path) -> Iterator[tuple[Streams, Sky]]:
    sky = Sky(tmp_path / "catalogues", places_of(values, schemas))
    with open_archive(tmp_path / "archive") as archive:
        streams = Streams(archive, sky, schemas)
        run(ListSource(values, 35), streams.pipeline, archive, commit_stages=[streams.keeper])
        streams.again = values[:20]
        yield streams, sky


def registered(metrics: ContextMetrics) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(metrics)
    return registry


def test_a_batch_made_with_older_news_makes_them_due_again_before_it_is_committed(
    stored: tuple[Streams, Sky],
) -> None:
    """So that a process killed right after its commit finds them due, too."""
    streams, sky = stored
    archive = streams.archive
    old = streams.pipeline.process(ListSource(streams.again, 100).read_all()).batches
    for step in sky.steps:
        step()
    streams.keeper.finish()
    keys = [(f"lasair {name}", 0) for name in ("events", "tns", "context")]
    assert all(archive.positions()[key] > 0 for key in keys)
    streams.keeper.tables(old, {})
    assert [archive.positions()[key] for key in keys] == [0, 0, 0]
    # Another process begins there.
    other = streams.anew()
    assert {name for name, s in other.keeper.standings.items() if s.state == "working"} == {
        "events", "tns", "context",
    }  # fmt: skip


def test_what_cannot_be_done_is_said_and_holds_up_nothing_else(
    stored: tuple[Streams, Sky], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, sky = stored
    archive = streams.archive
    sky.steps[0]()
    sky.events()

    def broken(*_: object, **__: object) -> object:
        raise ArchiveCorruptError("pack 7 has lost its end")

    with monkeypatch.context() as patch:
        patch.setattr(archive, "replay", broken)
        for _ in range(60):
            streams.keeper.idle()
    rows = {row["chore"]: row for row in archive.query("SELECT * FROM chores").to_pylist()}
    assert rows["context"]["state"] == "failed"
    assert "pack 7 has lost its end; it is tried again" in rows["context"]["message"]
    assert rows["events"]["state"] == "ok"
    assert archive.query("SELECT count(*) AS n FROM event_hits").to_pylist() == [{"n": 2}]
    streams.clock += 60.0
    while streams.keeper.standings["context"].state != "ok":
        streams.keeper.idle()
    assert (
        "VS"
        in archive.query("SELECT DISTINCT classification AS c FROM sherlock_classifications")["c"].to_pylist()
    )


def test_without_room_on_the_disk_it_waits(
    stored: tuple[Streams, Sky], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, sky = stored
    sky.events()

    def full(*_: object, **__: object) -> object:
        raise ArchiveFullError("the disk is full")

    def idle() -> None:
        for _ in range(40):
            streams.keeper.idle()

    with monkeypatch.context() as patch:
        patch.setattr(streams.archive, "rematch", full)
        with pytest.raises(ArchiveFullError):
            idle()
    streams.keeper.finish()
    assert streams.archive.query("SELECT count(*) AS n FROM event_hits").to_pylist() == [{"n": 2}]


def test_a_catalogue_that_vanishes_is_flagged_and_its_verdicts_stay(stored: tuple[Streams, Sky]) -> None:
    streams, sky = stored
    archive = streams.archive
    sky.stars()
    sky.galaxies()
    streams.keeper.finish()
    verdicts = "SELECT classification, count(*) AS n FROM sherlock_classifications GROUP BY ALL ORDER BY ALL"
    before = archive.query(verdicts).to_pylist()
    shutil.rmtree(sky.folder / "stars")
    streams.clock += 2.0
    streams.keeper.idle()
    (row,) = archive.query("SELECT * FROM chores WHERE chore = 'catalogue stars'").to_pylist()
    assert row["state"] == "missing"
    assert "import it again" in row["message"]
    shown = generate_latest(registered(ContextMetrics(streams.keeper))).decode()
    assert 'lasair_catalogue_usable{catalogue="stars"} 0.0' in shown
    assert 'lasair_catalogue_usable{catalogue="galaxies"} 1.0' in shown
    assert 'lasair_chore_ok{chore="context"} 1.0' in shown
    # What comes meanwhile does without it; when it is back all have their verdict with it again.
    run(ListSource(streams.again, 100, "again"), streams.pipeline, archive, commit_stages=[streams.keeper])
    sky.stars()
    streams.keeper.finish()
    assert archive.query(verdicts).to_pylist() == before
    # It has vanished for good before the stream is started anew.
    shutil.rmtree(sky.folder / "galaxies")
    other = streams.anew()
    assert other.keeper.standings["catalogue galaxies"].state == "removed"


def test_filters_hear_of_news_once(values: list[bytes], schemas: SchemaStore, tmp_path: Path) -> None:
    sky = Sky(tmp_path / "catalogues", places_of(values, schemas))
    wishes = Wishes([wish(number, text, on="context") for number, text in HEARING])
    wishes.run(*wishes.active.filters, wish(4, HEARING[2][1]), wish(5, HEARING[1][1], on="any"))
    told = 0

    def count() -> None:
        nonlocal told
        told += 1

    with open_archive(tmp_path / "archive") as archive:
        filters = FilterStage(archive, wishes, on_hits=count)
        streams = Streams(archive, sky, schemas, filters)
        run(ListSource(values, 30), streams.pipeline, archive, commit_stages=[filters, streams.keeper])
        assert archive.query("SELECT count(*) AS n FROM filter_hits").to_pylist() == [{"n": 0}]
        for step in sky.steps:
            step()
            streams.keeper.finish()
        assert wishes.failures == []
        hits = archive.query("SELECT * FROM filter_hits", max_rows=None).to_pylist()
        assert {hit["trigger"] for hit in hits} == {"context"}
        assert told > 0
        ids = list(places_of(values, schemas))
        found = {
            number: {tuple(json.loads(hit["content"]).values()) for hit in hits if hit["filterId"] == number}
            for number in range(1, 6)
        }
        assert found[1] == {
            (ids[3], None), (ids[14], "SN Ia"), (ids[3], "SN II"), (ids[15], None), (ids[17], "SN Ia"),
        }  # fmt: skip
        events = [(5, "one"), (6, "two"), (7, "one"), (5, "three")]
        assert found[2] == found[5] == {(ids[place], name, "grb") for place, name in events}
        assert found[3] == {(key, "VS") for key in ids[:12]}
        assert not found[4], "it runs on alerts only"
        # The same news once more are no news.
        archive.write([], positions={(f"lasair {name}", 0): 0 for name in ("events", "tns", "context")})
        other = Streams(archive, sky, schemas, filters)
        other.keeper.finish()
        assert archive.query("SELECT count(*) AS n FROM filter_hits").to_pylist() == [{"n": len(hits)}]
        # What filters found is what the archive finds.
        for number, text in HEARING[:2]:
            now = archive.query(parse(text, ARCHIVE).render("duckdb"), max_rows=None).to_pylist()
            assert {tuple(row.values()) for row in now} <= set(found[number])


def test_whatever_fails_in_a_chore_does_not_end_the_stream(
    stored: tuple[Streams, Sky], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, sky = stored
    (sky.folder / "external_events.parquet").write_bytes(b"PAR1 and no more")
    streams.clock += 2.0
    streams.keeper.idle()
    assert streams.keeper.standings["events"].state == "failed"
    assert "external_events.parquet is damaged" in (streams.keeper.standings["events"].message or "")

    def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(streams.archive, "rows_of_objects", broken)
    sky.stars()
    for _ in range(40):
        streams.keeper.idle()
    assert streams.keeper.standings["context"].state == "failed"
