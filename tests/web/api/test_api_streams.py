"""What comes in, as it comes: resumed where it broke off, and no more streams than threads allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from stream_fixtures import ListSource

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, run, standard_stages


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        yield opened


def take_in(archive: Archive, values: list[bytes]) -> set[str]:
    """Have the archive take in the alerts of a topic that it has not yet; the objects of these."""
    before = {row["diaSourceId"] for row in alerts_of(archive)}
    run(ListSource(values, 1000), Pipeline(SchemaStore(), standard_stages()), archive)
    new = [row for row in alerts_of(archive) if row["diaSourceId"] not in before]
    return {str(row["diaObjectId"]) for row in new if row["diaObjectId"] is not None}


def alerts_of(archive: Archive) -> list[dict[str, Any]]:
    return archive.query("SELECT diaSourceId, diaObjectId FROM alerts", max_rows=None).to_pylist()


def next_event(events: Iterator[bytes]) -> tuple[str, dict[str, Any]]:
    """The id and data of the next event."""
    for chunk in islice(events, 1000):
        if chunk.startswith(b"id: "):
            head, kind, data = chunk.decode().strip().split("\n")
            assert kind == "event: objects"
            return head.removeprefix("id: "), json.loads(data.removeprefix("data: "))
    raise AssertionError("nothing came")


def test_objects_are_told_as_they_come_and_again_from_any_place(growing: Archive) -> None:
    from lasair_broker.web.new_objects import ObjectWatch

    values = [bytes(value) for part in Simulation.night(60, seed=4).alerts() for value in part.values]
    third = len(values) // 3
    take_in(growing, values[:third])
    watch = ObjectWatch(growing, seconds=0.0)
    events = watch.events(heartbeat=0.01)
    assert next(events) == b"retry: 3000\n\n"
    assert next(events) == b": nothing new\n\n"  # what was there before is not told
    second = take_in(growing, values[: 2 * third])
    place, news = next_event(events)
    assert {row["diaObjectId"] for row in news["objects"]} == second
    assert news["count"] == len(second)
    row = news["objects"][0]
    held = growing.object(int(row["diaObjectId"])).to_pylist()[0]
    assert all(row[name] == held[name] for name in ("ra", "decl", "objectName", "nDiaSources"))
    last = take_in(growing, values)
    newest, news = next_event(events)
    assert {row["diaObjectId"] for row in news["objects"]} == last
    assert float(newest) > float(place)
    resumed = watch.events(float(place), heartbeat=0.01)
    assert next_event(resumed) == (newest, news)
    # Another process knows of no event before it was started: it asks the archive for what was missed.
    late = ObjectWatch(growing, seconds=0.0)
    assert next_event(late.events(float(place), heartbeat=0.01)) == (newest, news)
    first = next_event(late.events(0.0, heartbeat=0.01))
    assert first[0] == newest
    assert second | last <= {row["diaObjectId"] for row in first[1]["objects"]}


def test_of_too_many_objects_those_first_seen_latest_are_told(
    growing: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web import new_objects

    values = [bytes(value) for part in Simulation.night(60, seed=4).alerts() for value in part.values]
    came = take_in(growing, values)
    monkeypatch.setattr(new_objects, "MOST_IN_EVENT", 7)
    news = new_objects.news_between(growing, 0.0)
    assert news is not None
    assert news.count == len(came)
    told = [row["firstDiaSourceMjdTai"] for row in news.objects]
    everything = growing.query("SELECT firstDiaSourceMjdTai AS t FROM objects", max_rows=None)[
        "t"
    ].to_pylist()
    assert told == sorted(everything, reverse=True)[:7]
    assert new_objects.news_between(growing, news.until) is None


@pytest.mark.parametrize("place", ["x", "-1", "nan", "1e400", "61000.5/abc", "9" * 30])
def test_a_place_that_is_none_is_refused(archive: Archive, client_of: Any, place: str) -> None:
    answer = client_of(None).get("/api/v1/stream/objects/", HTTP_LAST_EVENT_ID=place)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Last-Event-ID"


def test_half_of_the_threads_stay_free(archive: Archive, client_of: Any, settings_threads: int) -> None:
    with ExitStack() as open_streams:
        for _ in range(settings_threads // 2):
            answer = client_of(None).get("/api/v1/stream/objects/")
            assert answer.status_code == 200
            assert answer["Content-Type"] == "text/event-stream"
            open_streams.callback(left, answer)
        refused = client_of(None).get("/api/v1/stream/objects/")
        assert refused.status_code == 503
        assert refused["Retry-After"] == "10"
    again = client_of(None).get("/api/v1/stream/objects/")  # though nobody had read from the others
    assert again.status_code == 200
    left(again)


def left(answer: Any) -> None:
    """What a server does with an answer whose client has gone, but for ending the connection."""
    for close in answer._resource_closers:
        close()


@pytest.fixture
def settings_threads() -> int:
    from django.conf import settings

    return int(settings.LASAIR_SITE.threads)
