"""One archive, open in `lasair run`, which serves the site, while `lasair serve` reads through it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from site_under_test import LASAIR


@contextmanager
def started(environment: dict[str, str], *arguments: str) -> Iterator[str]:
    """A command that serves the site, and its address; it ends well when told to."""
    with subprocess.Popen([LASAIR, *arguments], env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            for line in server.stdout:
                if found := re.fullmatch(r"site at (http://\S+)/\n", line):
                    yield found[1]
                    break
        finally:
            server.send_signal(signal.SIGTERM)
            server.stdout.read()
            code = server.wait(timeout=60)
    assert code == 0


def test_attempts_are_counted_by_all_processes_together(tmp_path: Path) -> None:
    environment = {**os.environ, "LASAIR_ARCHIVE__URL": str(tmp_path / "archive"), "COLUMNS": "200"}
    environment.pop("LASAIR_USER_DATABASE", None)
    waiting = ("run", "--port", "0")
    given = {"username": "somebody", "password": "guessed"}
    with started(environment, *waiting) as running, started(environment, "serve", "--port", "0") as beside:
        answers = [
            requests.post(f"{address}/api/auth-token/", data=given, timeout=20)
            for _ in range(6)
            for address in (running, beside)
        ]
    assert [answer.status_code for answer in answers] == [400] * 10 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "600"


def test_run_and_serve_side_by_side(tmp_path: Path) -> None:
    environment = {**os.environ, "LASAIR_ARCHIVE__URL": str(tmp_path / "archive"), "COLUMNS": "200"}
    environment.pop("LASAIR_USER_DATABASE", None)
    waiting = ("run", "--port", "0")  # for alerts that do not come
    with started(environment, *waiting) as running, started(environment, "serve", "--port", "0") as beside:
        for address in (running, beside):
            assert requests.get(f"{address}/health/live", timeout=20).json() == {"status": "live"}
            assert requests.get(f"{address}/health/ready", timeout=20).json() == {"status": "ready"}
            asked = {"adql": "SELECT count(*) AS n FROM objects"}
            rows = requests.post(f"{address}/api/v1/query/", json=asked, timeout=20).json()["rows"]
            assert int(rows[0]["n"]) >= 0
            assert requests.get(f"{address}/api/v1/nothing/", timeout=20).status_code == 404
            large = requests.post(f"{address}/api/v1/query/", data=b" " * (17 * 1024**2), timeout=20)
            assert large.status_code == 413


def test_many_browsers_keep_connections_open(tmp_path: Path) -> None:
    environment = {**os.environ, "LASAIR_ARCHIVE__URL": str(tmp_path / "archive"), "COLUMNS": "200"}
    environment.pop("LASAIR_USER_DATABASE", None)
    with started(environment, "run", "--port", "0") as running, ExitStack() as browsers:
        place = urlsplit(running)
        assert place.hostname is not None
        assert place.port is not None
        for _ in range(300):
            browsers.enter_context(socket.create_connection((place.hostname, place.port), timeout=20))
        assert requests.get(f"{running}/health/live", timeout=60).json() == {"status": "live"}
