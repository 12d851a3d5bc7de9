"""The simulator as a source: it reads on where the archive stands, and keeps the pace."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from stream_fixtures import assert_same, contents

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import StreamSettings
from lasair_broker.stream import Pipeline, SimulatorSource, SourceError, run, warm_up


def _night() -> Simulation:
    return Simulation.night(120, batch_size=20)


def test_a_night_in_two_parts_is_the_night(archive: Archive, pipeline: Pipeline, tmp_path: Path) -> None:
    stop = threading.Event()
    batches = StreamSettings(batch_alerts=40)
    first = run(
        SimulatorSource(_night(), batches), pipeline, archive, stop=stop, on_progress=lambda _: stop.set()
    )
    assert 0 < first.messages < 120
    second = run(SimulatorSource(_night(), batches), pipeline, archive)
    assert first.messages + second.messages == 120
    with open_archive(tmp_path / "other") as other:
        run(SimulatorSource(_night(), batches), pipeline, other)
        assert_same(contents(archive), contents(other))
    assert run(SimulatorSource(_night()), pipeline, archive).messages == 0
    again = run(SimulatorSource(_night(), again=True), pipeline, archive)
    assert (again.messages, again.duplicates) == (120, 120)


def test_batches_are_as_large_as_they_may_be() -> None:
    for limits, most in ((StreamSettings(batch_alerts=45), 45), (StreamSettings(batch_bytes=1_000_000), 20)):
        source = SimulatorSource(_night(), limits)
        source.open(dict)
        sizes = []
        while (taken := source.read(threading.Event())) is not None:
            sizes.append(len(taken.messages))
        assert sum(sizes) == 120
        assert max(sizes) <= most


def test_the_pace_is_kept_and_a_stop_is_heard() -> None:
    source = SimulatorSource(_night(), StreamSettings(batch_wait=0.1), alerts_per_second=5.0)
    source.open(dict)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    assert source.read(stop) is None, "the first twenty alerts are due after four seconds"
    source = SimulatorSource(_night(), StreamSettings(batch_wait=0.1), alerts_per_second=100.0)
    source.open(dict)
    began, count = time.monotonic(), 0
    while (taken := source.read(threading.Event())) is not None:
        count += len(taken.messages)
        assert count <= 100 * (time.monotonic() - began) + 1
    assert count == 120


def test_a_pace_that_makes_no_sense() -> None:
    with pytest.raises(SourceError, match="positive"):
        SimulatorSource(_night(), alerts_per_second=0)


def test_warming_up_leaves_no_trace(pipeline: Pipeline) -> None:
    assert warm_up(pipeline)
    assert pipeline.times.report() == {}
