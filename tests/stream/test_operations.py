"""What whoever watches a worker is told: whether it lives, whether it can work, what it waits for."""

from __future__ import annotations

import gc
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
import pytest
from stream_fixtures import ListSource
from structlog.testing import capture_logs

from lasair_broker.archive import Archive, ArchiveAwayError, ArchiveError
from lasair_broker.packets import SchemaStore
from lasair_broker.stream import (
    OutageMetrics,
    Pipeline,
    Resource,
    Stage,
    failing_parts,
    run,
    serve_operations,
    standard_stages,
)
from lasair_broker.stream._outage import Outage


@pytest.fixture
def outage() -> Iterator[Outage]:
    now = iter(range(100))
    yield Outage("a telescope", clock=lambda: float(next(now)))
    gc.collect()


def asked(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            text, status = answer.read().decode(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read().decode(), error.code
    return status, json.loads(text) if text.startswith("{") else text


def test_pages_of_a_worker(archive: Archive, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve_operations([OutageMetrics()], lambda: failing_parts(archive), 0, "127.0.0.1")
    try:
        port = server.server_port
        assert asked(port, "/health/live") == (200, {"status": "live"})
        assert asked(port, "/health/ready") == (200, {"status": "ready"})
        outage.failed("clouds")
        assert asked(port, "/health/ready") == (503, {"status": "not ready", "failing": ["a telescope"]})
        assert 'lasair_outage_seconds{what="a telescope"}' in asked(port, "/metrics")[1]
        outage.ended()
        assert 'what="a telescope"' not in asked(port, "/metrics")[1]

        def gone() -> dict[tuple[str, int], int]:
            raise ArchiveError("gone")

        monkeypatch.setattr(archive, "positions", gone)
        assert asked(port, "/health/ready")[1]["failing"] == ["archive"]
        assert asked(port, "/health/live")[0] == 200
        assert asked(port, "/elsewhere")[0] == 404
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("kept", [False, True], ids=["lost", "kept"])
def test_a_worker_waits_for_an_archive_that_is_away(
    archive: Archive,
    pipeline: Pipeline,
    supernova: list[bytes],
    kept: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether what was being committed when the connection was cut was kept or not, it is there once."""
    write, positions = archive.write, archive.positions
    refused = {"write": 2, "positions": 1}

    def sometimes_write(*arguments: Any, **named: Any) -> Any:
        if refused["write"]:
            refused["write"] -= 1
            if kept:
                write(*arguments, **named)
                refused["write"] = 0
            raise ArchiveAwayError("the connection to PostgreSQL is gone")
        return write(*arguments, **named)

    def sometimes_positions() -> Any:
        if refused["positions"]:
            refused["positions"] -= 1
            raise ArchiveAwayError("no connection")
        return positions()

    monkeypatch.setattr(archive, "write", sometimes_write)
    monkeypatch.setattr(archive, "positions", sometimes_positions)
    monkeypatch.setattr("lasair_broker.stream._run._SHORTEST_WAIT", 0.01)
    with capture_logs() as log:
        progress = run(ListSource(supernova, size=20), pipeline, archive)
    assert (progress.messages, progress.alerts) == (34, 34)
    assert archive.positions() == {("alerts", 0): 34}
    assert archive.status().tables["alerts"].rows == 34
    assert archive.check() == []
    assert [line["event"] for line in log].count("waiting") >= 1
    assert "back" in [line["event"] for line in log]


def test_a_stage_that_cannot_read_the_archive_waits(
    archive: Archive, schemas: SchemaStore, supernova: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 2

    def asks(batch: Any, resource: None) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise ArchiveAwayError("no connection")
        return batch

    monkeypatch.setattr("lasair_broker.stream._run._SHORTEST_WAIT", 0.01)
    stages = [*standard_stages(), Stage("asks", asks, Resource(None))]
    assert run(ListSource(supernova), Pipeline(schemas, stages), archive).alerts == 34
    assert left == 0


def test_a_stage_that_fails_names_the_alert(schemas: SchemaStore, supernova: list[bytes]) -> None:
    def fails(batch: Any, resource: None) -> Any:
        if pc.any(pc.equal(batch.alerts.column("offset"), 7)).as_py():
            raise ValueError("it is too bright")
        return batch

    pipeline = Pipeline(schemas, [Stage("fails", fails, Resource(None))])
    source = ListSource(supernova, size=34)
    source.open(dict)
    taken = source.read(threading.Event())
    assert taken is not None
    with capture_logs() as log:
        assert pipeline.process(taken.messages).rejected.num_rows == 1
    (line,) = [line for line in log if line["event"] == "a stage failed on an alert"]
    assert (line["topic"], line["offset"], line["survey"]) == ("alerts", 7, "ztf")
    assert line["diaSourceId"] > 0
    assert line["diaObjectId"] > 0
    assert "too bright" in line["reason"]


def test_messages_that_cannot_be_read_are_told_of(supernova: list[bytes]) -> None:
    """Where they were, one by one; of very many, how many more."""
    values = [*supernova[:2], *(b"no packet %d" % n for n in range(13))]
    with capture_logs() as log:
        processed = Pipeline(SchemaStore(), ()).process(ListSource(values).read_all())
    assert processed.rejected.num_rows == 13
    told = [line for line in log if line["event"] == "a message cannot be read"]
    places = [(line["topic"], line["partition"], line["offset"]) for line in told]
    assert places == [("alerts", 0, offset) for offset in range(2, 12)]
    assert {line["reason"] for line in told} <= set(processed.rejected.column("reason").to_pylist())
    (more,) = [line["messages"] for line in log if line["event"] == "more messages cannot be read"]
    assert more == 3
