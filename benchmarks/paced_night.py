"""A night at the telescope's pace, from Kafka to Kafka: how long after its alert a hit can be read.

A real broker of Kafka (the tests' one) gets 10,000 simulated alerts with cut-outs every 39 s, evenly or, with
`--burst`, each visit at once. `lasair run`, a process of its own as a user would start it, takes them in, runs
100 public filters of five to nine conditions, and delivers to a topic each. A consumer notes when each hit
can be read. Time counts from the moment when the alert was handed to Kafka (and, apart, from when `lasair run`
had it) to the moment when the hit was read. The reference is a bare message through the same broker, sent
every half second in the same run.

    python benchmarks/paced_night.py [--quick] [--burst] [--visits N]
"""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kafka"))

from kafka_broker import KafkaBroker, create_topic

from lasair_broker.archive import open_archive
from lasair_broker.packets import posix_micros_to_mjd_tai
from lasair_broker.packets.simulator import Simulation

PARTITIONS = 2
VISIT_SECONDS = 39.0
AIM_SECONDS = 5.0
LEAD_SECONDS = 15.0
"""The first seconds are told apart: filters are planned, topics and connections made, then, once in a night."""

DAY_SECONDS = 86_400.0


def mjd_tai(unix: Sequence[float]) -> np.ndarray:
    return np.asarray(posix_micros_to_mjd_tai(np.asarray(unix) * 1e6))


def queries(number: int) -> list[str]:
    """Distinct filters of five to nine conditions, of which about one in a hundred alerts passes each."""
    rng = np.random.default_rng(7)
    made = []
    for _ in range(number):
        x = rng.random(9)
        band, other = rng.choice(list("griz"), 2, replace=False)
        conditions = [
            f"objects.nDiaSources > {1 + int(6 * x[0])}",
            f"mjdnow() - objects.lastDiaSourceMjdTai < {1e5 * (1 + x[1]):.1f}",
            f"ABS(objects.glat) > {8 * x[2]:.2f}",
            f"(objects.{band}_psfFlux > {2e4 + 2e5 * x[3]:.1f} OR objects.{other}_psfFlux > {3e5 * (1 + x[4]):.1f})",
            f"(objects.medianR > {0.3 * x[5]:.3f} OR objects.medianR IS NULL)",
            f"(objects.ebv < {1 + x[6]:.3f} OR objects.ebv IS NULL)",
            f"objects.decl < {60 + 20 * x[7]:.2f}",
            f"objects.lastDiaSourceMjdTai - objects.firstDiaSourceMjdTai < {2000 * (1 + x[8]):.1f}",
            "objects.ra IS NOT NULL",
        ]
        chosen = " AND ".join(conditions[: rng.integers(5, 10)])
        made.append(
            f"SELECT objects.diaObjectId, objects.ra, objects.decl, objects.{band}_psfFlux FROM objects WHERE {chosen}"
        )
    return made


def make_filters(number: int) -> list[str]:
    """Active public filters with a Kafka output each; returns their topics."""
    from lasair_broker.web import migrate

    migrate()
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.filters import outputs, services

    user = User.objects.create_user("night@example.org", "night")
    topics = []
    for place, query in enumerate(queries(number)):
        found = services.create(user, f"night{place}", services.Wording(adql=query))
        services.record_preview(user, found.pk, 1, services.Preview(1, 0.01, 1.0, 0.1))
        services.activate(user, found.pk, 1)
        services.share(user, found.pk, "public")
        outputs.add(user, found.pk, "kafka")
        topics.append(found.topic)
    return topics


@contextmanager
def lasair_run(folder: Path, bootstrap: str, topic: str) -> Iterator[subprocess.Popen[bytes]]:
    """`lasair run` on the topic, as a process of its own, ready to take alerts."""
    environment = {**os.environ, "LASAIR_DELIVERY__BOOTSTRAP": bootstrap}
    command = [Path(sys.executable).with_name("lasair"), "run", "--kafka", bootstrap, "--topic", topic]
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--archive", folder / "archive"], env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


class Readings(threading.Thread):
    """Reads every topic, and notes when each hit and each bare message could first be read."""

    def __init__(self, bootstrap: str, topics: Sequence[str], control: str) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        self._consumer.subscribe([*topics, control])
        self._control = control
        self.stop = threading.Event()
        self.hits: dict[str, float] = {}
        self.repeats = 0
        self.bare: list[float] = []

    def run(self) -> None:
        while not self.stop.is_set():
            messages = self._consumer.consume(1000, 0.05)
            now = time.time()
            for message in messages:
                if message.error() is not None:
                    continue
                if message.topic() == self._control:
                    self.bare.append(now - float(message.value()))
                    continue
                hit = dict(message.headers())["hitId"].decode()
                self.repeats += hit in self.hits
                self.hits.setdefault(hit, now)
        self._consumer.close()


