"""A hundred people read the site while visits of 10,000 alerts stream in, all on one machine over loopback.

python benchmarks/load.py [--quick] [--readers N] [--pause SECONDS] [--seconds N]

`lasair run` simulates a night at the telescope's pace, 10,000 alerts every 39 s, and serves the site from
the same process. First one reader alone asks, which is the reference; then so many at once, each with some
seconds between an answer and the next request, as people have. They ask for what people look at: the front
page, objects, light curves, cones, queries, lists. What is not answered with 200 is a failure, and is shown.
"""

from __future__ import annotations

import argparse
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
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests

LASAIR = Path(sys.executable).with_name("lasair")
ALERTS_PER_SECOND = 10_000 / 39.0


@dataclass
class Answers:
    """What the readers got."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, took: float, failed: str) -> None:
        self.milliseconds.setdefault(what, []).append(took)
        if failed:
            self.failures[f"{what}: {failed}"] += 1

    @property
    def all(self) -> list[float]:
        return [took for each in self.milliseconds.values() for took in each]


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a site that takes a night in."""
    command = [LASAIR, "run", "--archive", folder, "--simulate", "60000", "--paced", "--port", "0"]
    log = folder.with_name("run.log")
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 120.0
        found = None
        while found is None:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.2)
            found = re.search(r"http://\S+(?=/)", log.read_text())
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def rows_of(site: str, headers: dict[str, str]) -> int:
    """Alerts that the archive has."""
    tables = requests.get(f"{site}/api/v1/status/", headers=headers, timeout=60).json()["tables"]
    return next(int(table["rows"]) for table in tables if table["name"] == "alerts")


def known(site: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Objects to ask for."""
    body = {"adql": "SELECT TOP 500 diaObjectId, ra, decl FROM objects ORDER BY nDiaSources DESC"}
    answer = requests.post(f"{site}/api/v1/query/", json=body, headers=headers, timeout=60)
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def ask(session: requests.Session, site: str, one: dict[str, Any], what: str) -> requests.Response:
    key, ra, decl = one["diaObjectId"], one["ra"], one["decl"]
    if what == "query":
        body = {"adql": f"SELECT TOP 20 diaObjectId, ra FROM objects WHERE nDiaSources > 2 AND ra > {ra}"}
        return session.post(f"{site}/api/v1/query/", json=body, timeout=120)
    path = {
        "front page": "/",
        "object page": f"/objects/{key}/",
        "lists page": "/watchlists/",
        "object": f"/api/v1/objects/{key}/",
        "light curve": f"/api/v1/objects/{key}/lightcurve/",
        "cone": f"/api/v1/cone/?ra={ra}&decl={decl}&radius=5",
    }[what]
    return session.get(f"{site}{path}", timeout=120)


WHAT = ("front page", "object page", "lists page", "object", "light curve", "cone", "query")


def read(
    site: str, token: str, objects: list[dict[str, Any]], seed: int, end: float, pause: float, told: Answers
) -> None:
    """What one reader does until the end."""
    random = np.random.default_rng(seed)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Token {token}"
        time.sleep(float(random.uniform(0.0, pause)))  # people do not begin at the same moment
        while time.monotonic() < end:
            what, one = WHAT[random.integers(len(WHAT))], objects[random.integers(len(objects))]
            began, failed = time.perf_counter(), ""
            try:
                answer = ask(session, site, one, what)
                failed = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:80]}"
            except requests.RequestException as error:
                failed = type(error).__name__
            told.note(what, 1e3 * (time.perf_counter() - began), failed)
            time.sleep(float(random.exponential(pause)) if pause else 0.0)


def crowd(
    site: str, token: str, objects: list[dict[str, Any]], readers: int, seconds: float, pause: float
) -> Answers:
    told = Answers()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=read, args=(site, token, objects, seed, end, pause, told))
        for seed in range(readers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--readers", type=int)
    parser.add_argument(
        "--pause", type=float, default=5.0, help="seconds between an answer and the next request"
    )
    parser.add_argument("--seconds", type=float)
    asked = parser.parse_args()
    readers = asked.readers or (10 if asked.quick else 100)
    seconds = asked.seconds or (10.0 if asked.quick else 60.0)
    folder = Path(tempfile.mkdtemp(prefix="lasair-load-"))
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(folder / "archive"),
        "LASAIR_SITE__POWER_REQUESTS": "1000000000",
    }
    environment.pop("LASAIR_USER_DATABASE", None)
    try:
        subprocess.run(
            [LASAIR, "user", "create", "bench", "--administrator"],
            env=environment, check=True, capture_output=True,
        )  # fmt: skip
        token = subprocess.run(
            [LASAIR, "user", "token", "bench"], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
        headers = {"Authorization": f"Token {token}"}
        with running(folder / "archive", environment) as site:
            while rows_of(site, headers) < 2000:
                time.sleep(0.5)
            objects = known(site, headers)
            alone = crowd(site, token, objects, 1, 5.0 if asked.quick else 10.0, 0.0)
            before, began = rows_of(site, headers), time.monotonic()
            together = crowd(site, token, objects, readers, seconds, asked.pause)
            taken = (rows_of(site, headers) - before) / (time.monotonic() - began)
        report(alone, together, readers, seconds, taken)
    finally:
        shutil.rmtree(folder)


def report(alone: Answers, together: Answers, readers: int, seconds: float, taken: float) -> None:
    one, many = statistics.median(alone.all), statistics.median(together.all)
    print(
        f"{readers} readers: {len(together.all) / seconds:.0f} requests/s, "
        f"{sum(together.failures.values())} failed; "
        f"median {many:.0f} ms, 95 % {np.quantile(together.all, 0.95):.0f} ms, "
        f"longest {max(together.all):.0f} ms"
    )
    print(f"one reader alone: median {one:.0f} ms; ratio {many / one:.1f}")
    print(f"alerts taken in meanwhile: {taken:.0f}/s of {ALERTS_PER_SECOND:.0f}/s that came")
    for what, times in sorted(together.milliseconds.items()):
        print(f"  {what}: median {statistics.median(times):.0f} ms, 95 % {np.quantile(times, 0.95):.0f} ms")
    for failure, count in together.failures.most_common(10):
        print(f"  failed {count} times: {failure}")


if __name__ == "__main__":
    main()
