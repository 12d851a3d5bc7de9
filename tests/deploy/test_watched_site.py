"""The site and the worker of background queries as those see them who watch: metrics, health, traces, log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from otlp_receiver import Receiver

pytestmark = pytest.mark.slow

LASAIR = Path(sys.executable).with_name("lasair")
PATIENCE = 120


class Started:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def address(self, page: str) -> str:
        """Where it said that a page of its is, once that answers."""
        found: list[str] = []

        def told() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            found[:] = re.findall(page + r" at (http://[^/\s]+)/", self.log.read_text())
            return bool(found) and status(found[0] + "/health/ready") == 200

        wait_until(told)
        return found[0]


def status(address: str) -> int:
    try:
        return requests.get(address, timeout=60).status_code
    except requests.ConnectionError:
        return 0


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def counted(address: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of this name by the values of their labels, as /metrics has them."""
    text = requests.get(f"{address}/metrics", timeout=60).text
    return {
        tuple(value for label, value in sorted(sample.labels.items()) if label != "le"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


@contextmanager
def started(environment: dict[str, str], folder: Path, *words: str) -> Iterator[Started]:
    log = folder / f"{words[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([LASAIR, *words], env=environment, stdout=output, stderr=output)
    try:
        yield Started(process, log)
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, collector: Receiver) -> dict[str, str]:
    """An embedded archive with a few alerts and a user, who has a token (in TOKEN)."""
    folder = tmp_path_factory.mktemp("watched")
    found = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LASAIR_")},
        "LASAIR_ARCHIVE__URL": str(folder / "data"),
        "LASAIR_CONTEXT__CATALOGUES": str(folder / "catalogues"),
        "LASAIR_LOGGING__FORMAT": "json",
        "LASAIR_TELEMETRY__ENDPOINT": collector.endpoint,
        "TMPDIR": str(folder),
    }
    for words in (["ingest", "--simulate", "60"], ["user", "create", "watcher"]):
        done = subprocess.run([LASAIR, *words], env=found, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    token = subprocess.run(
        [LASAIR, "user", "token", "watcher", "--scope", "read"],
        env=found, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert token.returncode == 0, token.stdout + token.stderr
    return found | {"TOKEN": token.stdout.split()[-1]}


def test_what_an_ingest_tells_a_collector(environment: dict[str, str], collector: Receiver) -> None:
    batch = collector.wait_for(lambda one: one.name == "batch" and one.service == "lasair-ingest")
    assert batch.attributes["lasair.alerts"] == batch.attributes["lasair.messages"] > 0
    stages = {one.name for one in collector.spans if one.parent_id == batch.span_id}
    assert stages >= {"read", "decode", "context", "lightcurve", "filters", "archive"}


def test_a_site_of_two_processes_and_a_worker(
    environment: dict[str, str], collector: Receiver, tmp_path: Path
) -> None:
    serve = ("serve", "--workers", "2", "--port", "0", "--metrics-port", "0")
    with started(environment | {"LASAIR_SITE__JOB_THREADS": "0"}, tmp_path, *serve) as web:
        site, watched = web.address("site"), web.address("metrics")
        assert status(f"{site}/metrics") == 404  # that is nobody's but the operator's
        for _ in range(10):
            assert status(f"{site}/nowhere/<script>") == 404
        assert status(f"{site}/static/nothing.css") == 404
        for address in (site, watched):
            assert requests.get(f"{address}/health/live", timeout=60).json() == {"status": "live"}
        # As they were asked of two processes, whichever of them is asked for the sum:
        for _ in range(4):
            requested = counted(watched, "lasair_web_requests_total")
            assert requested["GET", "unknown", "4xx"] == 11
            assert requested["GET", "static", "4xx"] == 1
            timed = counted(watched, "lasair_web_request_seconds_count")
            assert (timed["unknown",], timed["static",]) == (11, 1)
        assert counted(watched, "lasair_jobs_waiting") == {(): 0}

        query = {"adql": "SELECT TOP 5 diaObjectId FROM objects"}
        login = {"Authorization": f"Token {environment['TOKEN']}"}
        asked = requests.post(f"{site}/api/v1/jobs/", json=query, headers=login, timeout=60)
        assert asked.status_code in (201, 202), asked.text
        assert counted(watched, "lasair_jobs_waiting") == {(): 1}
        with started(environment, tmp_path, "work", "--metrics-port", "0") as work:
            page = work.address("metrics")
            wait_until(lambda: counted(page, "lasair_jobs_total") == {("COMPLETED",): 1})
            assert counted(page, "lasair_job_seconds_count") == {(): 1}
            assert counted(page, "lasair_jobs_waiting") == {(): 0}

        worker = psutil.Process(web.process.pid).children()[0]
        worker.kill()
        wait_until(
            lambda: str(worker.pid) in web.log.read_text() and status(f"{watched}/health/ready") == 200
        )
        assert counted(watched, "lasair_web_requests_total")["GET", "unknown", "4xx"] == 11
    told = [json.loads(line) for line in web.log.read_text().splitlines() if str(worker.pid) in line]
    assert [(line["level"], line["event"][:6]) for line in told] == [("error", "Worker")]

    request = collector.wait_for(lambda one: one.name == "GET unknown")
    assert request.service == "lasair-serve"
    assert request.attributes["http.response.status_code"] == 404
    assert "script" not in str([one.attributes for one in collector.spans])
    job = collector.wait_for(lambda one: one.name == "job")
    assert job.service == "lasair-work"
    assert job.attributes["lasair.phase"] == "COMPLETED"
    folders = list(Path(environment["TMPDIR"]).glob("lasair-metrics-*"))
    assert folders == []


def test_everything_in_one_process(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment, tmp_path, "run", "--port", "0", "--metrics-port", "0") as broker:
        site, watched = broker.address("site"), broker.address("metrics")
        assert status(f"{site}/nowhere/") == 404
        assert counted(watched, "lasair_web_requests_total")["GET", "unknown", "4xx"] == 1
        assert counted(watched, "lasair_jobs_waiting") == {(): 0}
    lines = [json.loads(line) for line in broker.log.read_text().splitlines() if line.startswith("{")]
    assert all("event" in line for line in lines)
