"""A person looks at the archive while alerts stream into it: two processes, as they are started by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE_SECONDS = 300


def _command(folder: Path, *arguments: str) -> list[str]:
    program = "from lasair_broker.cli import main; main()"
    return [sys.executable, "-c", program, *arguments, "--archive", str(folder)]


def _said(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        _command(folder, *arguments), capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.slow
def test_commands_that_read_while_a_night_streams_in(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    log = (tmp_path / "log").open("w")
    with subprocess.Popen(
        _command(folder, "ingest", "--simulate", "400000", "--paced"), stdout=log, stderr=log
    ) as ingest:
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            count = "SELECT diaObjectId FROM objects WHERE nDiaSources > 1"
            while True:
                found = _said(folder, "query", count, "--limit", "1", "--format", "csv")
                if found.returncode == 0 and len(found.stdout.splitlines()) == 2:
                    break
                assert ingest.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end, found.stderr
            key = found.stdout.splitlines()[1]
            shown = _said(folder, "object", key)
            assert (shown.returncode, key in shown.stdout) == (0, True), shown.stderr
            status = _said(folder, "status")
            assert (status.returncode, "diaSources" in status.stdout) == (0, True), status.stderr
            refused = _said(folder, "archive", "compact")
            assert refused.returncode == 1
            assert f"process {ingest.pid}" in refused.stderr
            assert ingest.poll() is None
        finally:
            ingest.send_signal(signal.SIGTERM)
            ingest.wait(60)
            log.close()
    assert ingest.returncode == 0, (tmp_path / "log").read_text()
    after = _said(folder, "object", key)
    assert after.returncode == 0
