"""KafkaSource against a real Kafka reads from where it is told, whatever happens to brokers and groups."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import PASSWORD, USERNAME, KafkaBroker, create_topic, group_offsets, produce
from structlog.testing import capture_logs

from lasair_broker.settings import KafkaSettings, StreamSettings
from lasair_broker.stream import KafkaSource, SourceError, Taken

FAST = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
Stored = dict[tuple[str, int], int]


def _settings(bootstrap: str, topic: str, /, **more: object) -> KafkaSettings:
    values = {"bootstrap": bootstrap, "topics": (topic,), "group": f"group-{topic}", "options": FAST}
    return KafkaSettings.model_validate({**values, **more})


@contextmanager
def _source(
    kafka: KafkaSettings, stored: Stored | None = None, *, until_end: bool = True, **stream: object
) -> Iterator[KafkaSource]:
    source = KafkaSource(kafka, StreamSettings.model_validate(stream), until_end=until_end)
    try:
        source.open(lambda: dict(stored or {}))
        yield source
    finally:
        source.close()


def _read_all(source: KafkaSource, after: Callable[[Taken], None] = lambda taken: None) -> list[Taken]:
    taken = []
    while (some := source.read(threading.Event())) is not None:
        taken.append(some)
        after(some)
        source.committed(some)
    return taken


def _places(taken: list[Taken]) -> list[tuple[str, int, int, bytes]]:
    return [
        (t.messages.topics[topic], int(partition), int(offset), value)
        for t in taken
        for topic, partition, offset, value in zip(
            t.messages.topic, t.messages.partition, t.messages.offset, t.messages.values, strict=True
        )
    ]


def _values(count: int, start: int = 0) -> list[bytes]:
    return [f"message {i}".encode() for i in range(start, start + count)]


def test_everything_is_read_in_order_and_the_group_offsets_show_it(kafka: str) -> None:
    topic = create_topic(kafka, partitions=3)
    values, partitions = _values(100), [i % 3 for i in range(100)]
    sent = produce(kafka, topic, values, partitions)
    with _source(_settings(kafka, topic), batch_alerts=7) as source:
        taken = _read_all(source)
    expected = {(topic, p, o, v) for (p, o), v in zip(sent, values, strict=True)}
    found = _places(taken)
    assert set(found) == expected
    assert len(found) == len(expected)
    for partition in range(3):
        offsets = [offset for _, p, offset, _ in found if p == partition]
        assert offsets == sorted(offsets)
    assert max(len(t.messages) for t in taken) <= 7
    last: Stored = {}
    for t in taken:
        last.update(t.positions)
    assert last == {(topic, 0): 34, (topic, 1): 33, (topic, 2): 33}
    assert group_offsets(kafka, f"group-{topic}", topic, 3) == {0: 34, 1: 33, 2: 33}
    arrived = np.concatenate([t.messages.arrivedMjdTai for t in taken])
    assert (np.diff(arrived) >= 0).all()
    assert abs(arrived[-1] - (40587 + (time.time() + 37) / 86400)) < 60 / 86400


def test_the_archives_position_counts_not_the_groups(kafka: str) -> None:
    topic = create_topic(kafka, partitions=2)
    produce(kafka, topic, _values(20), [i % 2 for i in range(20)])
    with _source(_settings(kafka, topic)) as source:
        assert sum(len(t.messages) for t in _read_all(source)) == 20
    with _source(_settings(kafka, topic), {(topic, 0): 4, (topic, 1): 10}) as source:
        found = _places(_read_all(source))
    assert [(p, o) for _, p, o, _ in found] == [(0, o) for o in range(4, 10)]


def test_batches_end_at_a_number_of_bytes(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, [bytes(1000)] * 3000)
    with _source(_settings(kafka, topic), batch_bytes=100_000, batch_alerts=10_000) as source:
        taken = _read_all(source)
    assert sum(len(t.messages) for t in taken) == 3000
    # One fetch from librdkafka, of at most 500 messages, may come on top.
    assert max(sum(map(len, t.messages.values)) for t in taken) <= 600_000


def test_a_lone_alert_waits_no_longer_than_it_may(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, [b"only one"])
    with _source(_settings(kafka, topic), until_end=False, batch_wait=0.3) as source:
        stop = threading.Event()
        guard = threading.Timer(30, stop.set)
        guard.start()
        assert source.read(stop) is not None
        guard.cancel()


def test_reading_stops_when_told(kafka: str) -> None:
    topic = create_topic(kafka)
    with _source(_settings(kafka, topic), until_end=False) as source:
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        assert source.read(stop) is None


def test_starting_at_the_end(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, _values(5))
    with _source(_settings(kafka, topic, start="end"), until_end=False, batch_wait=0.2) as source:
        stop = threading.Event()
        threading.Timer(3, lambda: produce(kafka, topic, [b"new"])).start()
        taken = source.read(stop)
    assert taken is not None
    assert taken.messages.values == [b"new"]


def test_topics_by_pattern(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, _values(3))
    with _source(_settings(kafka, topic, topics=(f"^{topic[:-3]}.*",))) as source:
        assert len(_places(_read_all(source))) == 3


def test_an_unknown_topic_is_an_error_with_a_suggestion(kafka: str) -> None:
    topic = create_topic(kafka)
    with (
        pytest.raises(SourceError, match=f"has no topic '{topic}x'.*{topic}"),
        _source(_settings(kafka, topic + "x")),
    ):
        pass


def test_a_broker_that_never_answers_is_an_error() -> None:
    settings = _settings("127.0.0.1:1", "any", connect_wait=1.5)
    with pytest.raises(SourceError, match=r"no Kafka answers at 127.0.0.1:1 for 1.5 s"), _source(settings):
        pass


@pytest.mark.parametrize("missing", ["bootstrap", "topics"])
def test_what_is_not_set_is_named(missing: str) -> None:
    values = {"bootstrap": "x:1", "topics": ("t",)}
    del values[missing]
    with pytest.raises(SourceError, match=f"kafka.{missing} is not set"):
        KafkaSource(KafkaSettings.model_validate(values), StreamSettings())


def test_a_position_kafka_no_longer_has(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, _values(10))
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.delete_records([TopicPartition(topic, 0, 6)]).values():
        done.result(30)
    with capture_logs() as log, _source(_settings(kafka, topic), {(topic, 0): 2}) as source:
        taken = _read_all(source)
    assert [o for _, _, o, _ in _places(taken)] == [6, 7, 8, 9]
    assert not any(some.rewound for some in taken)
    told = [line for line in log if "no longer" in line["event"]]
    assert told
    assert (told[0]["lost"], told[0]["first"], told[0]["log_level"]) == (4, 6, "error")


def test_a_topic_made_anew_is_read_from_its_beginning(kafka: str) -> None:
    topic = create_topic(kafka)
    produce(kafka, topic, _values(3))
    with _source(_settings(kafka, topic), {(topic, 0): 1000}, batch_alerts=2) as source:
        taken = _read_all(source)
    assert [o for _, _, o, _ in _places(taken)] == [0, 1, 2]
    # Its position lies before the archive's; from then on it only grows.
    assert [list(some.rewound) for some in taken] == [[(topic, 0)], []]


def test_messages_without_a_value_are_empty(kafka: str) -> None:
    from confluent_kafka import Producer

    topic = create_topic(kafka)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, None, key=b"deleted")
    producer.flush(10)
    with _source(_settings(kafka, topic)) as source:
        assert [v for *_, v in _places(_read_all(source))] == [b""]


class _Member(threading.Thread):
    """Reads ahead while another thread stores what was read, slowly: as the pipeline does."""

    def __init__(
        self, settings: KafkaSettings, stored: Stored, read_by: dict[tuple[int, int], list[str]], name: str
    ):
        super().__init__(name=name, daemon=True)
        self.stop, self.has_stored = threading.Event(), threading.Event()
        self._settings, self._stored, self._read_by = settings, stored, read_by
        self._queue: queue.Queue[Taken | None] = queue.Queue(1)

    def run(self) -> None:
        source = KafkaSource(self._settings, StreamSettings(batch_alerts=20, batch_wait=0.05))
        source.open(lambda: dict(self._stored))
        writer = threading.Thread(target=self._store, args=(source,), daemon=True)
        writer.start()
        while (taken := source.read(self.stop)) is not None:
            self._queue.put(taken)
        self._queue.put(None)
        writer.join()
        source.close()

    def _store(self, source: KafkaSource) -> None:
        while (taken := self._queue.get()) is not None:
            time.sleep(0.03)
            assert source.held(taken) is None
            partitions, offsets = taken.messages.partition.tolist(), taken.messages.offset.tolist()
            for place in zip(partitions, offsets, strict=True):
                self._read_by.setdefault(place, []).append(self.name)
            self._stored.update(taken.positions)
            source.committed(taken)
            self.has_stored.set()


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_two_members_share_a_topic_and_read_each_message_once(kafka: str, strategy: str) -> None:
    topic = create_topic(kafka, partitions=4)
    count = 4000
    produce(kafka, topic, _values(count), [i % 4 for i in range(count)])
    settings = _settings(kafka, topic, options={**FAST, "partition.assignment.strategy": strategy})
    stored: Stored = {}
    read_by: dict[tuple[int, int], list[str]] = {}
    first, second = (_Member(settings, stored, read_by, name) for name in ("first", "second"))
    first.start()
    assert first.has_stored.wait(30)
    second.start()
    assert second.has_stored.wait(30), "the second member got its share"
    second.stop.set()
    second.join(30)
    deadline = time.monotonic() + 60
    while len(read_by) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    first.stop.set()
    first.join(30)
    assert len(read_by) == count
    assert [place for place, names in read_by.items() if len(names) > 1] == []
    assert {names[0] for names in read_by.values()} == {"first", "second"}


@pytest.mark.parametrize("silence", ["kill", "pause"])
def test_kafka_goes_away_and_comes_back(breakable_kafka: KafkaBroker, silence: str) -> None:
    broker = breakable_kafka
    topic = broker.create_topic()
    produce(broker.bootstrap, topic, _values(10))
    stop = threading.Event()
    settings = _settings(broker.bootstrap, topic, options={**FAST, "socket.timeout.ms": 2000})
    stored: Stored = {}
    limits = {"batch_wait": 0.1, "batch_alerts": 10}
    with capture_logs() as log, _source(settings, stored, until_end=False, **limits) as source:
        first = source.read(stop)
        assert first is not None
        stored.update(first.positions)
        source.committed(first)
        if silence == "kill":
            broker.kill()
            back: Callable[[], None] = broker.start
        else:
            broker.pause()
            back = broker.resume

        def come_back() -> None:
            back()
            produce(broker.bootstrap, topic, _values(10, start=10))

        returning = threading.Timer(6, come_back)
        returning.start()
        found = _places([first])
        while len(found) < 20:
            more = source.read(stop)
            assert more is not None
            found += _places([more])
            stored.update(more.positions)
            source.committed(more)
        returning.join()
    assert [v for *_, v in found] == _values(20)
    waiting = [line for line in log if line["event"] == "waiting"]
    assert 1 <= len(waiting) <= 6, "told, but not again and again"
    assert [line for line in log if line["event"] == "back"]


def test_passwords_and_tls(breakable_kafka: KafkaBroker) -> None:
    broker = breakable_kafka
    topic = broker.create_topic()
    produce(broker.bootstrap, topic, _values(4))
    login = {"username": USERNAME, "password": PASSWORD}
    for more in (
        {"bootstrap": broker.scram_bootstrap, **login},
        {"bootstrap": broker.tls_bootstrap, "tls": True, "ca_file": broker.ca_file, **login},
    ):
        with _source(_settings(broker.bootstrap, topic, **more)) as source:
            assert len(_places(_read_all(source))) == 4


def test_a_wrong_password_is_an_error_at_once(breakable_kafka: KafkaBroker) -> None:
    login = {"bootstrap": breakable_kafka.scram_bootstrap, "username": USERNAME, "password": "wrong"}
    settings = _settings(breakable_kafka.bootstrap, "any", **login, connect_wait=60)
    with pytest.raises(SourceError, match=r"[Aa]uthentication"), _source(settings):
        pass
