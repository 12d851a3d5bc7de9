"""Killed between any two transactions, what carries news to stored objects leaves them as if undisturbed."""

from __future__ import annotations

import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filter_worlds import night
from news_worlds import Sky, Streams, contents, places_of
from stream_fixtures import ListSource

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.stream import run

WORKER = Path(__file__).with_name("news_crash_worker.py")
HITS = "SELECT hitId, filterId, diaObjectId, content FROM filter_hits ORDER BY ALL"


@pytest.mark.slow
def test_nothing_is_left_half_done(tmp_path: Path, data: Path, schemas: SchemaStore) -> None:
    values = night(70, 11, schemas)
    alerts = tmp_path / "alerts.pickle"
    alerts.write_bytes(pickle.dumps(values))
    first = tmp_path / "undisturbed"
    sky = Sky(first / "catalogues", places_of(values, schemas))
    with open_archive(first / "archive") as archive:
        streams = Streams(archive, sky, schemas)
        run(ListSource(values, 35), streams.pipeline, archive, commit_stages=[streams.keeper])
    for step in sky.steps:
        step()
    shutil.copytree(first, tmp_path / "killed")

    def work(name: str, *kill: object) -> int:
        command = [sys.executable, WORKER, alerts, tmp_path / name, data / "lsst" / "schemas", *kill]
        return subprocess.run([str(part) for part in command], timeout=120, check=False).returncode

    def found(name: str) -> tuple[object, object]:
        with open_archive(tmp_path / name / "archive") as archive:
            return contents(archive), archive.query(HITS, max_rows=None).to_pylist()

    assert work("undisturbed") == 0
    kills = 0
    for when, count in (("before", 1), ("after", 1), ("after", 2), ("before", 3), ("after", 1), ("after", 1)):
        kills += work("killed", when, count) == -signal.SIGKILL
    assert kills >= 5
    assert work("killed") == 0
    expected = found("undisturbed")
    assert expected[1]
    assert found("killed") == expected
