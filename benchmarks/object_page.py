"""What the page of an object takes: its first HTML, the data of its chart, and what is fetched after it.

python benchmarks/object_page.py [--quick] [--folder FOLDER] [--stream [RATE]]

An archive of a million invented objects with 20 detections and 20 forced measurements each (--quick: 20,000),
served by `lasair serve` in a process of its own. Wall milliseconds over loopback of somebody who is not
logged in, each time another object, and the ratio to what the archive itself takes for the object's row in
this process. With --stream this process writes alerts into the archive at the same time, as fast as it can,
or at a rate (LSST's visits bring 256 a second).
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import requests

from _synthetic_archive import Sky, payloads
from lasair_broker.archive import open_archive
from lasair_broker.archive.duckdb import DuckDBArchive

_BATCH = 2000
LASAIR = Path(sys.executable).with_name("lasair")
PARTS = (
    *(
        "context",
        "classes",
        "detections",
        "cutouts",
        "sky",
        "hits",
        "filters",
        "observability",
        "neighbours",
        "similar",
    ),
    *("features", "provenance"),
)


def milliseconds(work: Callable[[int], Any], places: np.ndarray[Any, Any]) -> list[float]:
    """Wall time of a call for each place, after some that are not counted."""
    found = []
    for place in places[:5]:
        work(int(place))
    for place in places[5:]:
        began = time.perf_counter()
        work(int(place))
        found.append(1e3 * (time.perf_counter() - began))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the archive there, or use the one that is there")
    parser.add_argument(
        "--stream", type=float, nargs="?", const=math.inf, metavar="RATE", help="write alerts meanwhile"
    )
    asked = parser.parse_args()
    objects = 20_000 if asked.quick else 1_000_000
    sky = Sky(objects, 20)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="lasair-page-"))
    try:
        new = not (folder / "archive").exists()
        with DuckDBArchive(folder / "archive") as archive:
            if new:
                sky.fill(archive)
            if not archive.query("SELECT 1 FROM sherlock_classifications LIMIT 1").num_rows:
                surround(archive)
        places = np.random.default_rng(7).integers(0, objects, 55 if asked.quick else 205)
        with open_archive(folder / "archive") as archive, ExitStack() as stack:
            own = statistics.median(milliseconds(lambda i: archive.object(int(sky.ids[i])), places))
            if asked.stream is not None:
                archive.serve()
                stack.enter_context(Writing(archive, sky, asked.stream))
            else:
                archive.close()
            serve(folder / "archive", sky, places, own)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


def surround(archive: DuckDBArchive) -> None:
    """Say something of the surroundings of every object, so that these tables are as long as in use."""
    connection = archive._database.writer
    connection.execute(
        "INSERT INTO sherlock_classifications_sorted BY NAME SELECT diaObjectId, 'SN' AS classification, "
        "'An invented place.' AS description, 0.1 AS redshift, 460.0 AS best_distance "
        "FROM objects_sorted ORDER BY diaObjectId"
    )
    connection.execute(
        "INSERT INTO sherlock_crossmatches_sorted BY NAME SELECT diaObjectId, r.rank, "
        "'SN' AS association_type, "
        "'invented' AS catalogue_table_name, 'galaxy' AS catalogue_object_id, ra AS raDeg, decl AS decDeg, "
        "1.0 * r.rank AS separationArcsec FROM objects_sorted, (VALUES (1), (2), (3)) AS r(rank) "
        "ORDER BY diaObjectId, r.rank"
    )
    connection.execute(
        "INSERT INTO classifications_sorted BY NAME SELECT diaObjectId, 'lasair' AS model, '1' AS version, "
        "'SNIa' AS topClass, 0.8 AS topProbability, 0.8 AS SNIa, 0.2 AS AGN, 61000.0 AS newestSourceMjdTai "
        "FROM objects_sorted ORDER BY diaObjectId"
    )
    connection.execute("CHECKPOINT")


class Writing:
    """A thread that writes batches of alerts, so many a second, until it is told to stop."""

    def __init__(self, archive: Any, sky: Sky, rate: float) -> None:
        self._archive, self._sky, self._rate = archive, sky, rate
        self._stop, self._alerts = threading.Event(), 0
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        random = np.random.default_rng(3)
        payload = payloads(_BATCH, 10_000)
        night = 0.0
        while not self._stop.wait(self._began + self._alerts / self._rate - time.perf_counter()):
            night += 0.001
            chosen = np.sort(random.choice(len(self._sky.ids), _BATCH, replace=False))
            self._archive.write([self._sky.batch(chosen, night, 3, payload)])
            self._sky.remember(chosen)
            self._alerts += _BATCH

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        print(f"meanwhile {self._alerts / (time.perf_counter() - self._began):,.0f} alerts/s were written")


def serve(folder: Path, sky: Sky, places: np.ndarray[Any, Any], own: float) -> None:
    environment = {**os.environ, "LASAIR_ARCHIVE__URL": str(folder)}
    command = [LASAIR, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = re.search(r"http://\S+(?=/)", server.stdout.readline())
            assert line is not None
            measure(line[0], sky, places, own)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def measure(site: str, sky: Sky, places: np.ndarray[Any, Any], own: float) -> None:
    paths = {"page": "", "chart's data": "data/light-curve.json"}
    paths |= {f"part {name}": f"panels/{name}/" for name in PARTS}
    with requests.Session() as session:
        for name, path in paths.items():

            def get(i: int, path: str = path) -> None:
                answer = session.get(
                    f"{site}/objects/{sky.ids[i]}/{path}",
                    headers={"HX-Request": "true"} if "panels" in path else {},
                )
                assert answer.status_code == 200, answer.text

            found = milliseconds(get, places if name in ("page", "chart's data") else places[:20])
            median, worst = statistics.median(found), float(np.quantile(found, 0.95))
            print(
                f"{name}: {median:.1f} ms (95 %: {worst:.1f}); the archive's own row {own:.1f} ms, "
                f"ratio {median / own:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
