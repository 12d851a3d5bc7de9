"""A site on one machine: how much it takes in, and how soon a hit can be read, through Kafka and PostgreSQL.

    python benchmarks/site_night.py [--quick] [--objects N] [--backlog N] [--visits N] [--evenly]

A private PostgreSQL with a million invented objects of ten detections and ten forced measurements each, a
real Kafka, two `lasair ingest` in one consumer group and one `lasair deliver`, each a process of its own as
on a site. First a backlog of simulated alerts with cut-outs, as fast as it goes, while another process looks
objects, light curves and cones up. Then 100 public filters that deliver to a topic each, and visits of 10,000
alerts every 39 s, each at once (or, --evenly, spread over its 39 s), and one of 40,000. Told are how many
alerts wait when the next visit comes, and the time from an alert in Kafka to the hit that another can read.
The reference is a bare message through the same Kafka, sent every half second meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import psycopg
import requests
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

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
from _private_server import private_server
from _synthetic_archive import Sky
from lasair_broker.packets.simulator import Simulation
from postgresql import fill, looking_up

LASAIR = Path(sys.executable).with_name("lasair")
PARTITIONS = 4
VISIT_SECONDS = 39.0
AIM_SECONDS = 10.0
AIM_RATE = 1500.0
SOURCES = 10
LEAD_SECONDS = 20.0
"""Until the workers have planned new filters."""


@dataclass
class Site:
    """The processes of a site and where they are reached."""

    url: str
    folder: Path
    bootstrap: str
    topic: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @contextmanager
    def running(self, name: str, *words: str) -> Iterator[None]:
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [LASAIR, *words, "--metrics-port", "0"], stdout=out, stderr=out, cwd=self.folder
            )
        self.processes[name] = process
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)

    def metrics(self, name: str) -> str:
        """The page of metrics of a process."""
        found = re.search(r"metrics at (http://[^/\s]+)/", (self.folder / f"{name}.log").read_text())
        assert found is not None, (self.folder / f"{name}.log").read_text()[-2000:]
        return requests.get(f"{found[1]}/metrics", timeout=60).text

    def ready(self, name: str) -> bool:
        said = (self.folder / f"{name}.log").read_text()
        assert self.processes[name].poll() is None, said[-3000:]
        return "metrics at" in said

    def stored(self) -> int:
        """Alerts of the topic that the archive has read."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                'SELECT coalesce(sum("offset"), 0) FROM archive.stream_positions WHERE topic = %s',
                [self.topic],
            ).fetchone()
        return int(row[0]) if row else 0


class Tidying(threading.Thread):
    """Throws away packs that are some minutes old: a machine for measurements has no room for a night's."""

    def __init__(self, packs: Path, seconds: float = 300.0) -> None:
        super().__init__(daemon=True)
        self._packs, self._seconds = packs, seconds

    def run(self) -> None:
        while True:
            time.sleep(20.0)
            for pack in self._packs.rglob("*"):
                with suppress(OSError):
                    if pack.is_file() and pack.stat().st_mtime < time.time() - self._seconds:
                        pack.unlink()


class Waiting(threading.Thread):
    """Notes every half second how many alerts were sent and how many are stored."""

    def __init__(self, site: Site, sent: dict[tuple[int, int], float], before: int) -> None:
        super().__init__(daemon=True)
        self._site, self._sent, self._before = site, sent, before
        self.stop = threading.Event()
        self.seen: list[tuple[float, int, int]] = []

    def run(self) -> None:
        while not self.stop.wait(0.5):
            self.seen.append((time.time(), self._before + len(self._sent), self._site.stored()))


@dataclass
class Places:
    """Objects to look up."""

    ids: npt.NDArray[np.int64]
    ra: npt.NDArray[np.float64]
    decl: npt.NDArray[np.float64]


