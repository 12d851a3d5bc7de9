"""The broker the other tests rely on keeps what it was given when it is killed, and it can be silenced."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import PASSWORD, USERNAME, KafkaBroker, create_topic, produce


def _read(config: dict[str, object], topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"group.id": "reader", "auto.offset.reset": "earliest", **config})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [m.value() for m in consumer.consume(count, timeout=30) if m.error() is None]
    finally:
        consumer.close()


def test_what_was_sent_is_there(kafka: str) -> None:
    topic = create_topic(kafka, partitions=2)
    places = produce(kafka, topic, [b"a", b"b", b"c"], [0, 1, 0])
    assert places == [(0, 0), (1, 0), (0, 1)]
    assert _read({"bootstrap.servers": kafka}, topic, 2) == [b"a", b"c"]


def test_a_killed_broker_comes_back_with_its_log(breakable_kafka: KafkaBroker) -> None:
    topic = breakable_kafka.create_topic()
    produce(breakable_kafka.bootstrap, topic, [b"kept"])
    breakable_kafka.kill()
    breakable_kafka.start()
    assert _read({"bootstrap.servers": breakable_kafka.bootstrap}, topic, 1) == [b"kept"]


def test_a_paused_broker_does_not_answer(breakable_kafka: KafkaBroker) -> None:
    breakable_kafka.pause()
    try:
        with pytest.raises(KafkaException):
            AdminClient({"bootstrap.servers": breakable_kafka.bootstrap}).list_topics(timeout=1)
    finally:
        breakable_kafka.resume()
    assert AdminClient({"bootstrap.servers": breakable_kafka.bootstrap}).list_topics(timeout=30).brokers


def test_passwords_and_tls(breakable_kafka: KafkaBroker) -> None:
    topic = breakable_kafka.create_topic()
    produce(breakable_kafka.bootstrap, topic, [b"secret"])
    login = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": USERNAME, "sasl.password": PASSWORD}
    plain = {"bootstrap.servers": breakable_kafka.scram_bootstrap, "security.protocol": "SASL_PLAINTEXT"}
    tls = {
        "bootstrap.servers": breakable_kafka.tls_bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(breakable_kafka.ca_file),
    }
    assert _read({**plain, **login}, topic, 1) == [b"secret"]
    assert _read({**tls, **login}, topic, 1) == [b"secret"]
