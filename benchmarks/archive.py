"""The embedded archive: how fast it takes alerts, and how fast it finds things, when it is large.

python benchmarks/archive.py [--quick] [--folder FOLDER]

An archive is filled with invented objects (1 million with 10 detections and 10 forced measurements each;
--quick: 100,000), then batches of alerts of known objects are written, each with its history, one new
detection, four new forced measurements and 58 kB of packet, then everything is looked up. All figures are of
one core: process CPU time and wall time, medians. The references are measured in the same run.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from _synthetic_archive import Sky, payloads
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.schema import ddl

ALERTS = 10_000
OBJECT_COLUMNS = [
    "diaObjectId",
    "objectName",
    "ra",
    "decl",
    "lastDiaSourceMjdTai",
    "nDiaSources",
    "g_psfFlux",
    "r_psfFlux",
]
COLUMNS = ["diaObjectId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "ra", "decl", "reliability"]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def median(work: Callable[[], Any], times: int = 15) -> tuple[float, float]:
    """Median CPU and wall milliseconds of a call, after one that is not counted."""
    work()
    runs = [timed(work) for _ in range(times)]
    return 1e3 * statistics.median(cpu for cpu, _ in runs), 1e3 * statistics.median(wall for _, wall in runs)


def writing(archive: DuckDBArchive, sky: Sky, batches: int) -> float:
    """Write batches in three ways; the CPU time an alert of the ordinary one, upkeep included."""
    packets = payloads(ALERTS, 58_000)
    random = np.random.default_rng(5)
    count = len(sky.ids)
    night = 0.0
    print(f"\nwrite() of {ALERTS:,} alerts of 58 kB, microseconds an alert")
    print(f"{'':44}{'CPU':>8}{'upkeep':>8}{'wall':>8}{'compared':>10}")
    ordinary = 0.0
    for label, window, together in (
        ("histories that grow, objects anywhere", 365.0, False),
        ("histories that grow, objects of one field", 365.0, True),
        ("a window that moves: rows compared", 200.0, False),
    ):
        cpus, walls, upkeep, compared = [], [], 0.0, 0
        for number in range(batches):
            if together:
                first = int(random.integers(0, count - ALERTS))
                chosen = np.arange(first, first + ALERTS)
            else:
                chosen = np.sort(random.permutation(count)[:ALERTS])
            night += 0.01
            batch = sky.batch(chosen, night, 4, packets, window)
            settle = []
            before = archive._settle_bytes
            archive._settle_bytes = 1 << 60
            report: list[Any] = []
            cpu, wall = timed(
                lambda batch=batch, report=report, number=number: report.append(
                    archive.write([batch], None, {("alerts", 0): number})
                )
            )
            archive._settle_bytes = before
            settle.append(timed(archive._settle_if_due)[0])
            cpus.append(cpu)
            walls.append(wall)
            upkeep += sum(settle)
            compared += report[0].compared_objects
            sky.remember(chosen)
        # What is left unsorted costs upkeep too: its share belongs to these batches.
        archive._settle_bytes, before = 0, archive._settle_bytes
        upkeep += timed(archive._settle_if_due)[0]
        archive._settle_bytes = before
        each = 1e6 / ALERTS
        alerts = batches * ALERTS
        print(
            f"  {label:42}{statistics.median(cpus) * each:8.0f}{upkeep * 1e6 / alerts:8.0f}"
            f"{statistics.median(walls) * each:8.0f}{compared / alerts:10.0%}"
        )
        ordinary = ordinary or statistics.median(cpus) * each + upkeep * 1e6 / alerts
    return ordinary


def naive_writing(folder: Path, sky: Sky, objects: int) -> float:
    """Microseconds an alert of INSERT OR REPLACE of objects, and detections added, into one keyed table
    each."""
    connection = duckdb.connect(str(folder / "naive.duckdb"), config={"threads": 1, "memory_limit": "800MB"})
    for name, key in (
        ("objects", "diaObjectId"),
        ("diaSources", "diaSourceId"),
        ("diaForcedSources", "diaForcedSourceId"),
    ):
        statement = ddl(name, "duckdb")
        connection.execute(statement.rstrip().removesuffix(")") + f", PRIMARY KEY ({key}))")
    for chunk in sky.chunks(objects):
        for name in ("objects", "diaSources", "diaForcedSources"):
            connection.register("chunk", chunk[name])
            connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM chunk")
    connection.execute("CHECKPOINT")
    packets = payloads(1000, 58_000)
    chosen = np.sort(np.random.default_rng(6).permutation(objects)[:1000])
    batch = sky.batch(chosen, 90.0, 4, packets, 365.0)
    tables = {
        "objects": batch.objects,
        "diaSources": batch.diaSources.take(),
        "diaForcedSources": batch.diaForcedSources.take(),
    }

    def write() -> None:
        connection.begin()
        for name, table in tables.items():
            connection.register("chunk", table)
            connection.execute(f"INSERT OR REPLACE INTO {name} BY NAME SELECT * FROM chunk")
        connection.commit()
        with (folder / "naive.pack").open("ab") as pack:
            pack.write(b"".join(batch.payloads.bytes(n) for n in range(len(chosen))))

    cpu, _ = timed(write)
    connection.close()
    return cpu * 1e6 / len(chosen)


def looking_up(archive: DuckDBArchive, sky: Sky) -> None:
    """Light curves, objects, cones, images, and a search."""
    count = len(sky.ids)
    bright = int(sky.ids[sky.bright])
    places = iter(np.random.default_rng(7).integers(0, count, 10_000).tolist())
    chosen = dict.fromkeys(("diaSources", "diaForcedSources"), COLUMNS)
    chosen["diaForcedSources"] = [name for name in COLUMNS if name != "reliability"]

    def cone(columns: list[str] | None = None) -> None:
        n = next(places)
        assert archive.cone(float(sky.ra[n]), float(sky.decl[n]), 5.0, columns).num_rows

    points = archive.light_curve(bright)
    print(f"\nlook-ups, milliseconds ({len(points.diaSources)} + {len(points.diaForcedSources)} points)")
    print(f"{'':44}{'CPU':>8}{'wall':>8}")
    rows: list[tuple[str, Callable[[], Any], int]] = [
        ("light curve of 1,000 + 1,000 points, 8 columns", lambda: archive.light_curve(bright, chosen), 15),
        ("the same, all columns", lambda: archive.light_curve(bright), 15),
        (
            "light curve of an ordinary object, all",
            lambda: archive.light_curve(int(sky.ids[next(places)])),
            15,
        ),
        (
            "1,000 light curves, 8 columns",
            lambda: archive.light_curves(sky.ids[: 1000 * 7 : 7].tolist(), chosen),
            3,
        ),
        ("object by id, all columns", lambda: archive.object(int(sky.ids[next(places)])), 15),
        ("object by id, 8 columns", lambda: archive.object(int(sky.ids[next(places)]), OBJECT_COLUMNS), 15),
        ("cone 5 arcsec, position and id", lambda: cone(["diaObjectId", "ra", "decl"]), 15),
        ("cone 5 arcsec, all columns", cone, 15),
        ("search: 5 predicates, ORDER BY, LIMIT 1000", lambda: archive.query(SEARCH), 3),
    ]
    for label, work, times in rows:
        cpu, wall = median(work, times)
        print(f"  {label:46}{cpu:6.1f}{wall:8.1f}")


SEARCH = (
    "SELECT diaObjectId, ra, decl, g_psfFluxMean FROM objects WHERE g_psfFluxMean > 50 AND nDiaSources > 20 "
    "AND decl < -10 AND jump1 > 20 AND glat > 0 ORDER BY g_psfFluxMean DESC LIMIT 1000"
)


def naive_looking_up(archive: DuckDBArchive, folder: Path, sky: Sky) -> None:
    """The light curve from a table that lies in order of time, as it came, and the factor."""
    bright = int(sky.ids[sky.bright])
    listed = ", ".join(f'"{name}"' for name in COLUMNS)
    connection = duckdb.connect(str(folder / "time.duckdb"), config={"threads": 1, "memory_limit": "800MB"})
    rows = archive._database.writer.execute(
        f"SELECT {listed} FROM diaSources_sorted ORDER BY midpointMjdTai"
    ).to_arrow_reader(100_000)
    connection.register("rows", rows)
    connection.execute("CREATE TABLE sources AS SELECT * FROM rows")
    connection.unregister("rows")
    connection.execute("CHECKPOINT")
    sql = f"SELECT * FROM sources WHERE diaObjectId = {bright}"
    slow, _ = median(lambda: connection.execute(sql).to_arrow_table(), 5)
    fast, _ = median(
        lambda: archive.light_curve(
            bright,
            {"diaSources": COLUMNS, "diaForcedSources": ["psfFlux"], "diaNondetectionLimits": ["band"]},
        )
    )
    connection.close()
    print(f"  reference: the detections from a table in order of time {slow:.1f} ms; ratio {slow / fast:.1f}")


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--quick", action="store_true", help="a tenth of the objects, fewer batches")
    arguments.add_argument(
        "--folder", type=Path, help="where to build the archive (default: a temporary folder)"
    )
    chosen = arguments.parse_args()
    objects, batches = (100_000, 4) if chosen.quick else (1_000_000, 12)
    folder = Path(tempfile.mkdtemp(prefix="archive-", dir=chosen.folder))
    try:
        sky = Sky(objects, 10)
        with DuckDBArchive(folder / "archive", threads=1) as archive:
            cpu, wall = timed(lambda: sky.fill(archive))
            rows = int(sky.offsets[-1])
            print(f"{objects:,} objects, {rows:,} detections and as many forced measurements: ", end="")
            print(f"filled in {cpu:.0f} s CPU, {wall:.0f} s")
            ordinary = writing(archive, sky, batches)
            slow = naive_writing(folder, sky, 20_000)
            print(
                f"  reference: INSERT OR REPLACE into tables with keys, 20,000 objects {slow:.0f}; "
                f"ratio {slow / ordinary:.1f}"
            )
            print("\nas the writing left it:", end="")
            looking_up(archive, sky)
            cpu, wall = timed(archive.compact)
            print(f"\ncompaction: {cpu:.0f} s CPU, {wall:.0f} s; then:", end="")
            looking_up(archive, sky)
            naive_looking_up(archive, folder, sky)
            status = archive.status()
            alerts = status.tables["alerts"].rows
            tables = sum(table.bytes for table in status.tables.values())
            print(f"\nbytes on disk an alert: {status.pack_bytes / alerts:,.0f} in packs, as they came")
            held = status.tables
            per_row = ", ".join(
                f"{name} {held[name].bytes / held[name].rows:,.0f}"
                for name in (
                    "objects",
                    "diaSources",
                    "diaForcedSources",
                    "alerts",
                    "cutouts",
                    "object_ledger",
                )
            )
            print(f"tables: {tables / 1e9:.2f} GB; bytes a row: {per_row}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
