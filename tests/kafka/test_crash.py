"""A worker killed at any moment resumes exactly: every alert once, nothing double, the same light curves.

Real and simulated alerts of both surveys lie on two topics of several partitions. An undisturbed worker reads
them into one archive; others, killed again and again, into another. In the end the two hold the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from kafka_broker import create_topic, produce
from psycopg.conninfo import conninfo_to_dict
from stream_fixtures import contents, messages, messages_of

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore, decode
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import ArchiveSettings

STEPS = [
    "read",
    "processed",
    "committing",
    "pack-begun",
    "pack-appended",
    "before-commit",
    "after-commit",
    "committed",
    "told",
]
QUICK = {"processed", "pack-appended", "after-commit"}
PARTITIONS = 3
RANDOM_KILLS = 30
BATCH = {"batch_alerts": 50, "batch_wait": 0.2}

Int64 = npt.NDArray[np.int64]
Sent = set[tuple[str, int, int]]


class Workers:
    """Starts workers and tells how they ended."""

    def __init__(self, schemas: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_worker.py")), str(schemas)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._line() == "ready"

    def start(self, order: dict[str, Any], step: str = "", count: int = 1) -> int:
        """Start a worker; returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**order, "step": step, "count": count}) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def ended(self) -> int:
        """Wait for the worker's end: 0, or minus the signal that killed it."""
        return int(self._line())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the workers' parent is gone"
        return line


@pytest.fixture(scope="module")
def workers(data: Path) -> Iterator[Workers]:
    started = Workers(data / "lsst" / "schemas")
    yield started
    started.close()