def send_bare(producer: Producer, topic: str, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        producer.produce(topic, str(time.time()).encode())
        producer.poll(0)


def send_night(
    bootstrap: str, topic: str, simulation: Simulation, per_visit: int, seconds: float, *, burst: bool
) -> dict[tuple[int, int], float]:
    """Send the alerts at their pace; when each was handed to Kafka, by partition and offset."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.kbytes": 1_000_000}
    )
    sent: dict[tuple[int, int], float] = {}
    began, count = time.time(), 0
    for part in simulation.alerts():
        for value in part.values:
            due = began + (count // per_visit * seconds if burst else count / per_visit * seconds)
            if (wait := due - time.time()) > 0.002:
                producer.poll(0)
                time.sleep(max(0.0, due - time.time()))
            handed = time.time()

            def delivered(error: Any, message: Any, handed: float = handed) -> None:
                assert error is None, error
                sent[message.partition(), message.offset()] = handed

            while True:
                try:
                    producer.produce(topic, bytes(value), partition=count % PARTITIONS, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
            count += 1
        producer.poll(0)
        del wait
    assert producer.flush(60) == 0
    return sent


def tell(title: str, seconds: np.ndarray) -> None:
    p50, p90, p99 = np.quantile(seconds, (0.5, 0.9, 0.99))
    within = 100 * np.mean(seconds <= AIM_SECONDS)
    print(
        f"  {title}: half {p50:.2f} s, 90 % {p90:.2f} s, 99 % {p99:.2f} s, all {seconds.max():.2f} s;"
        f" {within:.2f} % within {AIM_SECONDS:g} s"
    )


def histogram(seconds: np.ndarray) -> None:
    bounds = [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 20, 60, np.inf]
    counts, _ = np.histogram(seconds, bounds)
    for low, high, count in zip(bounds, bounds[1:], counts, strict=False):
        if count:
            print(f"    {low:>5g} to {high:<5g} s {'#' * round(50 * count / counts.max()):50} {count:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="500 alerts every 15 s, 20 filters")
    parser.add_argument("--burst", action="store_true", help="each visit's alerts at once")
    parser.add_argument("--visits", type=int, default=2)
    given = parser.parse_args()
    per_visit, seconds, number = (500, 15.0, 20) if given.quick else (10_000, VISIT_SECONDS, 100)
    with tempfile.TemporaryDirectory() as name, KafkaBroker() as broker:
        folder = Path(name)
        os.environ["LASAIR_ARCHIVE__URL"] = str(folder / "archive")
        topics = make_filters(number)
        for each in topics:
            create_topic(broker.bootstrap, 1, each)
        alerts, control = create_topic(broker.bootstrap, PARTITIONS), create_topic(broker.bootstrap)
        simulation = Simulation.night(per_visit * given.visits, alerts_per_visit=float(per_visit))
        next(iter(simulation.alerts()))  # the first field takes a while to make
        stop = threading.Event()
        with lasair_run(folder, broker.bootstrap, alerts) as process:
            readings = Readings(broker.bootstrap, topics, control)
            readings.start()
            bare = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
            threading.Thread(target=send_bare, args=(bare, control, stop), daemon=True).start()
            wait_until_ready(folder, process)
            sent = send_night(broker.bootstrap, alerts, simulation, per_visit, seconds, burst=given.burst)
            seen = -1
            while seen != len(readings.hits):
                seen = len(readings.hits)
                time.sleep(8)
            stop.set()
            bare.flush(5)
            readings.stop.set()
            readings.join()
        report(folder, readings, sent, given.burst)


def wait_until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until `lasair run` has its kernels and has joined its consumer group."""
    deadline = time.monotonic() + 300
    while (
        not (folder / "archive" / "users.sqlite3").exists()
        or b"partition" not in (folder / "run.log").read_bytes()
    ):
        assert process.poll() is None, (folder / "run.log").read_text()
        assert time.monotonic() < deadline, "lasair run does not begin"
        time.sleep(0.5)


def report(folder: Path, readings: Readings, sent: dict[tuple[int, int], float], burst: bool) -> None:
    with open_archive(folder / "archive") as archive:
        rows = archive.query(
            'SELECT h."hitId", h."arrivedMjdTai", h."committedMjdTai", a."partition", a."offset" FROM filter_hits h'
            ' JOIN alerts a ON a."diaSourceId" = h."diaSourceId"',
            max_rows=None,
        )
        stored = archive.status().tables["alerts"].rows
    hits = rows.column("hitId").to_pylist()
    assert set(hits) == set(readings.hits), f"{len(set(hits))} hits stored, {len(readings.hits)} read"
    read = mjd_tai([readings.hits[hit] for hit in hits])
    places = zip(rows.column("partition").to_pylist(), rows.column("offset").to_pylist(), strict=True)
    handed = mjd_tai([sent[place] for place in places])
    arrived, committed = (rows.column(name).to_numpy() for name in ("arrivedMjdTai", "committedMjdTai"))
    print(
        f"{stored:,} alerts {'in bursts' if burst else 'evenly'}, {len(hits):,} hits of"
        f" {len(readings.hits):,} read once, {readings.repeats:,} repeats"
    )
    whole = (read - handed) * DAY_SECONDS
    since = (handed - min(mjd_tai(list(sent.values())))) * DAY_SECONDS
    early = since < LEAD_SECONDS
    tell(f"alert in Kafka to hit readable, the first {LEAD_SECONDS:g} s", whole[early])
    tell("alert in Kafka to hit readable, afterwards", whole[~early])
    histogram(whole[~early])
    tell("arrival at lasair run to hit readable", (read - arrived)[~early] * DAY_SECONDS)
    tell("arrival to commit", (committed - arrived)[~early] * DAY_SECONDS)
    tell("commit to readable", (read - committed)[~early] * DAY_SECONDS)
    for begin in range(0, int(since.max()) + 1, 10):
        some = whole[(since >= begin) & (since < begin + 10)]
        if len(some):
            print(
                f"    sent in second {begin:3} to {begin + 10:3}: 99 % within {np.quantile(some, 0.99):.2f} s"
            )
    reference = np.array(readings.bare)
    tell("reference, a bare message through the same Kafka", reference)
    times = float(np.median(whole[~early]) / np.median(reference))
    print(f"  half of the hits take {times:.0f} times as long as a bare message")


if __name__ == "__main__":
    main()
