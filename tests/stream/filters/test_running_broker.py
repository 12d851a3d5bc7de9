"""`lasair run` in one process, its users in others: a filter begins to run, an annotation sets it off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LASAIR = [sys.executable, "-c", "from lasair_broker.cli import main; main()"]
SAID = (
    "SELECT o.diaObjectId, a.classification FROM objects o "
    "JOIN annotations a ON o.diaObjectId = a.diaObjectId WHERE a.topic = 'robot'"
)

Command = Callable[..., str]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(tmp_path / "archive"),
        "LASAIR_USER": "ann",
        "COLUMNS": "200",
    }


@pytest.fixture
def lasair(environment: dict[str, str]) -> Command:
    def run(*arguments: object) -> str:
        command = [*LASAIR, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def broker(lasair: Command, environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A broker without a source, on an archive with a night in it."""
    lasair("ingest", "--simulate", 100)
    lasair("user", "create", "ann")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*LASAIR, "run"], env=environment, stdout=log, stderr=log, text=True)
    socket = tmp_path / "archive" / "archive.socket"
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline, "the broker did not start"
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_users_of_a_running_broker(broker: subprocess.Popen[str], lasair: Command) -> None:
    lasair("annotator", "create", "robot")
    number = lasair("query", "SELECT TOP 1 diaObjectId FROM objects", "--format", "csv").split()[-1]
    lasair("filter", "create", "said", "--query", SAID, "--trigger", "annotation")
    assert "0 objects of the archive pass" in lasair("filter", "preview", 1)
    lasair("filter", "activate", 1)
    lasair("annotate", "robot", "--object", number, "--classification", "SN")
    deadline = time.monotonic() + 60
    while not (lines := lasair("filter", "hits", 1, "--json").splitlines()):
        assert time.monotonic() < deadline, "the annotation set nothing off"
    (hit,) = map(json.loads, lines)
    assert hit["trigger"] == "annotation"
    assert hit["content"] == {"diaObjectId": int(number), "classification": "SN"}
    assert "1 objects of the archive pass" in lasair("filter", "preview", 1)
    assert "passes" in lasair("filter", "why", 1, number)
    lasair("filter", "create", "all", "--query", "SELECT objectName FROM objects")
    assert "hits in 100 alerts" in lasair("filter", "replay", 2, "--since", "1d")
    broker.send_signal(signal.SIGTERM)
    assert broker.wait(timeout=60) == 0
    assert "version 1 runs" in lasair("filter", "health", 1)
