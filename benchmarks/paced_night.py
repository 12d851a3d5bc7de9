"""A night at the telescope's pace, from Kafka to Kafka: how long after its alert a hit can be read.

A real broker of Kafka (the tests' one) gets 10,000 simulated alerts with cut-outs every 39 s, evenly or,
with `--burst`, each visit at once. `lasair run`, a process of its own as a user would start it, takes them
in, runs 100 public filters of five to nine conditions, and delivers to a topic each. A consumer notes when
each hit can be read. Time counts from the moment when the alert was handed to Kafka (and, apart, from when
`lasair run` had it) to the moment when the hit was read. The reference is a bare message through the same
broker, sent every half second in the same run.

    python benchmarks/paced_night.py [--quick] [--burst] [--visits N]
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kafka"))

from kafka_broker import KafkaBroker, create_topic

from _filter_night import (
    DAY_SECONDS,
    Readings,
    histogram,
    make_filters,
    mjd_tai,
    send_bare,
    send_paced,
    tell,
)
from lasair_broker.archive import open_archive
from lasair_broker.packets.simulator import Simulation

PARTITIONS = 2
VISIT_SECONDS = 39.0
AIM_SECONDS = 5.0
LEAD_SECONDS = 15.0
"""The first seconds are told apart: filters are planned, topics and connections made, once in a night."""


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
            sent: dict[tuple[int, int], float] = {}
            values = itertools.chain.from_iterable(part.values for part in simulation.alerts())

            def due(number: int) -> float:
                return (number // per_visit if given.burst else number / per_visit) * seconds

            send_paced(broker.bootstrap, alerts, PARTITIONS, values, due, sent)
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
            'SELECT h."hitId", h."arrivedMjdTai", h."committedMjdTai", a."partition", a."offset"'
            ' FROM filter_hits h JOIN alerts a ON a."diaSourceId" = h."diaSourceId"',
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
    tell(f"alert in Kafka to hit readable, the first {LEAD_SECONDS:g} s", whole[early], AIM_SECONDS)
    tell("alert in Kafka to hit readable, afterwards", whole[~early], AIM_SECONDS)
    histogram(whole[~early])
    tell("arrival at lasair run to hit readable", (read - arrived)[~early] * DAY_SECONDS, AIM_SECONDS)
    tell("arrival to commit", (committed - arrived)[~early] * DAY_SECONDS, AIM_SECONDS)
    tell("commit to readable", (read - committed)[~early] * DAY_SECONDS, AIM_SECONDS)
    for begin in range(0, int(since.max()) + 1, 10):
        some = whole[(since >= begin) & (since < begin + 10)]
        if len(some):
            print(
                f"    sent in second {begin:3} to {begin + 10:3}: 99 % within {np.quantile(some, 0.99):.2f} s"
            )
    reference = np.array(readings.bare)
    tell("reference, a bare message through the same Kafka", reference, AIM_SECONDS)
    times = float(np.median(whole[~early]) / np.median(reference))
    print(f"  half of the hits take {times:.0f} times as long as a bare message")


if __name__ == "__main__":
    main()
