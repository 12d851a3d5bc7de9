"""Private topics on a real Kafka with SASL/SCRAM and ACLs: read by whom they are for, and by nobody else."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError
from kafka_broker import ADMIN_USERNAME, PASSWORD, KafkaBroker

from hits import wait_for, write_hits
from lasair_broker.archive import Archive
from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import DeliveryError, KafkaAccess


@pytest.fixture(scope="module")
def guarded() -> Iterator[KafkaBroker]:
    with KafkaBroker(acls=True) as broker:
        yield broker


@pytest.fixture
def settings(guarded: KafkaBroker) -> DeliverySettings:
    return DeliverySettings(
        bootstrap=guarded.admin_bootstrap, username=ADMIN_USERNAME, password=PASSWORD, mechanism="PLAIN"
    )


def read(bootstrap: str, topic: str, count: int, group: str, login: tuple[str, str] | None = None) -> Any:
    """The values of a topic's first messages; or the code of the error that kept us from reading."""
    config = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    if login is not None:
        config |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
        config |= {"sasl.username": login[0], "sasl.password": login[1]}
    consumer = Consumer(config)
    consumer.subscribe([topic])
    values: list[Any] = []
    deadline = time.monotonic() + 20
    try:
        while len(values) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error() is not None:
                if message.error().code() in (
                    KafkaError.TOPIC_AUTHORIZATION_FAILED,
                    KafkaError.GROUP_AUTHORIZATION_FAILED,
                    KafkaError.UNKNOWN_TOPIC_OR_PART,
                ):
                    return message.error().code()
                continue
            values.append(json.loads(message.value()))
    finally:
        consumer.close()
    return values


def test_each_topic_is_read_by_those_it_is_for(
    made_filter: Callable[..., Any],
    archive: Archive,
    guarded: KafkaBroker,
    settings: DeliverySettings,
) -> None:
    from lasair_broker.web.accounts.services import create_collaboration
    from lasair_broker.web.delivery import services
    from lasair_broker.web.delivery.senders import deliveries
    from lasair_broker.web.delivery.topics import topic_of
    from lasair_broker.web.filters import outputs

    part = uuid.uuid4().hex[:8]
    public, private = made_filter(f"open{part}"), made_filter(f"mine{part}", "private")
    ann = public.owner
    group = create_collaboration(ann, f"SOXS {part}")
    shared = made_filter(f"ours{part}", "group", group)
    access = KafkaAccess(settings)
    ours = services.new_kafka_password(ann, access, group.slug)
    mine = services.new_kafka_password(ann, access)
    access.let_everybody_in()
    for found in (public, private, shared):
        outputs.add(ann, found.pk, "kafka")
        write_hits(archive, found.pk, range(3))
    topics = {found: topic_of(found) for found in (public, private, shared)}
    with deliveries(archive, settings):
        from lasair_broker.web.delivery.models import Delivery

        wait_for(lambda: Delivery.objects.filter(result="delivered").count() == 3)
        scram, plain = guarded.scram_bootstrap, guarded.bootstrap
        assert len(read(scram, topics[shared], 3, f"{ours[0]}.a", ours)) == 3
        assert len(read(scram, topics[private], 3, f"{mine[0]}.a", mine)) == 3
        assert len(read(plain, topics[public], 3, "anything")) == 3
        (schema,) = read(scram, f"{topics[shared]}.schema", 1, f"{ours[0]}.b", ours)
        assert schema["format"] == "json"
        assert "nDiaSources" in schema["schema"]["properties"]
        # Nobody else reads what is not public, and nobody takes part in a login's groups.
        denied = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART)
        assert read(plain, topics[shared], 1, "anything") in denied
        assert read(scram, topics[private], 1, f"{ours[0]}.c", ours) in denied
        assert read(scram, topics[shared], 1, f"{mine[0]}.c", mine) in denied
        joined = read(plain, topics[public], 1, f"{ours[0]}.a")
        assert joined == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_new_password_ends_the_old(settings: DeliverySettings, guarded: KafkaBroker) -> None:
    access = KafkaAccess(settings)
    name = f"group{uuid.uuid4().hex[:8]}"
    access.set_password(name, "first-password")
    access.set_password(name, "second-password")
    access.remove(name)
    with pytest.raises(DeliveryError, match=name):
        access.remove(name)
    with pytest.raises(DeliveryError, match=r"delivery\.bootstrap"):
        KafkaAccess(DeliverySettings())
