"""Filters on workers that are killed at any moment: no hit is lost, none is there twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka_broker import create_topic, produce
from stream_fixtures import messages
from test_crash import Workers

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore, decode
from lasair_broker.packets.simulator import Simulation

STEPS = ["processed", "committing", "pack-appended", "before-commit", "after-commit", "committed", "told"]
QUICK = {"before-commit", "after-commit"}
RANDOM_KILLS = 12
PARTITIONS = 2
FILTERS = """
filters:
  - id: 1
    name: all
    adql: SELECT objectName, ra FROM objects
  - id: 2
    name: many
    adql: SELECT nDiaSources FROM objects WHERE nDiaSources > 3
    renotify: {once: true}
  - id: 3
    name: not compiled
    adql: SELECT o.ra, COUNT(*) AS n FROM objects o JOIN diaSources s ON s.diaObjectId = o.diaObjectId
          GROUP BY o.diaObjectId, o.ra
    renotify: {days: 3, columns: [n]}
"""

Hits = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def workers(data: Path) -> Iterator[Workers]:
    started = Workers(data / "lsst" / "schemas")
    yield started
    started.close()


@pytest.fixture(scope="module")
def topic(kafka: str, data: Path) -> str:
    """A topic with one alert of each object, so that it does not matter which come together in a batch."""
    values = [bytes(value) for part in Simulation.night(150, seed=4).alerts() for value in part.values]
    batches, _ = decode(messages(values), SchemaStore(folders=[data / "lsst" / "schemas"]))
    first: dict[int, int] = {}
    for batch in batches:
        for place, number in zip(
            batch.alerts.column("offset").to_pylist(),
            batch.alerts.column("diaObjectId").to_pylist(),
            strict=True,
        ):
            if number is not None:
                first.setdefault(number, place)
    kept = [values[place] for place in sorted(first.values())]
    name = create_topic(kafka, PARTITIONS)
    produce(kafka, name, kept, [place % PARTITIONS for place in range(len(kept))])
    return name


def _order(kafka: str, topic: str, folder: Path) -> dict[str, Any]:
    wishes = folder.parent / "filters.yaml"
    wishes.write_text(FILTERS)
    options = {"group.instance.id": "the-worker", "session.timeout.ms": 6000}
    group = f"{topic}-{folder.parent.name}-{folder.name}"
    return {
        "kafka": {"bootstrap": kafka, "topics": [topic], "group": group, "options": options},
        "stream": {"batch_alerts": 30, "batch_wait": 0.2},
        "archive": {"url": str(folder)},
        "subscriptions": str(wishes),
    }


def _hits(folder: Path) -> Hits:
    with open_archive(folder) as archive:
        rows = archive.query(
            "SELECT hitId, filterId, filterVersion, diaObjectId, diaSourceId, content FROM filter_hits "
            "ORDER BY hitId",
            max_rows=None,
        ).to_pylist()
        objects = archive.query("SELECT diaObjectId FROM objects ORDER BY diaObjectId", max_rows=None)
    found = [tuple(row.values()) for row in rows]
    of_all = sorted(hit[3] for hit in found if hit[1] == 1)
    assert of_all == objects.column("diaObjectId").to_pylist(), "a hit for each object, and one only"
    for hit in found:
        json.loads(hit[5])
    return found


@pytest.fixture(scope="module")
def undisturbed(
    kafka: str, topic: str, workers: Workers, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Hits, float]:
    """The hits of a run that nothing disturbed, and how many seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "archive"
    began = time.monotonic()
    workers.start(_order(kafka, topic, folder))
    assert workers.ended() == 0
    seconds = time.monotonic() - began
    hits = _hits(folder)
    assert {hit[1] for hit in hits} == {1, 2, 3}
    return hits, seconds


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=() if step in QUICK else pytest.mark.slow) for step in STEPS]
)
def test_hits_survive_a_kill_at_each_step(
    step: str, kafka: str, topic: str, workers: Workers, undisturbed: tuple[Hits, float], tmp_path: Path
) -> None:
    order = _order(kafka, topic, tmp_path / "archive")
    workers.start(order, step, 2)
    assert workers.ended() == -signal.SIGKILL
    workers.start(order)
    assert workers.ended() == 0
    assert _hits(tmp_path / "archive") == undisturbed[0]


@pytest.mark.slow
def test_hits_survive_kills_at_random_moments(
    kafka: str, topic: str, workers: Workers, undisturbed: tuple[Hits, float], tmp_path: Path
) -> None:
    dice = random.Random(6)
    kills = rounds = 0
    while kills < RANDOM_KILLS:
        folder = tmp_path / f"round-{rounds}"
        order = _order(kafka, topic, folder)
        while True:
            process = workers.start(order)
            if kills < RANDOM_KILLS:
                time.sleep(dice.uniform(0.0, min(0.9 * undisturbed[1], 2.5)))
                with contextlib.suppress(ProcessLookupError):  # it was faster
                    os.kill(process, signal.SIGKILL)
            ended = workers.ended()
            assert ended in (0, -signal.SIGKILL)
            if ended == 0:
                break
            kills += 1
        assert _hits(folder) == undisturbed[0]
        rounds += 1
