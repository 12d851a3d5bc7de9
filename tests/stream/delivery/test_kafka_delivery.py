"""Hits through a real Kafka: what a consumer finds in the topic, and what the account says."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import fastavro
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from hits import FIRST_OBJECT, hit_rows, wait_for, write_hits
from lasair_broker.archive import Archive
from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import Deliveries


def read_topic(bootstrap: str, topic: str, count: int, seconds: float = 20.0) -> list[Message]:
    """The first messages of a topic."""
    import time

    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[Message] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found


def read_whole_topic(bootstrap: str, topic: str) -> list[Message]:
    """All messages that a topic has now, however long that takes."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.partition.eof": True}
    )
    known = consumer.list_topics(topic, timeout=60).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in known])
    found: list[Message] = []
    ended: set[int | None] = set()
    while len(ended) < len(known):
        message = consumer.poll(60)
        assert message is not None, f"{topic} is not read to its end"
        fault = message.error()
        if fault is None:
            found.append(message)
        elif fault.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
    consumer.close()
    return found


@pytest.fixture
def settings(kafka: str) -> DeliverySettings:
    return DeliverySettings(bootstrap=kafka)


@pytest.fixture
def delivering(archive: Archive, settings: DeliverySettings, user_database: Any) -> Iterator[Deliveries]:
    from lasair_broker.web.delivery.senders import deliveries

    with deliveries(archive, settings) as service:
        yield service


def add_output(found: Any, kind: str, **values: Any) -> Any:
    from lasair_broker.web.filters import outputs

    return outputs.add(found.owner, found.pk, kind, **values)


def name() -> str:
    return f"f{uuid.uuid4().hex[:10]}"


def test_hits_arrive_once_in_order_and_are_marked(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, delivering: Deliveries
) -> None:
    found = made_filter(name())
    add_output(found, "kafka")
    ids = write_hits(archive, found.pk, range(3)) + write_hits(archive, found.pk, range(3, 2500))
    delivering.notify()
    messages = read_topic(kafka, found.topic, 2500)
    assert sorted(dict(m.headers())["hitId"].decode() for m in messages) == sorted(ids)
    assert {dict(m.headers())["hitId"].decode() for m in messages[:3]} == set(ids[:3])
    first = {int(m.key()): json.loads(m.value()) for m in messages}
    for number in (0, 1, 2499):
        row = first[FIRST_OBJECT + number]
        assert list(row) == ["diaObjectId", "ra", "decl", "nDiaSources", "objectName", "UTC"]
        assert row["diaObjectId"] == FIRST_OBJECT + number
        assert (row["ra"], row["decl"], row["objectName"]) == (number / 7, None, "ñ")
        assert len(row["UTC"]) == len("2026-01-29 11:40:14")
    marked = 'SELECT count(*) FROM filter_hits WHERE "deliveredMjdTai" IS NOT NULL'
    wait_for(lambda: archive.query(marked).column(0)[0].as_py() == 2500)
    times = archive.query(
        'SELECT min("deliveredMjdTai" - "committedMjdTai"), max("deliveryAttempts"), count("deliveryError")'
        " FROM filter_hits"
    ).to_pylist()[0]
    least, attempts, errors = times.values()
    assert (least > 0, attempts, errors) == (True, 1, 0)
    state = found.outputs.get().state
    wait_for(lambda: state.refresh_from_db() or state.lease_until is None)
    assert sum(found.outputs.get().deliveries.values_list("hits", flat=True)) == 2500


def test_what_came_before_the_output_is_not_sent_unless_asked_for(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, delivering: Deliveries
) -> None:
    from lasair_broker.web.delivery import again as wishes

    found = made_filter(name())
    old = write_hits(archive, found.pk, range(5))
    add_output(found, "kafka")
    new = write_hits(archive, found.pk, range(5, 7))
    messages = read_topic(kafka, found.topic, 2)
    assert {dict(m.headers())["hitId"].decode() for m in messages} == set(new)
    (request,) = wishes.ask(found.owner, found.pk, wishes.span_of(0.0, 1e6))
    wait_for(lambda: request.refresh_from_db() or request.done is not None)
    assert request.hits == 7
    again = read_topic(kafka, found.topic, 9)
    assert {dict(m.headers())["hitId"].decode() for m in again} == set(old + new)
    assert len(again) == 9


