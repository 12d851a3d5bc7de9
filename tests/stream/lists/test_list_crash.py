"""Killed at every step of the loop, the stream leaves the same hits, events and states as undisturbed."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lasair_broker.archive import open_archive

WORKER = Path(__file__).with_name("list_crash_worker.py")
TABLES = {
    "watchlist_hits": "SELECT * FROM watchlist_hits ORDER BY ALL",
    "area_hits": "SELECT * FROM area_hits ORDER BY ALL",
    "watchlist_events": "SELECT * EXCLUDE (foundMjdTai) FROM watchlist_events ORDER BY eventId",
    "watchlist_trigger_states": "SELECT * FROM watchlist_trigger_states ORDER BY ALL",
}


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_a_kill(tmp_path: Path, data: Path, supernova: list[bytes]) -> None:
    alerts = tmp_path / "alerts.pickle"
    alerts.write_bytes(pickle.dumps(supernova))

    def work(name: str, *kill: object) -> int:
        schemas = data / "lsst" / "schemas"
        command = [sys.executable, WORKER, alerts, tmp_path / name, schemas, 5, *kill]
        return subprocess.run([str(part) for part in command], timeout=120, check=False).returncode

    def contents(name: str) -> dict[str, object]:
        with open_archive(tmp_path / name) as archive:
            return {table: archive.query(text).to_pylist() for table, text in TABLES.items()}

    assert work("undisturbed") == 0
    for count, step in enumerate(("read", "processed", "committing", "committed", "told"), 1):
        assert work("killed", step, 1 + count % 2) == -signal.SIGKILL, step
    assert work("killed") == 0
    expected = contents("undisturbed")
    assert all(expected.values())
    assert contents("killed") == expected
