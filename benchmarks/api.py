"""What the API takes to answer over loopback: objects, cones, light curves, alone and with many users.

python benchmarks/api.py [--quick] [--folder FOLDER]

An archive of a million invented objects with 20 detections and 20 forced measurements each (--quick: 20,000),
served by `lasair serve` in a process of its own. Wall milliseconds of a request with a token, and the ratio
to the same call of the archive in this process, before it is served. Then so many users at once, each asking
as fast as the answers come: requests a second, and how long they wait.
"""

from __future__ import annotations

import argparse
import http.client
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
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import requests

from _synthetic_archive import Sky
from lasair_broker.archive import Archive, open_archive
from lasair_broker.archive.duckdb import DuckDBArchive

LASAIR = Path(sys.executable).with_name("lasair")


def milliseconds(work: Callable[[int], Any], places: np.ndarray[Any, Any]) -> list[float]:
    """Wall time of a call for each place, after some that are not counted."""
    found = []
    for place in places[:5]:
        work(int(place))
    for place in places:
        began = time.perf_counter()
        work(int(place))
        found.append(1e3 * (time.perf_counter() - began))
    return found


def crowd(
    work: Callable[[requests.Session, int], Any], users: int, seconds: float, objects: int
) -> list[float]:
    """Milliseconds of the requests of so many users, each asking as fast as the answers come."""
    found: list[float] = []
    end = time.monotonic() + seconds

    def one(seed: int) -> None:
        random = np.random.default_rng(seed)
        with requests.Session() as session:
            while time.monotonic() < end:
                began = time.perf_counter()
                work(session, int(random.integers(0, objects)))
                found.append(1e3 * (time.perf_counter() - began))

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the archive there, or use the one that is there")
    asked = parser.parse_args()
    objects = 20_000 if asked.quick else 1_000_000
    times = 50 if asked.quick else 300
    sky = Sky(objects, 20)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="lasair-api-"))
    try:
        if not (folder / "archive").exists():
            with DuckDBArchive(folder / "archive") as archive:
                sky.fill(archive)
        places = np.random.default_rng(5).integers(0, objects, times)
        with open_archive(folder / "archive") as archive:
            direct = {name: milliseconds(work, places) for name, work in calls(archive, sky).items()}
        serve(folder / "archive", sky, places, direct, users=10 if asked.quick else 100)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)


def calls(archive: Archive, sky: Sky) -> dict[str, Callable[[int], Any]]:
    """The archive's own calls, by what is asked."""
    from lasair_broker.web import setup

    setup()
    from lasair_broker.web.api.v1.objects import USUAL_COLUMNS

    columns = {name: list(wanted) for name, wanted in USUAL_COLUMNS.items()}
    return {
        "object": lambda i: archive.object(int(sky.ids[i])),
        "cone of 5 arcsec": lambda i: archive.cone(float(sky.ra[i]), float(sky.decl[i]), 5.0),
        "light curve": lambda i: archive.light_curve(int(sky.ids[i]), columns),
        "light curve, every column": lambda i: archive.light_curve(int(sky.ids[i])),
    }


def serve(
    folder: Path, sky: Sky, places: np.ndarray[Any, Any], direct: dict[str, list[float]], users: int
) -> None:
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(folder),
        "LASAIR_SITE__POWER_REQUESTS": "1000000000",
    }
    subprocess.run([LASAIR, "user", "create", "bench", "--administrator"], env=environment, check=False)
    token = subprocess.run(
        [LASAIR, "user", "token", "bench"], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()
    command = [LASAIR, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = re.search(r"http://\S+(?=/)", server.stdout.readline())
            assert line is not None
            measure(line[0], token, sky, places, direct, users)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def measure(
    site: str, token: str, sky: Sky, places: np.ndarray[Any, Any], direct: dict[str, list[float]], users: int
) -> None:
    headers = {"Authorization": f"Token {token}"}

    server = urlsplit(site)
    connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=60)

    def ask(path: str) -> None:
        """As lean as a client can be: what is measured is the site."""
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content

    def get(session: requests.Session, path: str) -> None:
        answer = session.get(f"{site}{path}", headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text

    paths: dict[str, Callable[[int], str]] = {
        "object": lambda i: f"/api/v1/objects/{sky.ids[i]}/",
        "cone of 5 arcsec": lambda i: f"/api/v1/cone/?ra={sky.ra[i]}&decl={sky.decl[i]}&radius=5",
        "light curve": lambda i: f"/api/v1/objects/{sky.ids[i]}/lightcurve/",
        "light curve, every column": lambda i: f"/api/v1/objects/{sky.ids[i]}/lightcurve/?columns=all",
    }
    for name, path in paths.items():
        found = milliseconds(lambda i, path=path: ask(path(i)), places)  # type: ignore[misc]
        own = statistics.median(direct[name])
        median, worst = statistics.median(found), float(np.quantile(found, 0.95))
        print(
            f"{name}: {median:.1f} ms (95 %: {worst:.1f}); the archive's own call {own:.1f} ms, "
            f"ratio {median / own:.1f}"
        )
    found = crowd(lambda s, i: get(s, paths["object"](i)), users, 10.0, len(sky.ids))
    print(
        f"{users} users at once: {len(found) / 10.0:.0f} requests/s, none failed; "
        f"median {statistics.median(found):.0f} ms, 95 % {np.quantile(found, 0.95):.0f} ms"
    )


if __name__ == "__main__":
    main()
