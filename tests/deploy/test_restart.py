"""PostgreSQL is stopped and started under a worker that runs: it waits, goes on, stores everything once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import requests
from private_server import PrivateServer

from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.packets.simulator import Simulation

pytestmark = pytest.mark.slow

ALERTS = 3000
PATIENCE = 120


def wait_for(what: str, holds: Callable[[], bool], worker: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert worker.poll() is None, f"the worker ended: {log.read_text()}"
        assert time.monotonic() < end, f"{what} does not happen: {log.read_text()}"
        time.sleep(0.1)


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        made = connection.execute("SELECT 1 WHERE to_regclass('archive.alerts') IS NOT NULL").fetchone()
        if made is None:
            return 0
        (count,) = connection.execute("SELECT count(*) FROM archive.alerts").fetchone() or (0,)
        return int(count)


def events(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [f"{line['event']} {line.get('what', '')}".strip() for line in lines]


def readiness(port: int) -> int:
    return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=60).status_code


def test_a_worker_waits_for_a_server_that_is_restarted(tmp_path: Path) -> None:
    expected = sum(len(messages) for messages in Simulation.night(ALERTS, seed=1).alerts())
    with PrivateServer() as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE site")
        url = server.url("site")
        environment = {
            **os.environ,
            "LASAIR_ARCHIVE__URL": url,
            "LASAIR_ARCHIVE__PACKS": str(tmp_path / "packs"),
            "LASAIR_LOGGING__FORMAT": "json",
            "LASAIR_STREAM__BATCH_WAIT": "0.5",
            "LASAIR_SECRET_KEY": "for this test only, and long enough for Django's checks",
        }
        log, said = tmp_path / "log", tmp_path / "said"
        lasair = Path(sys.executable).with_name("lasair")
        with log.open("wb") as err, said.open("wb") as out:
            worker = subprocess.Popen(
                [lasair, "ingest", "--simulate", str(ALERTS), "--paced", "--metrics-port", "0"],
                env=environment, cwd=tmp_path, stdout=out, stderr=err,
            )  # fmt: skip
        try:
            wait_for("the first commit", lambda: stored(url) > 0, worker, log)
            found = re.search(r"metrics at http://127.0.0.1:(\d+)/", said.read_text() + log.read_text())
            assert found
            port = int(found[1])
            assert readiness(port) == 200
            server.stop()
            wait_for("waiting", lambda: "waiting the archive's server" in events(log), worker, log)
            assert readiness(port) == 503
            server.start()
            wait_for("going on", lambda: "back the archive's server" in events(log), worker, log)
            assert worker.wait(PATIENCE * 3) == 0, log.read_text()
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait(60)
        with PostgreSQLArchive(url, tmp_path / "packs") as archive:
            assert archive.status().tables["alerts"].rows == expected
            assert not [finding for finding in archive.check() if finding.severity == "error"]
            twice = archive.query('SELECT "diaSourceId" FROM alerts GROUP BY 1 HAVING count(*) > 1')
            assert twice.num_rows == 0