def look(url: str, packs: str, done: Event) -> None:
    """Thirty look-ups a second as a process of its own."""
    with psycopg.connect(url, options="-c search_path=archive") as connection:
        rows = connection.execute(
            'SELECT "diaObjectId", ra, decl FROM objects TABLESAMPLE SYSTEM (2) REPEATABLE (1)'
        ).fetchall()
    ids, ra, decl = map(np.array, zip(*rows, strict=True))
    looking_up(url, Path(packs), Places(ids, ra, decl), len(ids), done.is_set, pause=0.1)


def cpu_seconds(site: Site) -> dict[str, float]:
    """CPU seconds so far, by what the processes are."""
    told: defaultdict[str, float] = defaultdict(float)
    known = {process.pid: name for name, process in site.processes.items()}
    programs = {"postgres": "PostgreSQL", "java": "Kafka"}
    myself = psutil.Process()
    for process in [myself, *myself.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            name = known.get(process.pid) or programs.get(process.name(), "sender, readers, look-ups")
            times = process.cpu_times()
            told[name] += times.user + times.system
    return told


def stage_seconds(site: Site, workers: Sequence[str]) -> dict[str, float]:
    told: defaultdict[str, float] = defaultdict(float)
    for worker in workers:
        for stage, value in re.findall(
            r'lasair_stage_seconds_total\{stage="([^"]+)"\} (\S+)', site.metrics(worker)
        ):
            told[stage] += float(value)
    return told


def more(now: dict[str, float], before: dict[str, float]) -> list[tuple[str, float]]:
    """By how much each grew, the largest first."""
    grown = {name: value - before.get(name, 0.0) for name, value in now.items()}
    return sorted(grown.items(), key=lambda pair: -pair[1])


def short_lived_topic(bootstrap: str) -> str:
    """A topic that keeps some gigabytes, of which the newest are always many minutes."""
    name = f"alerts-{uuid.uuid4().hex[:8]}"
    kept = {"retention.bytes": str(2 * 1024**3), "segment.bytes": str(128 * 1024**2)}
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, PARTITIONS, 1, config=kept)])[name].result(timeout=30)
    while name not in admin.list_topics(timeout=30).topics:
        time.sleep(0.02)
    return name


