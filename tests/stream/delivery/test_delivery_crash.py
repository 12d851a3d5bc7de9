"""Deliveries killed at every step: no hit is lost, and repeats have the id they had."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from test_kafka_delivery import read_whole_topic

from hits import write_hits
from lasair_broker.archive import open_archive

STEPS = [f"{when} {what}" for what in ("send", "note_deliveries", "settle") for when in ("before", "after")]


def test_no_hit_is_lost_whenever_delivery_is_killed(
    made_filter: Callable[..., Any], user_database: Path, tmp_path: Path, kafka: str
) -> None:
    from lasair_broker.web.filters import outputs

    filters = [made_filter(f"crash {uuid.uuid4().hex[:8]}") for _ in range(3)]
    written: dict[str, list[str]] = {}
    with open_archive(tmp_path / "archive") as archive:
        for found in filters:
            outputs.add(found.owner, found.pk, "kafka")
            written[found.topic] = [
                hit
                for part in range(4)
                for hit in write_hits(archive, found.pk, range(500 * part, 500 * part + 500))
            ]
    orders = [f"{step} {random.Random(7).randint(1, 4)}" for step in STEPS]
    program = [sys.executable, str(Path(__file__).with_name("delivery_worker.py"))]
    worker = subprocess.Popen(
        [*program, str(tmp_path / "archive"), str(user_database), kafka],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker:
        assert worker.stdout.readline() == "ready\n"
        for order in [*orders, ""]:
            worker.stdin.write(order + "\n")
            worker.stdin.flush()
            ended = int(worker.stdout.readline())
            assert ended == (-signal.SIGKILL if order else 0), order
        worker.stdin.close()
    repeats = 0
    for topic, ids in written.items():
        seen = Counter(
            dict(message.headers())["hitId"].decode() for message in read_whole_topic(kafka, topic)
        )
        assert set(seen) == set(ids)
        repeats += seen.total() - len(ids)
    assert repeats > 0, "killed after sending and before noting that, hits come again"
    with open_archive(tmp_path / "archive") as archive:
        assert archive.query("SELECT count(*) FROM filter_hits").column(0)[0].as_py() == 6000
