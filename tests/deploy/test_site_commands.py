"""A site by hand: each of its processes starts on a PostgreSQL, says that it is ready, stops when told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from private_server import PrivateServer

from lasair_broker.archive.postgresql import PostgreSQLArchive

pytestmark = pytest.mark.slow

LASAIR = Path(sys.executable).with_name("lasair")
PATIENCE = 180


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateServer]:
    """The server of the site."""
    with PrivateServer() as found:
        with psycopg.connect(found.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE site")
        yield found


@pytest.fixture(scope="module")
def site(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a site's processes."""
    folder = tmp_path_factory.mktemp("site")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("LASAIR_")},
        "LASAIR_ARCHIVE__URL": server.url("site"),
        "LASAIR_ARCHIVE__PACKS": str(folder / "packs"),
        "LASAIR_SITE__RESULTS": str(folder / "results"),
        "LASAIR_CONTEXT__CATALOGUES": str(folder / "catalogues"),
        "LASAIR_LOGGING__FORMAT": "json",
        "LASAIR_SECRET_KEY": "for this test only, and long enough for Django's checks",
    }


@contextmanager
def started(site: dict[str, str], folder: Path, *words: str, page: str) -> Iterator[str]:
    """A command that runs until it is told to stop, which it does well; gives the address it told."""
    output = folder / f"{words[0]}.log"
    with output.open("wb") as log:
        process = subprocess.Popen([LASAIR, *words], env=site, cwd=folder, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while (found := re.search(page + r" at (http://[^/\s]+)/", output.read_text())) is None:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < end, output.read_text()
            time.sleep(0.1)
        wait_for(found[1], "/health/ready", 200)
        yield found[1]
        assert process.poll() is None, output.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, output.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def status(address: str, path: str) -> int:
    try:
        return requests.get(address + path, timeout=60).status_code
    except requests.ConnectionError:
        return 0


def wait_for(address: str, path: str, wanted: int) -> None:
    end = time.monotonic() + PATIENCE
    while (found := status(address, path)) != wanted:
        assert time.monotonic() < end, f"{address}{path} answers {found}, and not {wanted}"
        time.sleep(0.1)


def test_deliveries_and_site_go_on_after_a_restart(
    site: dict[str, str], server: PrivateServer, tmp_path: Path
) -> None:
    with (
        started(site, tmp_path, "deliver", "--metrics-port", "0", page="metrics") as deliver,
        started(site, tmp_path, "serve", "--port", "0", page="site") as web,
    ):
        assert status(web, "/") == 200
        server.stop()
        for address in (deliver, web):
            wait_for(address, "/health/ready", 503)
            assert status(address, "/health/live") == 200
        server.start()
        for address in (deliver, web):
            wait_for(address, "/health/ready", 200)
        wait_for(web, "/", 200)


def test_not_even_the_first_page_after_a_restart_fails(
    site: dict[str, str], server: PrivateServer, tmp_path: Path
) -> None:
    """Nobody asks while the server is away; what the site had open is of no use any more."""
    with started(site, tmp_path, "serve", "--port", "0", page="site") as web:
        pages = ("/", "/api/v1/schema/", "/status/", "/health/ready")
        for _ in range(3):
            assert {status(web, path) for path in pages} == {200}
            with ThreadPoolExecutor(8) as readers:  # so that there are several connections
                list(readers.map(lambda path: status(web, path), pages * 4))
            server.stop()
            server.start()
            assert {path: status(web, path) for path in pages} == dict.fromkeys(pages, 200)


def test_processes_that_start_together_make_the_user_database_once(
    site: dict[str, str], server: PrivateServer, tmp_path: Path
) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    fresh = site | {"LASAIR_ARCHIVE__URL": server.url("fresh")}
    command = [LASAIR, "user", "create"]
    together = [
        subprocess.Popen([*command, name], env=fresh, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        for name in ("ann", "bob", "carol", "dora")
    ]
    for process in together:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said


def test_the_processes_of_a_site(site: dict[str, str], tmp_path: Path) -> None:
    for words in (["archive", "init"], ["ingest", "--simulate", "300"], ["status"], ["archive", "tidy"]):
        done = subprocess.run([LASAIR, *words], env=site, cwd=tmp_path, capture_output=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
    with (
        started(site, tmp_path, "deliver", "--metrics-port", "0", page="metrics") as deliver,
        started(site, tmp_path, "serve", "--port", "0", page="site") as web,
    ):
        assert status(deliver, "/metrics") == 200
        for path in ("/", "/health/live", "/api/v1/schema/", "/status/"):
            assert status(web, path) == 200, path
    run = ["run", "--metrics-port", "0", "--port", "0"]
    with started(site, tmp_path, *run, page="metrics") as broker:
        page = requests.get(f"{broker}/metrics", timeout=60).text
        for name in ("lasair_commits_total", "lasair_outbox_outputs", "lasair_outage_seconds"):
            assert name in page
    with PostgreSQLArchive(site["LASAIR_ARCHIVE__URL"], site["LASAIR_ARCHIVE__PACKS"]) as archive:
        assert archive.status().tables["alerts"].rows >= 250
        assert not [finding for finding in archive.check() if finding.severity == "error"]
