"""A search that no index serves, on PostgreSQL alone and on the columnar snapshot, while alerts are written.

python benchmarks/snapshot.py [--quick] [--objects N]

A private PostgreSQL is filled with invented objects (10 million; --quick: 1 million), of which the columns
that the search names have values and the others are NULL. A worker writes batches of alerts of other objects,
at the rate at which LSST's visits bring them and then as fast as it can, neighbours on the sky as those of a
visit are, each with its history and 58 kB of packet; another process brings the snapshot up to date every 20
seconds. The reference, in the same run, is PostgreSQL alone, with what parallel workers it chooses.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import psycopg

from _private_server import private_server
from _synthetic_archive import Sky, payloads
from lasair_broker.archive.postgresql import PostgreSQLArchive, SnapshotPlace
from lasair_broker.query import ARCHIVE, parse

SEARCH = """
    SELECT diaObjectId, ra, decl, g_psfFluxMean FROM objects
    WHERE nDiaSources > 5 AND g_psfFluxMean > 270 AND r_psfFluxMean > 0 AND decl < -10
    AND lastDiaSourceMjdTai > 61100
"""
_WRITTEN = 60_000
_BATCH = 2000
_EVERY_SECONDS = 20.0
_LSST = 10_000 / 39.0  # alerts a second


def fill(url: str, objects: int) -> None:
    """Put objects in, without their light curves."""
    columns = {
        "diaObjectId": "n",
        "healpix29": "(random() * 12 * (1::bigint << 58))::bigint",
        "survey": "'lsst'",
        "objectName": "n::text",
        "ra": "360 * random()",
        "decl": "180 * random() - 90",
        "nDiaSources": "(20 * random())::int",
        "lastDiaSourceMjdTai": "61000 + 300 * random()",
        "g_psfFluxMean": "random_normal(0, 100)",
        "r_psfFluxMean": "random_normal(0, 100)",
    }
    names = ", ".join(f'"{name}"' for name in columns)
    with psycopg.connect(url, options="-c search_path=archive", autocommit=True) as connection:
        version = connection.info.server_version
        if version < 160000:  # which has no random_normal
            gauss = "100 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())"
            columns = {k: v.replace("random_normal(0, 100)", gauss) for k, v in columns.items()}
        connection.execute(
            f"INSERT INTO objects ({names}) SELECT {', '.join(columns.values())} "
            f"FROM generate_series(1, {int(objects)}) AS n"
        )
        connection.execute("VACUUM (ANALYZE) objects")


def write(url: str, packs: str, done: Event, fast: Event, written: object) -> None:
    """Write batches of new alerts until told to stop."""
    sky = Sky(_WRITTEN, 10)
    packets = payloads(_BATCH, 58_000)
    with PostgreSQLArchive(url, packs) as archive:
        number = 0
        while not done.is_set():
            due = time.monotonic() + _BATCH / _LSST
            first = (number * _BATCH) % _WRITTEN
            report = archive.write([sky.batch(np.arange(first, first + _BATCH), 0.01 * number, 4, packets)])
            with written.get_lock():  # type: ignore[attr-defined]  # multiprocessing.Value has no public type
                written.value += report.alerts  # type: ignore[attr-defined]  # as above
            number += 1
            fast.wait(max(0.0, due - time.monotonic()))


def keep_fresh(url: str, packs: str, place: SnapshotPlace, done: Event) -> None:
    """Bring the snapshot up to date again and again."""
    with PostgreSQLArchive(url, packs, snapshot=place) as archive:
        while not done.wait(_EVERY_SECONDS):
            refreshed = archive.refresh_snapshot()
            if refreshed is not None:
                print(
                    f"    (brought up to date: {refreshed.objects:,} objects, {refreshed.files:,} files in "
                    f"{refreshed.seconds:.1f} s)",
                    flush=True,
                )


def measure(archive: PostgreSQLArchive, times: int, *, plain: bool) -> list[float]:
    query = parse(SEARCH, ARCHIVE)
    walls = []
    for _ in range(times):
        began = time.perf_counter()
        rows = archive.query(
            query.render("postgresql") if plain else query.render, max_rows=None, timeout=None
        )
        walls.append(time.perf_counter() - began)
        assert plain or b"answered_by" in rows.schema.metadata
        time.sleep(0 if plain else 1.0)
    said = "PostgreSQL alone" if plain else rows.schema.metadata[b"answered_by"].decode()
    print(
        f"  {statistics.median(walls):7.3f} s median, {max(walls):.3f} s longest of {times}: "
        f"{rows.num_rows:,} rows; {said}",
        flush=True,
    )
    return walls


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--objects", type=int, default=10_000_000)
    given = parser.parse_args()
    objects = 1_000_000 if given.quick else given.objects
    context = multiprocessing.get_context("spawn")
    with private_server() as url, tempfile.TemporaryDirectory() as folder:
        packs = str(Path(folder) / "packs")
        place = SnapshotPlace(Path(folder) / "snapshot", threads=2)
        with PostgreSQLArchive(url, packs, snapshot=place) as archive:
            began = time.perf_counter()
            fill(url, objects)
            print(f"{objects:,} objects put in, {time.perf_counter() - began:.0f} s", flush=True)
            made = archive.refresh_snapshot()
            assert made is not None
            size = sum(path.stat().st_size for path in place.folder.glob("*/*.parquet"))
            print(f"snapshot made in {made.seconds:.0f} s, {made.files:,} files, {size / 1e6:,.0f} MB")
            print("\nsearch with five conditions, nothing else going on")
            calm = measure(archive, 5, plain=False)
            alone = measure(archive, 2, plain=True)
            print(f"  ratio {statistics.median(alone) / statistics.median(calm):.1f}")
            done, fast, written = context.Event(), context.Event(), context.Value("q", 0)
            others = [
                context.Process(target=write, args=(url, packs, done, fast, written)),
                context.Process(target=keep_fresh, args=(url, packs, place, done)),
            ]
            for process in others:
                process.start()
            while not written.value:
                time.sleep(0.2)
            for how in ("at LSST's rate", "as fast as it can"):
                print(f"\nthe same while a worker writes {how} and the snapshot is kept fresh")
                began, before = time.perf_counter(), written.value
                busy = measure(archive, 10 if given.quick else 40, plain=False)
                rate = (written.value - before) / (time.perf_counter() - began)
                alone = measure(archive, 2, plain=True)
                print(
                    f"  ratio {statistics.median(alone) / statistics.median(busy):.1f}; {rate:,.0f} alerts/s"
                )
                fast.set()
            done.set()
            for process in others:
                process.join()


if __name__ == "__main__":
    main()
