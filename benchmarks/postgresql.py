"""The archive of a site: how fast two workers write to one PostgreSQL, and how fast others read meanwhile.

python benchmarks/postgresql.py [--quick] [--url URL --packs FOLDER [--fill] [--skip N]] [--batch N]

A private PostgreSQL is started and filled with invented objects (1 million with 10 detections and 10 forced
measurements each; --quick: 100,000), or an archive of one's own is used (and filled: --fill). Two processes
then write batches of alerts, each with its history, one new detection, four new forced measurements and 58 kB
of packet; an eighth are of new objects. A third looks objects, light curves and cones up all the time. The
reference, in the same run, is the obvious way: INSERT … ON CONFLICT by psycopg's executemany of one worker.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from _private_server import private_server
from _synthetic_archive import Sky, payloads
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.archive.postgresql._session import Session
from lasair_broker.schema import quoted

_SOURCES = 10
_STEPS = (
    ("INSERT INTO object_ledger", "ledger: lock"),
    ('SELECT "diaObjectId", "healpix29"', "ledger: lock"),
    ("UPDATE object_ledger", "ledger: update"),
    ("UPDATE objects", "objects: update"),
    ("COPY objects", "objects: new"),
    ("COPY staged_", "staging"),
    ("COPY dia", "light curves"),
    ("COPY alerts", "alerts"),
    ("COPY cutouts", "alerts"),
    ("COMMIT", "commit"),
)


def fill(url: str, packs: Path, sky: Sky, objects: int) -> None:
    """Put the first objects of a sky into an empty archive."""
    with PostgreSQLArchive(url, packs) as archive:
        session = archive._committer.session
        days = np.unique((sky.time // 256 * 256).astype(np.int64)).tolist()
        for name in ("diaSources", "diaForcedSources"):
            for day in days:
                session.run(
                    f"CREATE TABLE IF NOT EXISTS {quoted(f'{name}_{day}')} PARTITION OF {quoted(name)} "
                    f"FOR VALUES FROM ({day}) TO ({day + 256})"
                )
        for chunk in sky.chunks(objects):
            with session.transaction():
                for name, rows in chunk.items():
                    session.copy(rows, name)
        archive.compact()
    with psycopg.connect(url, autocommit=True) as connection:
        # What a site has done long since; left alone, it is done while something is measured.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def worker(
    number: int,
    url: str,
    packs: str,
    objects: int,
    size: int,
    skip: int,
    seconds: float,
    ready: Barrier,
    done: Event,
    results: Any,
) -> None:
    """Write batches for some seconds; puts alerts, seconds, CPU seconds and seconds of each step."""
    sky = Sky(objects + objects // 8, _SOURCES)
    random = np.random.default_rng(5)  # the same for both, so that each has objects of its own
    known = random.permutation(objects)[number::2]
    new = (objects + random.permutation(objects // 8))[number::2]
    packets = payloads(size, 58_000)
    count = max(2, min(len(new) // (size // 8) - skip, int(seconds * 2500 / size)))
    batches = []
    for n in range(skip, skip + count):
        mine = known[n * (size - size // 8) : (n + 1) * (size - size // 8)]
        some = np.sort(np.concatenate([mine, new[n * (size // 8) : (n + 1) * (size // 8)]]))
        batches.append(sky.batch(some, 0.01 * (2 * n + number), 4, packets))
    steps: Counter[str] = Counter()
    _time_statements(steps)
    with PostgreSQLArchive(url, packs) as archive:
        archive.write([batches[0]], None, {(f"topic {number}", 0): 0})  # everything is loaded
        steps.clear()
        ready.wait()
        began, cpu = time.perf_counter(), time.process_time()
        alerts, walls = 0, []
        for n, batch in enumerate(batches[1:], 1):
            if time.perf_counter() - began > seconds:
                break
            report = archive.write([batch], None, {(f"topic {number}", 0): n * size})
            assert report.compared_objects == 0
            alerts += report.alerts
            walls.append(report.seconds)
        took = time.perf_counter() - began
        done.set()
        results.put((alerts, took, time.process_time() - cpu, dict(steps), walls))


def _time_statements(steps: Counter[str]) -> None:
    def timed(method: Callable[..., Any], words: Callable[..., str]) -> Callable[..., Any]:
        def call(self: Session, *arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return method(self, *arguments, **named)
            finally:
                said = words(*arguments)
                step = next((step for prefix, step in _STEPS if said.startswith(prefix)), "other")
                steps[step] += time.perf_counter() - began

        return call

    Session.run = timed(Session.run, lambda sql, *_: sql)  # type: ignore[method-assign]
    Session.table = timed(Session.table, lambda sql, *_: sql)  # type: ignore[method-assign]
    Session.copy = timed(Session.copy, lambda rows, target: f"COPY {target}")  # type: ignore[method-assign]


def looking_up(
    url: str, packs: Path, sky: Sky, objects: int, until: Callable[[], bool], pause: float = 0.0
) -> None:
    """Medians of look-ups of objects anywhere, one after the other, with pauses between those of two objects
    (seconds), until told to stop."""
    random = np.random.default_rng(3)
    with PostgreSQLArchive(url, packs) as archive:

        def cone(n: int) -> None:
            assert archive.cone(float(sky.ra[n]), float(sky.decl[n]), 5.0).num_rows

        ways: dict[str, Callable[[int], Any]] = {
            "an object by its id, all columns": lambda n: archive.object(int(sky.ids[n])),
            "its light curve, all columns": lambda n: archive.light_curve(int(sky.ids[n])),
            "cone of 5 arcsec": cone,
        }
        walls: dict[str, list[float]] = {name: [] for name in ways}
        while not until() or len(walls["cone of 5 arcsec"]) < 20:
            time.sleep(pause)
            for name, look in ways.items():
                n = int(random.integers(0, objects))
                began = time.perf_counter()
                look(n)
                walls[name].append(1e3 * (time.perf_counter() - began))
        for name, times in walls.items():
            ordered = sorted(times)
            p95 = ordered[int(0.95 * len(ordered))]
            print(
                f"  {name:40}{statistics.median(ordered):8.2f} ms  p95 {p95:.2f} ms  ({len(ordered):,} times)"
            )


def obvious(url: str, sky: Sky, objects: int, count: int = 500) -> float:
    """Alerts a second of one worker that inserts row by row."""
    chosen = np.sort(np.random.default_rng(9).permutation(objects)[:count])
    batch = sky.batch(chosen, 80.0, 4, payloads(count, 58_000))
    now = batch.alerts.column("midpointMjdTai")[0].as_py()
    with psycopg.connect(url, options="-c search_path=archive") as connection:
        began = time.perf_counter()
        for name, key, rows in (
            ("objects", ["diaObjectId"], batch.objects),
            ("diaSources", ["diaObjectId", "midpointMjdTai", "diaSourceId"], batch.diaSources.take()),
            (
                "diaForcedSources",
                ["diaObjectId", "midpointMjdTai", "diaForcedSourceId"],
                batch.diaForcedSources.take(),
            ),
        ):
            insert(connection, name, key, rows)
        connection.commit()
        took = time.perf_counter() - began
        for name in ("diaSources", "diaForcedSources"):
            connection.execute(f'DELETE FROM {quoted(name)} WHERE "midpointMjdTai" = %s', [now])
        connection.commit()
    return count / took


def insert(connection: psycopg.Connection, name: str, key: list[str], rows: pa.Table) -> None:
    columns = ", ".join(map(quoted, rows.column_names))
    places = ", ".join(["%s"] * rows.num_columns)
    updated = ", ".join(f"{quoted(c)} = EXCLUDED.{quoted(c)}" for c in rows.column_names if c not in key)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quoted(name)} ({columns}) VALUES ({places}) "
            f"ON CONFLICT ({', '.join(map(quoted, key))}) DO UPDATE SET {updated}",
            list(zip(*(column.to_pylist() for column in rows.columns), strict=True)),
        )


def measure(url: str, packs: Path, objects: int, size: int, skip: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done, results = context.Barrier(3), context.Event(), context.Queue()
    workers = [
        context.Process(
            target=worker, args=(n, url, str(packs), objects, size, skip, seconds, ready, done, results)
        )
        for n in range(2)
    ]
    for process in workers:
        process.start()
    sky = Sky(objects + objects // 8, _SOURCES)
    ready.wait()
    print(f"\nlook-ups while two workers write ({objects:,} objects, {objects * _SOURCES:,} sources)")
    looking_up(url, packs, sky, objects, done.is_set)
    found = [results.get() for _ in workers]
    for process in workers:
        process.join()
    rate = sum(alerts / took for alerts, took, *_ in found)
    steps: Counter[str] = Counter()
    for _, _, _, shares, _ in found:
        steps.update(shares)
    total = sum(took for _, took, *_ in found)
    print(f"\nwriting, batches of {size:,} alerts: {rate:,.0f} alerts/s of two workers")
    walls = sorted(wall for *_, each in found for wall in each)
    print(f"  a batch: median {statistics.median(walls):.2f} s, longest {walls[-1]:.2f} s")
    cpu = sum(each for _, _, each, _, _ in found) / sum(alerts for alerts, *_ in found)
    print(f"  CPU of the workers, PostgreSQL's aside: {1e6 * cpu:,.0f} us an alert")
    for step, seconds_of in steps.most_common():
        print(f"  {step:24}{seconds_of / total:6.1%} of the time")
    print(f"  {'the worker itself':24}{1 - sum(steps.values()) / total:6.1%}")
    plain = obvious(url, sky, objects)
    print(
        f"\nreference, row by row with psycopg, one worker: {plain:,.0f} alerts/s; ratio {rate / plain:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--url")
    parser.add_argument("--packs", type=Path)
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--skip", type=int, default=0, help="batches that an earlier run has written")
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    objects = 100_000 if given.quick else 1_000_000
    seconds = min(given.seconds, 10.0) if given.quick else given.seconds
    if given.url:
        if given.fill:
            began = time.perf_counter()
            fill(given.url, given.packs, Sky(objects + objects // 8, _SOURCES), objects)
            print(f"filled in {time.perf_counter() - began:.0f} s")
        measure(given.url, given.packs, objects, given.batch, given.skip, seconds)
        return
    with private_server() as url, tempfile.TemporaryDirectory() as packs:
        began = time.perf_counter()
        fill(url, Path(packs), Sky(objects + objects // 8, _SOURCES), objects)
        print(f"filled in {time.perf_counter() - began:.0f} s")
        measure(url, Path(packs), objects, given.batch, 0, seconds)


if __name__ == "__main__":
    main()
