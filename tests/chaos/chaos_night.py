"""The night that is sent: simulated alerts, bad messages among them, and schemas that change in mid-stream.

The same parameters give the same messages at the same places of the topic. No two alerts of one object are
ever in a worker's hands at once: before the second is sent all before it are stored. What filters see of an
object does then not depend on how alerts were gathered into batches, which a disturbance changes.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from confluent_kafka import Producer

from lasair_broker.packets import Messages, SchemaStore, decode
from lasair_broker.packets.simulator import Simulation

__all__ = ["PARTITIONS", "Night", "Sender"]

PARTITIONS = 4
_NEW_SCHEMA = 1199
"""A version that nobody has heard of, with a field that nobody knows."""

_FRAME = 5
_HURRY = 500.0
_GARBAGE = (
    b"",
    b"garbage",
    b"\x00\x00\x00\x04L",
    b"\x00\x00\x98\x96\x7fa schema that is nowhere",
    b"\x00" * 40,
)


@dataclass(frozen=True)
class Night:
    """A simulated night of `alerts` alerts, of which a field's visit has `per_visit`.

    The first third is in schema 11.0, the second in 11.1, the last in one with a new field. One message in
    `garbage` is none.
    """

    alerts: int
    per_visit: float
    seed: int = 1
    cutouts: str = "image"
    garbage: int = 400

    def write_schema(self, folder: Path) -> None:
        """Put the schema that packages do not have where a site keeps such."""
        folder.mkdir(parents=True, exist_ok=True)
        schema = json.loads(json.dumps(SchemaStore().lsst("11.1")))
        extra = {"name": "ofTheFuture", "type": ["null", "double"], "default": None}
        schema["fields"].append(extra)
        (folder / f"{_NEW_SCHEMA}.avsc").write_text(json.dumps(schema))

    def rounds(self) -> Iterator[tuple[bool, list[bytes], list[int]]]:
        """Messages and their partitions, in order; with whether all before these must be stored first."""
        store = SchemaStore()
        third = self.alerts // 3
        seen: set[int] = set()
        count = 0
        for start, end, version, newest in (
            (0, third, "11.0", False),
            (third, 2 * third, "11.1", False),
            (2 * third, self.alerts, "11.1", True),
        ):
            night = Simulation.night(
                end, self.seed, alerts_per_visit=self.per_visit, cutouts=self.cutouts,
                num_fields=self._fields(), num_nights=1, schema_version=version,
            )  # fmt: skip
            for messages in night.alerts(start):
                keys = _keys(messages, store)
                objects = set(keys)
                values = [bytes(value) for value in messages.values]
                if newest:
                    values = [_of_the_future(value) for value in values]
                partitions = [key % PARTITIONS for key in keys]
                for place in range(len(values) - 1, -1, -1):
                    if (count + place) % self.garbage == self.garbage // 2:
                        kind = (count + place) // self.garbage
                        values.insert(place, _GARBAGE[kind % len(_GARBAGE)])
                        partitions.insert(place, kind % PARTITIONS)
                count += len(keys)
                again = bool(objects & seen)
                seen = objects if again else seen | objects
                yield again, values, partitions

    def _fields(self) -> int:
        return int(np.ceil(2.0 * self.alerts / self.per_visit / 2.0)) + 1


class Sender(threading.Thread):
    """Sends a night to a topic, at `rate` alerts a second on average.

    Parameters
    ----------
    stored
        What the archive has, by partition; asked until everything is stored. May fail for a while.
    """

    def __init__(
        self, bootstrap: str, topic: str, night: Night, rate: float, stored: Callable[[], dict[int, int]]
    ) -> None:
        super().__init__(name="sender", daemon=True)
        self._topic, self._night, self._rate, self._stored = topic, night, rate, stored
        # Kafka is restarted under it, and every message must keep its place in the topic.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.timeout.ms": 1_200_000,
                "queue.buffering.max.kbytes": 262_144,
                "log_level": 0,
            }
        )
        self.sent = 0
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self._error: BaseException | None = None
        self._failures: list[str] = []

    @property
    def done(self) -> bool:
        """Whether everything is sent and stored; what went wrong is raised."""
        if self._error is not None:
            raise self._error
        return not self.is_alive()

    def hurry(self) -> None:
        """Send the rest as fast as it can be stored."""
        self._rate = _HURRY

    def run(self) -> None:
        """Send everything, and wait until it is stored."""
        try:
            self._send_all()
        except BaseException as error:
            self._error = error

    def _send_all(self) -> None:
        due = time.monotonic()
        for again, values, partitions in self._night.rounds():
            if again:
                self._wait_until_stored()
                due = time.monotonic()
            for value, partition in zip(values, partitions, strict=True):
                self._send(value, partition)
                due += 1.0 / self._rate
                if (ahead := due - time.monotonic()) > 0.02:
                    time.sleep(ahead)
        self._wait_until_stored()

    def _wait_until_stored(self) -> None:
        while self._producer.flush(1.0):
            self._check()
        self._check()
        while self._stored() != self.ends:
            time.sleep(0.1)

    def _send(self, value: bytes, partition: int) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, partition=partition, on_delivery=self._delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)
        self.sent += 1

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failures.append(str(error))
            return
        partition, offset = message.partition(), message.offset()
        self.ends[partition] = max(self.ends[partition], offset + 1)

    def _check(self) -> None:
        assert not self._failures, f"Kafka refused: {self._failures[0]}"


def _keys(messages: Messages, store: SchemaStore) -> list[int]:
    """What each alert is about: its object, or the body of the solar system, or else its detection."""
    batches, rejected = decode(messages, store)
    assert not rejected.num_rows
    keys = np.zeros(len(messages), np.int64)
    first = int(messages.offset[0])
    for batch in batches:
        alerts = batch.alerts
        about = pc.coalesce(
            alerts.column("diaObjectId"), alerts.column("ssObjectId"), alerts.column("diaSourceId")
        )
        keys[alerts.column("offset").to_numpy() - first] = about.to_numpy()
    return [int(key) for key in keys]


def _of_the_future(value: bytes) -> bytes:
    """The same alert as a writer with one more field would send it."""
    return b"\x00" + struct.pack(">I", _NEW_SCHEMA) + value[_FRAME:] + b"\x02" + struct.pack("<d", 42.0)