@pytest.fixture(scope="module")
def topics(kafka: str, data: Path) -> tuple[tuple[str, ...], Sent]:
    """Topics with mixed alerts, and the places of all messages on them."""
    night = Simulation.night(200, seed=11)
    simulated = [bytes(value) for part in night.alerts() for value in part.values]
    lsst = [*simulated[:100], *messages_of([data / "lsst" / "wire_v10"]), b"garbage", *simulated[100:]]
    # Alerts of one object come in order: of a detection in the past a packet may tell less, or a forced
    # measurement with the place of the object then.
    lsst_partitions = [int(key) % PARTITIONS for key in _objects(lsst)]
    supernova = messages_of([data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"])
    (batch,), _ = decode(messages(supernova), SchemaStore())
    in_time = np.argsort(batch.alerts.column("midpointMjdTai").to_numpy())
    ztf = [*(supernova[row] for row in in_time), b"\x00\x00\x00\x99\x99nothing"]
    sent: Sent = set()
    names = []
    for values, partitions in ((lsst, lsst_partitions), (ztf, [1] * len(ztf))):
        topic = create_topic(kafka, PARTITIONS)
        sent |= {(topic, *place) for place in produce(kafka, topic, values, partitions)}
        names.append(topic)
    return tuple(names), sent


def _objects(values: Sequence[bytes]) -> Int64:
    """The object, or else the detection, that each value is about; 0 for what is no alert."""
    batches, _ = decode(messages(values), SchemaStore())
    found = np.zeros(len(values), np.int64)
    for batch in batches:
        ids = pc.coalesce(batch.alerts.column("diaObjectId"), batch.alerts.column("diaSourceId"))
        found[batch.alerts.column("offset").to_numpy()] = ids.to_numpy()
    return found


def _order(kafka: str, topics: tuple[str, ...], folder: Path) -> dict[str, Any]:
    # With an id of its own, a worker that comes back need not wait until the group has given up the dead one.
    options = {"group.instance.id": "the-worker", "session.timeout.ms": 6000}
    group = f"{topics[0]}-{folder.name}"
    kafka_settings = {"bootstrap": kafka, "topics": topics, "group": group, "options": options}
    return {"kafka": kafka_settings, "stream": BATCH, "archive": {"url": str(folder)}}


@pytest.fixture(scope="module")
def undisturbed(
    kafka: str,
    topics: tuple[tuple[str, ...], Sent],
    workers: Workers,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, pa.Table], float]:
    """What an archive holds after a run that nothing disturbed, and how many seconds that took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "archive"
    began = time.monotonic()
    workers.start(_order(kafka, topics[0], folder))
    assert workers.ended() == 0
    seconds = time.monotonic() - began
    with open_archive(folder) as archive:
        _check(archive, topics[1])
        return contents(archive), seconds


def _places(table: pa.Table) -> list[tuple[str, int, int]]:
    return list(
        zip(*(table.column(name).to_pylist() for name in ("topic", "partition", "offset")), strict=True)
    )


def _check(archive: Archive, sent: Sent) -> None:
    """Every message is an alert or rejected, once; positions are behind the last ones; nothing is double."""
    _check_packs(archive)
    found = contents(archive)
    places = _places(found["alerts"]) + _places(found["rejected"])
    assert len(places) == len(set(places))
    assert set(places) == sent
    ends = {(topic, partition): 0 for topic, partition, _ in sent}
    for topic, partition, offset in sent:
        ends[topic, partition] = max(ends[topic, partition], offset + 1)
    assert archive.positions() == ends
    for table, key in (
        ("objects", ("diaObjectId",)),
        ("diaSources", ("diaObjectId", "diaSourceId")),
        ("diaForcedSources", ("diaObjectId", "diaForcedSourceId")),
        ("diaNondetectionLimits", ("diaObjectId", "midpointMjdTai", "band")),
        ("ssSources", ("diaSourceId",)),
        ("cutouts", ("diaSourceId",)),
    ):
        keys = list(zip(*(found[table].column(name).to_pylist() for name in key), strict=True))
        assert len(keys) == len(set(keys)), f"{table} has something twice"


def _check_packs(archive: Archive) -> None:
    """A kill may leave packs that nobody knows, and nothing else; when they are removed all is well."""
    findings = archive.check()
    assert all(finding.severity == "warning" for finding in findings)
    if archive.engine == "postgresql":
        return  # where workers leave each other's packs as they are, with ends that do not count
    left = set(archive.unknown_packs())
    assert {finding.place for finding in findings} == left
    if left:
        archive.compact(remove_unknown_packs=True)
        assert archive.unknown_packs() == {}
        assert archive.check() == []


# What depends on which alerts came together in a batch: where a new object lies is taken from the first batch
# it is in, and each packet repeats the forced measurements with the place that its object has by then.
BY_BATCH = {"healpix29"} | {f"diaForcedSources.{name}" for name in ("ra", "decl")}


def _same(found: dict[str, pa.Table], expected: dict[str, pa.Table]) -> None:
    """Both archives hold the same, NULLs included: also the features, whatever came together in a batch."""
    for name, table in expected.items():
        for column in table.column_names:
            if not {column, f"{name}.{column}"} & BY_BATCH:
                assert found[name].column(column).equals(table.column(column)), f"{name}.{column}"


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=() if step in QUICK else pytest.mark.slow) for step in STEPS]
)
def test_killed_at_each_step(
    step: str,
    kafka: str,
    topics: tuple[tuple[str, ...], Sent],
    workers: Workers,
    undisturbed: tuple[dict[str, pa.Table], float],
    tmp_path: Path,
) -> None:
    order = _order(kafka, topics[0], tmp_path / "archive")
    workers.start(order, step, 2)
    assert workers.ended() == -signal.SIGKILL
    workers.start(order)
    assert workers.ended() == 0
    with open_archive(tmp_path / "archive") as archive:
        _check(archive, topics[1])
        _same(contents(archive), undisturbed[0])


@pytest.mark.slow
def test_killed_at_random_moments(
    kafka: str,
    topics: tuple[tuple[str, ...], Sent],
    workers: Workers,
    undisturbed: tuple[dict[str, pa.Table], float],
    tmp_path: Path,
) -> None:
    dice = random.Random(5)
    kills = rounds = 0
    while kills < RANDOM_KILLS:
        # Each round fills an archive of its own, with kills from its creation on until a worker gets through.
        folder = tmp_path / f"round-{rounds}"
        order = _order(kafka, topics[0], folder)
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
        with open_archive(folder) as archive:
            _check(archive, topics[1])
            _same(contents(archive), undisturbed[0])
        rounds += 1
    assert kills >= RANDOM_KILLS


@pytest.fixture
def site(postgresql: str, tmp_path: Path) -> Iterator[ArchiveSettings]:
    """An archive for many workers."""
    parts = conninfo_to_dict(postgresql)
    parts.pop("dbname", None)
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE DATABASE crashes")
        url = f"postgresql:///crashes?{urlencode(parts)}"
        yield ArchiveSettings(url=url, packs=tmp_path / "packs")
        connection.execute("DROP DATABASE crashes WITH (FORCE)")


@pytest.fixture
def other_workers(data: Path) -> Iterator[Workers]:
    started = Workers(data / "lsst" / "schemas")
    yield started
    started.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", ["pack-appended", "before-commit", "after-commit", "told"])
def test_a_worker_of_a_site_killed_beside_another(
    step: str,
    kafka: str,
    topics: tuple[tuple[str, ...], Sent],
    workers: Workers,
    other_workers: Workers,
    undisturbed: tuple[dict[str, pa.Table], float],
    site: ArchiveSettings,
    tmp_path: Path,
) -> None:
    """Of two members of one group, which write to one PostgreSQL archive, one is killed at a step; when the
    other has come it comes back."""
    orders = []
    for number in range(2):
        order = _order(kafka, topics[0], tmp_path / f"site-{step}")
        order["kafka"]["options"] = {"group.instance.id": f"worker-{number}", "session.timeout.ms": 6000}
        orders.append({**order, "archive": site.model_dump(mode="json")})
    workers.start(orders[0], step, 1)  # alone at first, or there might be nothing left for it to be killed at
    assert workers.ended() == -signal.SIGKILL
    other_workers.start(orders[1])
    workers.start(orders[0])
    assert workers.ended() == 0
    assert other_workers.ended() == 0
    with open_archive(site) as archive:
        _check(archive, topics[1])
        _same(contents(archive), undisturbed[0])
