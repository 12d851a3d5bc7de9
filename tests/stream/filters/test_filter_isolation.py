"""What becomes of a filter that fails or takes too long, by a clock that the test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest
from filter_worlds import wish

from lasair_broker.query import BatchFrame, Hits, QueryError
from lasair_broker.stream.filters import Budget, FilterMetrics
from lasair_broker.stream.filters._isolation import Isolation
from lasair_broker.stream.filters._plans import Plan

FRAME = BatchFrame({"objects": pa.table({"diaObjectId": [1, 2]})})
ROWS = Hits(None, pa.table({"diaObjectId": [1]}))


@dataclass
class Query:
    """Stands for a compiled query that does as it is told."""

    act: Callable[[], Hits]
    compiled: bool = True

    def run(self, frame: BatchFrame) -> Hits:
        return self.act()


@dataclass
class World:
    """An isolation with what it told, and clocks that only the test moves."""

    now: float = 0.0
    told: list[tuple[int, str]] = field(default_factory=list)
    metrics: FilterMetrics = field(default_factory=FilterMetrics)

    def __post_init__(self) -> None:
        budget = Budget(seconds=10.0, strikes=2, first_pause=60.0, longest_pause=200.0)
        self.isolation = Isolation(
            budget, lambda plan, text: self.told.append((plan.key[0], text)), self.metrics, lambda: self.now
        )

    def run(self, number: int, act: Callable[[], Hits]) -> Hits | None:
        each = wish(number, "SELECT diaObjectId FROM objects")
        plan: Any = Plan(each, Query(act), ("diaObjectId",), {})  # type: ignore[arg-type]
        return self.isolation.run(plan, FRAME, 2)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr("lasair_broker.stream.filters._isolation.time.thread_time", lambda: made.now)
    return made


def well() -> Hits:
    return ROWS


@pytest.mark.parametrize("error", [ValueError("no such thing"), MemoryError(), KeyError("x"), RuntimeError()])
def test_errors_are_told_and_end_nothing(world: World, error: Exception) -> None:
    def bad() -> Hits:
        raise error

    for _ in range(5):
        assert world.run(1, bad) is None
        assert world.run(2, well) is ROWS
    assert [number for number, _ in world.told] == [1] * 5
    assert all(text for _, text in world.told), "every error has words"
    assert world.isolation.take_recovered() == [(2, 1)]
    assert world.run(1, well) is ROWS, "an error that is quick is no reason for a pause"
    assert world.isolation.take_recovered() == [(1, 1)]
    assert world.isolation.take_recovered() == []


def test_pauses_double_up_to_the_longest_and_end_when_it_is_well(world: World) -> None:
    def slow() -> Hits:
        world.now += 11.0
        return ROWS

    assert world.run(1, slow) is ROWS, "what was found late was found all the same"
    assert world.run(1, slow) is ROWS
    assert "paused" in world.told[-1][1]
    for pause in (60.0, 120.0, 200.0, 200.0):
        world.now += pause - 1.0
        assert world.run(1, well) is None, "it is not even asked"
        world.now += 1.0
        assert world.run(1, slow) is ROWS, "one try after the pause"
    world.now += 200.0
    assert world.run(1, well) is ROWS
    assert world.run(1, slow) is ROWS
    assert world.run(1, slow) is ROWS, "it begins anew"
    world.now += 60.0
    assert world.run(1, well) is ROWS
    counts = {sample.name: sample.value for metric in world.metrics.collect() for sample in metric.samples}
    assert counts["lasair_filter_skipped_total"] == 4
    assert counts["lasair_filter_runs_total"] == 10
    assert counts["lasair_filter_failures_total"] == 8


def test_runs_are_told_once(world: World) -> None:
    def slow() -> Hits:
        world.now += 3.0
        return ROWS

    world.run(1, well)
    world.run(1, slow)
    world.run(2, well)
    one, two = world.isolation.take_runs()
    assert (one.filter_id, one.batches, one.alerts, one.rows, one.failures) == (1, 2, 4, 2, 0)
    assert (one.seconds, one.longest) == (3.0, 3.0)
    assert two.batches == 1
    assert world.isolation.take_runs() == []


class Frame:
    """Stands for a batch whose query in DuckDB can be interrupted."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()

    def interrupt(self) -> None:
        self.interrupted.set()


def run_in_duckdb(act: Callable[[Frame], Hits]) -> tuple[Hits | None, list[str]]:
    """What comes of a query with a budget of 50 ms that DuckDB would run, and what is told of it."""
    told: list[str] = []
    isolation = Isolation(Budget(seconds=0.05), lambda plan, text: told.append(text), FilterMetrics())
    frame: Any = Frame()
    query: Any = Query(lambda: act(frame), compiled=False)
    plan = Plan(wish(1, "SELECT diaObjectId FROM objects"), query, ("diaObjectId",), {})
    return isolation.run(plan, frame, 2), told


def test_waiting_is_not_computing() -> None:
    """As on a machine that is busy with other things, or was frozen for a while."""

    def waits(frame: Frame) -> Hits:
        assert not frame.interrupted.wait(0.5)
        return ROWS

    assert run_in_duckdb(waits) == (ROWS, [])


def test_what_computes_too_long_is_interrupted() -> None:
    def computes(frame: Frame) -> Hits:
        while not frame.interrupted.is_set():
            sum(range(1000))
        raise QueryError("interrupted")

    hits, (told,) = run_in_duckdb(computes)
    assert hits is None
    assert "longer than 0.05 seconds" in told
