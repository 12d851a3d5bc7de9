"""News reach a running broker as a person gives them: with commands, beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lasair_broker.archive import Archive, ArchiveError, open_archive
from lasair_broker.archive.serving import RemoteArchive

COMMAND = [sys.executable, "-c", "from lasair_broker.cli import main; main()"]


@pytest.mark.slow
def test_an_event_and_its_removal_and_a_kill(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    wishes = tmp_path / "wishes.yaml"
    wishes.write_text("filters: []\n")
    environment = {
        **os.environ,
        "LASAIR_CONTEXT__CATALOGUES": str(tmp_path / "catalogues"),
        "LASAIR_STREAM__SUBSCRIPTIONS": str(wishes),
    }

    def lasair(*words: str) -> str:
        done = subprocess.run(
            [*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running() -> Iterator[subprocess.Popen[bytes]]:
        broker = subprocess.Popen([*COMMAND, "run", "--archive", str(archive)], env=environment)
        try:
            yield broker
        finally:
            broker.kill()
            broker.wait()

    def hits(store: Archive) -> Any:
        return store.query("SELECT eventName FROM event_hits")["eventName"].to_pylist()

    lasair("ingest", "--simulate", "40", "--archive", str(archive))
    with open_archive(archive, read_only=True) as store:
        (place,) = store.query("SELECT ra, decl FROM objects ORDER BY diaObjectId LIMIT 1").to_pylist()
    notice = {
        "mission": "M",
        "id": "a",
        "ra": place["ra"],
        "dec": place["decl"],
        "ra_dec_error": 1.0 / 3600.0,
    }
    file = tmp_path / "notice.json"
    file.write_text(json.dumps(notice))
    with running() as broker:
        until(archive, lambda store: store.query("SELECT state FROM chores").num_rows >= 3)
        lasair("event", "add", str(file))
        until(archive, lambda store: hits(store) == ["a"])
        assert "open in a stream" in lasair("event", "add", str(file), "--archive", str(archive))
        broker.send_signal(signal.SIGKILL)
        broker.wait()
    lasair("event", "remove", "a")
    with running() as broker:
        until(archive, lambda store: hits(store) == [])
        assert "next offset" in lasair("status", "--archive", str(archive))
        broker.send_signal(signal.SIGTERM)
        assert broker.wait(60) == 0


def until(archive: Path, holds: Callable[[Archive], bool]) -> None:
    """Wait until something holds of an archive that another process has open."""
    for _ in range(600):
        try:
            with RemoteArchive(archive) as store:
                if holds(store):
                    return
        except (ArchiveError, OSError):
            pass  # it is just being opened, and must not be locked by us
        threading.Event().wait(0.2)
    raise AssertionError("it never came to hold")