def test_several_filters_each_have_their_topic(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, delivering: Deliveries
) -> None:
    filters = [made_filter(name()) for _ in range(12)]
    for found in filters:
        add_output(found, "kafka")
    ids = {found.topic: write_hits(archive, found.pk, range(4)) for found in filters}
    for topic, expected in ids.items():
        assert {dict(m.headers())["hitId"].decode() for m in read_topic(kafka, topic, 4)} == set(expected)


def test_avro_says_its_own_schema(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, delivering: Deliveries
) -> None:
    found = made_filter(name())
    add_output(found, "kafka", format="avro")
    (hit,) = write_hits(archive, found.pk, [3])
    (message,) = read_topic(kafka, found.topic, 1)
    reader = fastavro.reader(io.BytesIO(message.value()))
    (record,) = list(reader)
    assert record.pop("UTC")
    assert record == {
        "hitId": hit,
        "diaObjectId": FIRST_OBJECT + 3,
        "ra": 3 / 7,
        "decl": None,
        "nDiaSources": 3,
        "objectName": "ñ",
    }
    types = {field["name"]: field["type"] for field in reader.writer_schema["fields"]}
    assert (types["ra"], types["diaObjectId"]) == (["null", "double"], ["null", "long"])
    (published,) = read_topic(kafka, f"{found.topic}.schema", 1)
    assert published.key() == b"1"
    said = json.loads(published.value())
    assert said["format"] == "avro"
    assert fastavro.parse_schema(said["schema"])["name"] == reader.writer_schema["name"]


def test_a_message_kafka_never_takes_is_a_dead_letter_and_the_others_go_on(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, delivering: Deliveries
) -> None:
    found = made_filter(name())
    output = add_output(found, "kafka")
    contents = ['{"diaObjectId": 1}', json.dumps({"text": "x" * 20_000_000}), '{"diaObjectId": 3}']
    rows = hit_rows(found.pk, range(3), contents)
    archive.write([], tables={"filter_hits": rows})
    messages = read_topic(kafka, found.topic, 2)
    assert [json.loads(m.value())["diaObjectId"] for m in messages] == [1, 3]
    wait_for(output.dead_letters.exists)
    (dead,) = output.dead_letters.all()
    assert dead.hit == rows.column("hitId")[1].as_py()
    assert "large" in dead.message.lower()


def test_no_kafka_is_a_failure_told_in_the_log_and_mended_later(
    made_filter: Callable[..., Any], archive: Archive, kafka: str
) -> None:
    from lasair_broker.web.delivery.senders import deliveries

    found = made_filter(name())
    output = add_output(found, "kafka")
    ids = write_hits(archive, found.pk, range(3))
    with deliveries(archive, DeliverySettings()):
        wait_for(output.deliveries.exists)
    failure = output.deliveries.get()
    assert failure.result == "failed"
    assert "delivery.bootstrap" in failure.message
    type(output.state).objects.update(next_attempt=None)
    with deliveries(archive, DeliverySettings(bootstrap=kafka)):
        found_ids = {dict(m.headers())["hitId"].decode() for m in read_topic(kafka, found.topic, 3)}
    assert found_ids == set(ids)
    rows = archive.query('SELECT "deliveryAttempts", "deliveryError" FROM filter_hits').to_pylist()
    assert [tuple(row.values()) for row in rows] == [(2, None)] * 3


def test_two_services_share_the_outputs(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, settings: DeliverySettings
) -> None:
    from lasair_broker.web.delivery.senders import deliveries

    filters = [made_filter(name()) for _ in range(8)]
    for found in filters:
        add_output(found, "kafka")
    with deliveries(archive, settings) as one, deliveries(archive, settings) as other:
        for part in range(5):
            for found in filters:
                write_hits(archive, found.pk, range(10 * part, 10 * part + 10))
            one.notify()
            other.notify()
        messages = {found.topic: read_topic(kafka, found.topic, 50) for found in filters}
    # Nobody was killed, so there is no repeat either.
    for topic in messages:
        ids = [dict(m.headers())["hitId"] for m in read_whole_topic(kafka, topic)]
        assert len(ids) == len(set(ids)) == 50
