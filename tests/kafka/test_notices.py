"""Notices from a real Kafka: taken in once, whatever stands between them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer
from kafka_broker import create_topic

from lasair_broker.context.events import read_stored, read_versions
from lasair_broker.stream.messengers import NoticeFollower

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def until(found: Callable[[], bool]) -> Callable[[], bool]:
    """Ended when something was found, or after a minute."""
    last = time.monotonic() + 60.0
    return lambda: found() or time.monotonic() > last


def test_notices_are_taken_in_and_bad_ones_stop_nobody(kafka: str, tmp_path: Path) -> None:
    topic = create_topic(kafka)
    notices = sorted((DATA / "messengers" / "gcn_notices").glob("*.json"))
    producer = Producer({"bootstrap.servers": kafka})
    changed = json.dumps({"mission": "X", "id": "1", "ra": {"new": "schema"}, "dec": 3})
    for content in [b"\x00nonsense", b"", changed.encode(), *(path.read_bytes() for path in notices)]:
        producer.produce(topic, content)
    producer.flush()

    def follower(group: str) -> NoticeFollower:
        configuration = {"bootstrap.servers": kafka, "group.id": group, "auto.offset.reset": "earliest"}
        return NoticeFollower(tmp_path, configuration, [topic])

    first = follower("one")
    first.follow(until(lambda: first.refused >= 3 and read_stored(tmp_path).num_rows >= 19))
    events, versions = read_stored(tmp_path), read_versions(tmp_path)
    assert first.refused == 3
    assert {"IceCube", "KM3NeT", "Fermi GBM", "Einstein Probe"} <= set(events["origin"].to_pylist())
    assert set(events["role"].to_pylist()) == {"observation"}
    # All of it again, by another group: nothing changes.
    second = follower("two")
    second.follow(until(lambda: second.refused >= 3))
    assert second.taken == 0
    assert read_stored(tmp_path).equals(events)
    assert read_versions(tmp_path).equals(versions)
    # And the first goes on where it was.
    producer.produce(topic, json.dumps({"mission": "X", "id": "2", "ra": 1.0, "dec": 3}).encode())
    producer.flush()
    third = follower("one")
    third.follow(until(lambda: third.taken >= 1))
    assert (third.taken, third.refused) == (1, 0)
