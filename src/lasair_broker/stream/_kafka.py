"""Alerts from Kafka, read on from where the archive stands."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from lasair_broker.packets import Messages, mjd_tai_now
from lasair_broker.settings import KafkaSettings, StreamSettings

from ._allocator import keep_freed_memory
from ._outage import Outage
from ._source import Partition, Positions, SourceError, Taken, positions_after

__all__ = ["KafkaSource"]

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.05
_POLL_MESSAGES = 500

_HOPELESS = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.FENCED_INSTANCE_ID,
}
"""Errors that waiting does not mend."""


class KafkaSource:
    """One member of a consumer group.

    A partition is read on from the archive's position, whatever the group's own offsets say; those are
    committed too, so that Kafka's tools show the lag. While Kafka is away the source waits, and says so in
    the log; librdkafka reconnects with growing pauses.

    Parameters
    ----------
    kafka
        Brokers, topics, group and any setting of librdkafka.
    stream
        How large a batch may get and how long it may wait.
    until_end
        Stop when every partition has been read to the end it has then, rather than wait for more.
    """

    def __init__(self, kafka: KafkaSettings, stream: StreamSettings, *, until_end: bool = False) -> None:
        if not kafka.bootstrap:
            raise SourceError("kafka.bootstrap is not set: where is the Kafka to read from?")
        if not kafka.topics:
            raise SourceError("kafka.topics is not set: which topics are to be read?")
        keep_freed_memory()
        self._kafka = kafka
        self._stream = stream
        self._until_end = until_end
        self._outage = Outage(f"Kafka at {kafka.bootstrap}")
        self._hopeless: str | None = None
        self._config = self._consumer_config()
        self._cooperative = (
            "cooperative" in str(self._config["partition.assignment.strategy"])
            or self._config.get("group.protocol") == "consumer"
        )
        self._consumer = Consumer(self._config)
        self._pending: list[tuple[Any, float]] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._expected: dict[Partition, int] = {}
        # What follows is read by other threads too, under the lock.
        self._changed = threading.Condition()
        self._claims: dict[Partition, int] = {}
        self._next_claim = 1
        self._under_way: dict[Partition, int] = {}
        self._positions: dict[Partition, int] = {}
        self._at_end: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._to_commit: dict[Partition, int] = {}
        self._abandoned = False
        self._stored: Callable[[], Positions] = dict

    def open(self, positions: Callable[[], Positions]) -> None:
        self._stored = positions
        self._check_topics()
        self._consumer.subscribe(
            list(self._kafka.topics),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def read(self, stop: threading.Event) -> Taken | None:
        stream = self._stream
        while not stop.is_set():
            self._commit_group_offsets()
            room = stream.batch_alerts - len(self._pending)
            self._take(self._consumer.consume(min(_POLL_MESSAGES, room), _POLL_SECONDS))
            if self._hopeless is not None:
                raise SourceError(self._hopeless)
            waited = time.monotonic() - self._pending_since if self._pending else 0.0
            if (
                len(self._pending) >= stream.batch_alerts
                or self._pending_bytes >= stream.batch_bytes
                or waited >= stream.batch_wait
            ):
                return self._hand_over()
            if self._until_end and self._ended():
                return self._hand_over() if self._pending else None
        return None

    def idle(self) -> None:
        # Hardly any messages, but the group's events: who does not poll for minutes loses his partitions.
        self._take(self._consumer.consume(1, 0))

    def held(self, taken: Taken) -> npt.NDArray[np.bool_] | None:
        with self._changed:
            lost = [p for p, claim in taken.claims.items() if self._claims.get(p) != claim]
        if not lost:
            return None
        messages = taken.messages
        keep = np.ones(len(messages), np.bool_)
        for topic, partition in lost:
            keep &= (messages.topic != messages.topics.index(topic)) | (messages.partition != partition)
        return keep

    def committed(self, taken: Taken) -> None:
        with self._changed:
            for partition in taken.claims:
                self._under_way[partition] -= 1
            ours = {p: o for p, o in taken.positions.items() if self._claims.get(p) == taken.claims.get(p)}
            self._positions.update(ours)
            self._to_commit.update(ours)
            self._changed.notify_all()

    def lag(self) -> Positions:
        with self._changed:
            return {
                partition: max(0, self._ends[partition] - position)
                for partition, position in self._positions.items()
                if partition in self._claims and partition in self._ends and position >= 0
            }

    def abandon(self) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def close(self) -> None:
        self.abandon()
        self._commit_group_offsets()
        self._consumer.close()

    def _consumer_config(self) -> dict[str, Any]:
        return {
            "client.id": "lasair",
            "partition.assignment.strategy": "cooperative-sticky",
            # Where Kafka no longer has the position: lose as little as can be (and `_check_beginning` tells).
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65536,
            "fetch.message.max.bytes": 4 * 1024**2,
            "fetch.max.bytes": 32 * 1024**2,
            "message.max.bytes": 32 * 1024**2,
            "fetch.wait.max.ms": 100,
            **self._kafka.librdkafka(),
            "group.id": self._kafka.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": self._until_end,
            "error_cb": self._error,
            "on_commit": _group_offsets_committed,
        }

    def _check_topics(self) -> None:
        """Wait until a broker answers, and see that the topics are there."""
        deadline = time.monotonic() + self._kafka.connect_wait
        while True:
            try:
                known = self._consumer.list_topics(timeout=min(5.0, self._kafka.connect_wait)).topics
                break
            except KafkaException as error:
                self._consumer.poll(0)  # serves the error callback
                if self._hopeless is not None:
                    raise SourceError(self._hopeless) from None
                reason = self._outage.reason or str(error.args[0].str())
                if time.monotonic() >= deadline:
                    wait = f"{self._kafka.connect_wait:g} s"
                    message = f"no Kafka answers at {self._kafka.bootstrap} for {wait}: {reason}"
                    raise SourceError(message) from None
                self._outage.failed(reason)
        self._outage.ended()
        for topic in self._kafka.topics:
            if topic.startswith("^"):
                continue
            if topic not in known:
                visible = sorted(name for name in known if not name.startswith("__"))
                near = difflib.get_close_matches(topic, visible, n=3) or visible[:10]
                there = f"; there are: {', '.join(near)}" if near else ""
                raise SourceError(f"Kafka at {self._kafka.bootstrap} has no topic {topic!r}{there}")
            if known[topic].error is not None:
                raise SourceError(f"topic {topic!r} cannot be read: {known[topic].error.str()}")

    def _error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in _HOPELESS:
            self._hopeless = f"Kafka at {self._kafka.bootstrap}: {error.str()}"
        else:
            self._outage.failed(error.str())

    def _take(self, got: Sequence[Any]) -> None:
        if not got:
            return
        good = [message for message in got if message.error() is None]
        if len(good) < len(got):
            for message in got:
                if message.error() is not None:
                    self._event(message)
        if not good:
            return
        if self._outage.ongoing:
            self._outage.ended()
        if self._expected:
            self._check_beginning(good)
        if not self._pending:
            self._pending_since = time.monotonic()
        arrived = mjd_tai_now()
        self._pending += [(message, arrived) for message in good]
        self._pending_bytes += sum(map(len, good))

    def _event(self, message: Any) -> None:
        """Something other than a message came out of a partition."""
        error = message.error()
        partition = (message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(partition)
        elif error.fatal() or error.code() in _HOPELESS:
            self._hopeless = f"Kafka at {self._kafka.bootstrap}: {error.str()}"
        else:
            self._outage.failed(error.str())

    def _check_beginning(self, messages: Sequence[Any]) -> None:
        """See that a new partition begins with the message asked for, and tell what is missing if not."""
        for message in messages:
            expected = self._expected.pop((message.topic(), message.partition()), None)
            if expected is None or message.offset() == expected:
                continue
            place = TopicPartition(message.topic(), message.partition())
            first, end = self._consumer.get_watermark_offsets(place, timeout=10)
            if first > expected or message.offset() < expected:
                _log.error(
                    "Kafka no longer has the position; reading all that it has",
                    topic=place.topic,
                    partition=place.partition,
                    position=expected,
                    first=first,
                    end=end,
                    lost=max(0, first - expected),
                )

    def _commit_group_offsets(self) -> None:
        """Let Kafka's tools see how far we are. Only the reading thread may: the client blocks others."""
        with self._changed:
            offsets = [TopicPartition(topic, n, offset) for (topic, n), offset in self._to_commit.items()]
            self._to_commit.clear()
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            # Only a display is behind: the archive has the position.
            _log.debug("group offsets not committed", reason=str(error))

    def _note_ends(self) -> None:
        """Note where the partitions end, as the last fetches told."""
        for topic, number in list(self._claims):
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
            if end >= 0:
                self._ends[topic, number] = end

    def _ended(self) -> bool:
        with self._changed:
            return bool(self._claims) and self._at_end >= set(self._claims)

    def _hand_over(self) -> Taken:
        self._note_ends()
        pending = self._pending
        self._pending, self._pending_bytes = [], 0
        topics = tuple(sorted({message.topic() for message, _ in pending}))
        place = {topic: index for index, topic in enumerate(topics)}
        count = len(pending)
        messages = Messages(
            [message.value() or b"" for message, _ in pending],
            topics,
            np.fromiter((place[message.topic()] for message, _ in pending), np.int32, count),
            np.fromiter((message.partition() for message, _ in pending), np.int32, count),
            np.fromiter((message.offset() for message, _ in pending), np.int64, count),
            np.fromiter((arrived for _, arrived in pending), np.float64, count),
        )
        positions = positions_after(messages)
        with self._changed:
            claims = {partition: self._claims[partition] for partition in positions}
            for partition in claims:
                self._under_way[partition] = self._under_way.get(partition, 0) + 1
            # Below what we were to begin with, or have stored ourselves: the topic was made anew.
            rewound = [p for p, position in positions.items() if position < self._positions[p]]
        return Taken(messages, positions, claims, rewound)

    def _assigned(self, consumer: Any, partitions: Sequence[Any]) -> None:
        stored = self._stored()
        fresh = OFFSET_BEGINNING if self._kafka.start == "beginning" else OFFSET_END
        with self._changed:
            for tp in partitions:
                partition = (tp.topic, tp.partition)
                tp.offset = stored.get(partition, fresh)
                self._positions[partition] = max(tp.offset, -1)
                self._claims[partition] = self._next_claim
                self._next_claim += 1
                self._at_end.discard(partition)
                if partition in stored:
                    self._expected[partition] = stored[partition]
        self._outage.ended()
        _log.info("partitions assigned", partitions=_named(partitions, with_offset=True))
        if self._cooperative:
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)

    def _revoked(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """Give partitions back when what was taken from them is safe; meanwhile the group waits for us."""
        gone = {(tp.topic, tp.partition) for tp in partitions}
        self._drop_pending(gone)
        limit = float(self._config.get("max.poll.interval.ms", 300_000)) / 2000
        with self._changed:
            self._changed.wait_for(
                lambda: self._abandoned or not any(self._under_way.get(p) for p in gone), timeout=limit
            )
        self._commit_group_offsets()
        with self._changed:
            self._forget(gone)
        _log.info("partitions given back", partitions=_named(partitions))
        if self._cooperative:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()

    def _lost(self, consumer: Any, partitions: Sequence[Any]) -> None:
        """The group gave our partitions to others without asking: what is under way will not be stored."""
        gone = {(tp.topic, tp.partition) for tp in partitions}
        self._drop_pending(gone)
        with self._changed:
            self._forget(gone)
        _log.warning("partitions lost", partitions=_named(partitions))
        if self._cooperative:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()

    def _forget(self, gone: set[Partition]) -> None:
        for partition in gone:
            self._claims.pop(partition, None)
            self._at_end.discard(partition)
            self._expected.pop(partition, None)

    def _drop_pending(self, gone: set[Partition]) -> None:
        self._pending = [
            (message, arrived)
            for message, arrived in self._pending
            if (message.topic(), message.partition()) not in gone
        ]
        self._pending_bytes = sum(len(message) for message, _ in self._pending)


def _group_offsets_committed(error: KafkaError | None, partitions: Sequence[Any]) -> None:
    if error is not None:
        _log.debug("group offsets not committed", reason=error.str())


def _named(partitions: Sequence[Any], *, with_offset: bool = False) -> list[str]:
    special: dict[int, Literal["beginning", "end"]] = {OFFSET_BEGINNING: "beginning", OFFSET_END: "end"}
    return [
        f"{tp.topic}[{tp.partition}]" + (f"@{special.get(tp.offset, tp.offset)}" if with_offset else "")
        for tp in partitions
    ]
