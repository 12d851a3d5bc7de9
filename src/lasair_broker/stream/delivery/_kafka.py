"""Hits to a Kafka topic for each filter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from lasair_broker.query import Query
from lasair_broker.settings import DeliverySettings

from ._avro import avro_schema, avro_value
from ._json_schema import json_schema
from ._outputs import Output
from ._parcel import Parcel
from ._sender import DeliveryError
from ._topics import Topics

__all__ = ["KafkaSender"]

_log = structlog.get_logger(__name__)

_NEVER = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
"""What no later attempt would mend."""


class KafkaSender:
    """Produces hits to their filter's topic, keyed by diaObjectId, and waits until all brokers have them.

    Each message has the headers `hitId`, `filterVersion` and `content-type`; see docs/streams.md. One
    idempotent producer serves all outputs.

    Parameters
    ----------
    settings
        Where the Kafka is, and how topics are made.
    query
        Gives the query of a version of a filter, for the types of its columns.
    """

    most = 2000
    pause = 0.0

    def __init__(self, settings: DeliverySettings, query: Callable[[int, int], Query | None]) -> None:
        self._settings = settings
        self._query = query
        self._lock = threading.Lock()
        self._producer: Producer | None = None
        self._topics: Topics | None = None
        self._schemas: dict[tuple[object, ...], dict[str, Any]] = {}

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        deadline = time.monotonic() + seconds
        producer, topics = self._connected()
        topics.make(output.topic, output.readers)
        if output.avro or output.readers is not None:
            self._publish_schemas(producer, topics, output, parcel, deadline)
        values = self._avro(output, parcel) if output.avro else parcel.messages()
        kind = b"avro/binary" if output.avro else b"application/json"
        headers = [
            {"hitId": hit.encode(), "filterVersion": str(version).encode(), "content-type": kind}
            for hit, version in zip(parcel.ids, parcel.versions, strict=True)
        ]
        keys = [str(number).encode() for number in parcel.diaObjectIds]
        return self._produce(producer, output.topic, parcel.ids, keys, values, headers, deadline)

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        producer, topics = self._connected()
        topics.make(output.topic, output.readers)
        data = {"filterId": output.filter_id, "heldBack": held_back, "hourlyLimit": output.hourly_limit}
        header = {"lasair-event": b"summary", "content-type": b"application/json"}
        value = orjson.dumps({"summary": data})
        deadline = time.monotonic() + seconds
        self._produce(producer, output.topic, ["summary"], [b"summary"], [value], [header], deadline)

    def test(self, output: Output, seconds: float) -> str:
        _, topics = self._connected()
        topics.make(output.topic, output.readers)
        return f"the topic {output.topic} is there; consumers would not expect a test message in it"

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(10)

    def _connected(self) -> tuple[Producer, Topics]:
        if not self._settings.bootstrap:
            raise DeliveryError("this installation has no Kafka for hits (setting delivery.bootstrap)")
        with self._lock:
            if self._producer is None:
                config = {
                    "linger.ms": 5,
                    "compression.type": "zstd",
                    "message.timeout.ms": round(1000 * self._settings.budget),
                    **self._settings.librdkafka(),
                    "enable.idempotence": True,
                    "error_cb": lambda error: _log.debug("delivery's Kafka", error=str(error)),
                }
                self._producer = Producer(config)
                self._topics = Topics(self._settings)
            if self._topics is None:
                raise AssertionError("made together with the producer")
            return self._producer, self._topics

    def _renew(self) -> None:
        """Let the next attempt make a new producer: this one has lost its place in the sequence."""
        with self._lock:
            self._producer = None

    def _produce(
        self,
        producer: Producer,
        topic: str,
        ids: Sequence[str],
        keys: Sequence[bytes],
        values: Sequence[bytes],
        headers: Sequence[Mapping[str, bytes]],
        deadline: float,
    ) -> dict[str, str]:
        """Send messages and wait for every one's fate; those that can never be sent, with the reason."""
        waiting = len(ids)
        refused: dict[str, str] = {}
        failed: list[KafkaError] = []
        lock = threading.Lock()
        everything = threading.Event()

        def told(error: KafkaError | None, hit: str) -> None:
            nonlocal waiting
            if error is not None and error.code() in _NEVER:
                refused[hit] = error.str()
            elif error is not None:
                failed.append(error)
            waiting -= 1
            if waiting == 0:
                everything.set()

        for hit, key, value, header in zip(ids, keys, values, headers, strict=True):

            def on_delivery(error: KafkaError | None, message: Message, hit: str = hit) -> None:
                with lock:
                    told(error, hit)

            while True:
                try:
                    producer.produce(topic, value, key, headers=list(header.items()), on_delivery=on_delivery)
                    break
                except BufferError:
                    if time.monotonic() > deadline:
                        raise DeliveryError("Kafka does not take messages as fast as they come") from None
                    producer.poll(0.1)
                except KafkaException as error:
                    fault = error.args[0]
                    if fault.code() not in _NEVER:
                        self._renew()
                        raise DeliveryError(f"Kafka: {fault.str()}") from None
                    with lock:
                        told(fault, hit)
                    break
        while not everything.is_set() and time.monotonic() < deadline:
            producer.poll(0.05)
        if not everything.is_set():
            raise DeliveryError(f"Kafka did not confirm {waiting} of {len(ids)} messages in time")
        if failed:
            if any(error.fatal() for error in failed):
                self._renew()
            raise DeliveryError(f"Kafka: {failed[0].str()}")
        return refused

    def _publish_schemas(
        self, producer: Producer, topics: Topics, output: Output, parcel: Parcel, deadline: float
    ) -> None:
        """Put the schema of each version in the parcel beside the topic, unless that has been done."""
        newest = dict(zip(parcel.versions, parcel.contents, strict=True))
        for version, content in newest.items():
            columns = tuple(orjson.loads(content))
            if self._known(output, version, columns) in self._schemas:
                continue
            topic = f"{output.topic}.schema"
            topics.make(topic, output.readers, compacted=True)
            schema = self._schema(output, version, columns)
            key, headers = str(version).encode(), {"content-type": b"application/json"}
            value = orjson.dumps({"format": "avro" if output.avro else "json", "schema": schema})
            try:
                self._produce(producer, topic, ["schema"], [key], [value], [headers], deadline)
            except DeliveryError:
                del self._schemas[self._known(output, version, columns)]
                raise

    def _schema(self, output: Output, version: int, columns: tuple[str, ...]) -> dict[str, Any]:
        """The schema of a version's hits, made once, so that it stays the same whatever becomes of lists."""
        key = self._known(output, version, columns)
        if key not in self._schemas:
            make = avro_schema if output.avro else json_schema
            self._schemas[key] = make(output, version, self._query(output.filter_id, version), columns)
        return self._schemas[key]

    def _known(self, output: Output, version: int, columns: tuple[str, ...]) -> tuple[object, ...]:
        return output.topic, output.readers, output.avro, output.light_curve, version, columns

    def _avro(self, output: Output, parcel: Parcel) -> list[bytes]:
        alerts: Sequence[bytes | None] = parcel.alerts or [None] * len(parcel)
        return [
            avro_value(self._schema(output, version, tuple(content)), hit, utc, content, alert)
            for hit, utc, version, content, alert in zip(
                parcel.ids, parcel.utc, parcel.versions, parcel.values(), alerts, strict=True
            )
        ]