def wait_until(holds: Any, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def backlog(site: Site, workers: Sequence[str], sent: int, objects: int) -> None:
    """How fast a backlog is taken in, from a tenth of it on to its end."""
    context = multiprocessing.get_context("spawn")
    done = context.Event()
    reader = context.Process(target=look, args=(site.url, str(site.folder / "packs"), done))
    wait_until(lambda: site.stored() >= sent // 10, 900, "the backlog does not begin")
    print(f"\nlook-ups while a backlog is taken in ({objects:,} objects, {objects * SOURCES:,} sources)")
    reader.start()
    began, start, cpu = time.monotonic(), site.stored(), cpu_seconds(site)
    stages = stage_seconds(site, workers)
    wait_until(lambda: site.stored() >= sent, 3600, "the backlog does not end")
    took, count = time.monotonic() - began, sent - start
    cpu_now, stages_now = cpu_seconds(site), stage_seconds(site, workers)
    done.set()
    reader.join()
    rate = count / took
    print(f"\nbacklog: {count:,} alerts in {took:.0f} s: {rate:,.0f} alerts/s ({rate / AIM_RATE:.2f} x aim)")
    for name, seconds in more(cpu_now, cpu):
        print(f"  CPU of {name:36}{1e6 * seconds / count:8.0f} us an alert {seconds / took:6.2f} cores")
    spent = more(stages_now, stages)
    whole = sum(seconds for _, seconds in spent)
    for stage, seconds in spent:
        print(f"  stage {stage:24}{seconds / whole:6.1%} of the workers' time")


def report(site: Site, readings: Readings, sent: dict[tuple[int, int], float], visits: list[float]) -> None:
    with psycopg.connect(site.url, options="-c search_path=archive") as connection:
        rows = connection.execute(
            'SELECT h."hitId", h."arrivedMjdTai", h."committedMjdTai", a."partition", a."offset"'
            ' FROM filter_hits h JOIN alerts a ON a."diaSourceId" = h."diaSourceId" WHERE a.topic = %s',
            [site.topic],
        ).fetchall()
    paced = [row for row in rows if (row[3], row[4]) in sent]
    missing = sum(row[0] not in readings.hits for row in rows)
    print(
        f"\n{len(sent):,} alerts at their pace, {len(paced):,} hits; of all {len(rows):,} hits {missing} were"
        f" not read, {readings.repeats:,} read twice"
    )
    read = mjd_tai([readings.hits[row[0]] for row in paced])
    whole = (read - mjd_tai([sent[row[3], row[4]] for row in paced])) * DAY_SECONDS
    tell("alert in Kafka to hit readable", whole, AIM_SECONDS)
    histogram(whole)
    arrived, committed = (np.array([row[place] for row in paced], np.float64) for place in (1, 2))
    tell("arrival at the worker to hit readable", (read - arrived) * DAY_SECONDS, AIM_SECONDS)
    tell("arrival to commit", (committed - arrived) * DAY_SECONDS, AIM_SECONDS)
    tell("commit to readable", (read - committed) * DAY_SECONDS, AIM_SECONDS)
    handed = np.array([sent[row[3], row[4]] for row in paced])
    for number, (begin, end) in enumerate(zip(visits, [*visits[1:], np.inf], strict=True), 1):
        some = whole[(handed >= begin) & (handed < end)]
        if len(some) and (number % 5 == 1 or number >= len(visits) - 1):
            print(f"    visit {number:3}: half {np.median(some):.2f} s, 99 % {np.quantile(some, 0.99):.2f} s")
    reference = np.array(readings.bare)
    tell("reference, a bare message through the same Kafka", reference, AIM_SECONDS)
    times = float(np.median(whole) / np.median(reference))
    print(f"  half of the hits take {times:.0f} times as long as a bare message")


def pace(
    site: Site, given: argparse.Namespace, alerts: Iterator[Any], readings: Readings, first: int
) -> None:
    """Visits at the telescope's pace, and a rich one in the end."""
    each, seconds = given.alerts, given.seconds
    sent: dict[tuple[int, int], float] = {}
    waiting = Waiting(site, sent, first)
    waiting.start()

    def visits_due(number: int) -> float:
        return float(number / each if given.evenly else number // each) * seconds

    began = time.time()
    usual = itertools.islice(alerts, each * given.visits)
    send_paced(site.bootstrap, site.topic, PARTITIONS, usual, visits_due, sent)
    visits = [began + number * seconds for number in range(given.visits + 1)]
    rich = list(itertools.islice(alerts, given.rich))  # made before: nobody waits for the simulator
    visits[-1] = max(time.time(), visits[-1])
    time.sleep(max(0.0, visits[-1] - time.time()))

    def rich_due(number: int) -> float:
        return float(number / len(rich) * seconds if given.evenly else 0.0)

    send_paced(site.bootstrap, site.topic, PARTITIONS, rich, rich_due, sent)
    wait_until(lambda: site.stored() >= first + len(sent), 600, "the last visit is not taken in")
    caught_up = time.time() - visits[-1]
    seen = -1
    while seen != len(readings.hits):
        seen = len(readings.hits)
        time.sleep(8)
    waiting.stop.set()
    waiting.join()
    print("\nalerts that waited")
    for number, begin in enumerate(visits[1:], 2):
        before = [max(0, sent_by - stored) for at, sent_by, stored in waiting.seen if at < begin]
        during = [s - t for at, s, t in waiting.seen if begin - seconds <= at < begin]
        if number % 5 == 1 or number >= len(visits) - 1:
            print(
                f"  before visit {number:3}: {before[-1]:6,}; at most since the one before {max(during):6,}"
            )
    print(f"  the visit of {len(rich):,} was stored {caught_up:.1f} s after its first alert")
    report(site, readings, sent, visits)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small, in two minutes")
    parser.add_argument("--objects", type=int)
    parser.add_argument("--backlog", type=int)
    parser.add_argument("--visits", type=int)
    parser.add_argument("--rich", type=int)
    parser.add_argument("--alerts", type=int, help="of a visit")
    parser.add_argument("--seconds", type=float, default=VISIT_SECONDS, help="between visits")
    parser.add_argument("--evenly", action="store_true", help="a visit's alerts spread over its time")
    parser.add_argument("--server", type=Path, help="keep PostgreSQL's data here, for a later run too")
    parser.add_argument("--seed", type=int, default=1, help="of the sky; another for each run on kept data")
    given = parser.parse_args()
    usual = (20_000, 6_000, 3, 3_000, 1_000) if given.quick else (1_000_000, 60_000, 46, 40_000, 10_000)
    for name, value in zip(("objects", "backlog", "visits", "rich", "alerts"), usual, strict=True):
        if getattr(given, name) is None:
            setattr(given, name, value)
    filters = 20 if given.quick else 100
    filled = given.server is not None and given.server.exists()
    with private_server(given.server) as url, tempfile.TemporaryDirectory() as name, KafkaBroker() as broker:
        folder = Path(name)
        if not filled:
            began = time.perf_counter()
            fill(url, folder / "packs", Sky(given.objects + given.objects // 8, SOURCES), given.objects)
            print(f"{given.objects:,} objects in PostgreSQL after {time.perf_counter() - began:.0f} s")
        os.environ |= {
            "LASAIR_ARCHIVE__URL": url,
            "LASAIR_ARCHIVE__PACKS": str(folder / "packs"),
            "LASAIR_DELIVERY__BOOTSTRAP": broker.bootstrap,
            "LASAIR_SITE__RESULTS": str(folder / "results"),
            "LASAIR_CONTEXT__CATALOGUES": str(folder / "catalogues"),
            "LASAIR_SECRET_KEY": "for this measurement only, and long enough for Django's checks",
        }
        topic, control = short_lived_topic(broker.bootstrap), create_topic(broker.bootstrap)
        Tidying(folder / "packs").start()
        site = Site(url, folder, broker.bootstrap, topic)
        sent: dict[tuple[int, int], float] = {}
        count = given.backlog + given.alerts * given.visits + given.rich
        begin = 61_680.0 + 400.0 * (given.seed - 1)  # no sky has visits of another one's nights or history
        night = Simulation.night(
            count + given.alerts, given.seed, alerts_per_visit=float(given.alerts), start_mjd=begin
        )
        alerts = itertools.chain.from_iterable(part.values for part in night.alerts())
        held_up = itertools.islice(alerts, given.backlog)
        send_paced(broker.bootstrap, topic, PARTITIONS, held_up, lambda _: 0.0, sent)
        workers = ["ingest 1", "ingest 2"]
        stop = threading.Event()
        with ExitStack() as processes:
            processes.enter_context(site.running("deliver", "deliver"))
            words = ("ingest", "--kafka", broker.bootstrap, "--topic", topic)
            for worker in workers:
                processes.enter_context(site.running(worker, *words))
            wait_until(lambda: all(map(site.ready, site.processes)), 300, "the site does not start")
            backlog(site, workers, len(sent), given.objects)
            topics = make_filters(filters)
            for each in topics:
                create_topic(broker.bootstrap, 1, each)
            readings = Readings(broker.bootstrap, topics, control)
            readings.start()
            time.sleep(LEAD_SECONDS)
            bare = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
            threading.Thread(target=send_bare, args=(bare, control, stop), daemon=True).start()
            pace(site, given, alerts, readings, len(sent))
            stop.set()
            bare.flush(5)
            readings.stop.set()
            readings.join()


if __name__ == "__main__":
    main()
