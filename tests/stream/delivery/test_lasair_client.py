"""The consumer of today's client, unmodified from PyPI, reads our topics."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import lasair

from hits import FIRST_OBJECT, write_hits
from lasair_broker.archive import Archive
from lasair_broker.settings import DeliverySettings


def test_lasair_consumer_reads_a_public_topic(
    made_filter: Callable[..., Any], archive: Archive, kafka: str
) -> None:
    from lasair_broker.web.delivery.senders import deliveries
    from lasair_broker.web.filters import outputs

    found = made_filter(f"client {uuid.uuid4().hex[:8]}")
    outputs.add(found.owner, found.pk, "kafka", light_curve="lite")
    ids = write_hits(archive, found.pk, range(20))
    with deliveries(archive, DeliverySettings(bootstrap=kafka)):
        consumer = lasair.lasair_consumer(kafka, f"test-{uuid.uuid4().hex}", found.topic)
        messages = []
        while len(messages) < 20:
            message = consumer.poll(timeout=20)
            assert message is not None, f"only {len(messages)} of 20 hits came"
            if not message.error():
                messages.append(message)
            # An error here is the topic that is not known yet: the client subscribes before it is made.
        consumer.close()
    assert found.topic.startswith("lasair_")
    rows = [json.loads(message.value()) for message in messages]
    assert {row["diaObjectId"] for row in rows} == {FIRST_OBJECT + n for n in range(20)}
    assert {dict(message.headers())["hitId"].decode() for message in messages} == set(ids)
    for row in rows:
        assert set(row) == {"diaObjectId", "ra", "decl", "nDiaSources", "objectName", "UTC", "alert"}
        assert row["alert"] == {"diaSourcesList": [], "diaForcedSourcesList": []}
