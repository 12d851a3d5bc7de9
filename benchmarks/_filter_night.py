"""A night of alerts in Kafka, filters that look for a few of them, and when each hit could be read."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer, Producer

from lasair_broker.packets import posix_micros_to_mjd_tai

__all__ = [
    "DAY_SECONDS",
    "Readings",
    "histogram",
    "make_filters",
    "mjd_tai",
    "send_bare",
    "send_paced",
    "tell",
]

DAY_SECONDS = 86_400.0


def mjd_tai(unix: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.asarray(posix_micros_to_mjd_tai(np.asarray(unix) * 1e6))


def _queries(number: int) -> list[str]:
    """Distinct filters of five to nine conditions, of which about one in a hundred alerts passes each."""
    rng = np.random.default_rng(7)
    made = []
    for _ in range(number):
        x = rng.random(9)
        band, other = rng.choice(list("griz"), 2, replace=False)
        conditions = [
            f"objects.nDiaSources > {1 + int(6 * x[0])}",
            f"mjdnow() - objects.lastDiaSourceMjdTai < {1e5 * (1 + x[1]):.1f}",
            f"ABS(objects.glat) > {8 * x[2]:.2f}",
            f"(objects.{band}_psfFlux > {2e4 + 2e5 * x[3]:.1f} OR objects.{other}_psfFlux > {3e5 * (1 + x[4]):.1f})",
            f"(objects.medianR > {0.3 * x[5]:.3f} OR objects.medianR IS NULL)",
            f"(objects.ebv < {1 + x[6]:.3f} OR objects.ebv IS NULL)",
            f"objects.decl < {60 + 20 * x[7]:.2f}",
            f"objects.lastDiaSourceMjdTai - objects.firstDiaSourceMjdTai < {2000 * (1 + x[8]):.1f}",
            "objects.ra IS NOT NULL",
        ]
        chosen = " AND ".join(conditions[: rng.integers(5, 10)])
        made.append(
            f"SELECT objects.diaObjectId, objects.ra, objects.decl, objects.{band}_psfFlux FROM objects WHERE {chosen}"
        )
    return made


def make_filters(number: int) -> list[str]:
    """Active public filters with a Kafka output each; returns their topics."""
    from lasair_broker.web import migrate

    migrate()
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.filters import outputs, services

    user = User.objects.create_user("night@example.org", "night")
    topics = []
    for place, query in enumerate(_queries(number)):
        found = services.create(user, f"night{place}", services.Wording(adql=query))
        services.record_preview(user, found.pk, 1, services.Preview(1, 0.01, 1.0, 0.1))
        services.activate(user, found.pk, 1)
        services.share(user, found.pk, "public")
        outputs.add(user, found.pk, "kafka")
        topics.append(found.topic)
    return topics


class Readings(threading.Thread):
    """Reads every topic, and notes when each hit and each bare message could first be read."""

    def __init__(self, bootstrap: str, topics: Sequence[str], control: str) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        self._consumer.subscribe([*topics, control])
        self._control = control
        self.stop = threading.Event()
        self.hits: dict[str, float] = {}
        self.repeats = 0
        self.bare: list[float] = []

    def run(self) -> None:
        while not self.stop.is_set():
            messages = self._consumer.consume(1000, 0.05)
            now = time.time()
            for message in messages:
                if message.error() is not None:
                    continue
                if message.topic() == self._control:
                    self.bare.append(now - float(message.value()))
                    continue
                hit = dict(message.headers() or [])["hitId"].decode()
                self.repeats += hit in self.hits
                self.hits.setdefault(hit, now)
        self._consumer.close()


def send_bare(producer: Producer, topic: str, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        producer.produce(topic, str(time.time()).encode())
        producer.poll(0)


def send_paced(
    bootstrap: str,
    topic: str,
    partitions: int,
    values: Iterable[Any],
    due: Callable[[int], float],
    sent: dict[tuple[int, int], float],
) -> None:
    """Send messages, each when it is due: the seconds after the first, by its number.

    `sent` gets the time at which each was handed to Kafka, by partition and offset.
    """
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 5, "queue.buffering.max.kbytes": 1_000_000}
    )
    began = time.time()
    for count, value in enumerate(values):
        if began + due(count) - time.time() > 0.002:
            producer.poll(0)
            time.sleep(max(0.0, began + due(count) - time.time()))
        handed = time.time()

        def delivered(error: Any, message: Any, handed: float = handed) -> None:
            assert error is None, error
            sent[message.partition(), message.offset()] = handed

        while True:
            try:
                producer.produce(topic, bytes(value), partition=count % partitions, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    assert producer.flush(60) == 0


def tell(title: str, seconds: npt.NDArray[np.float64], aim: float) -> None:
    """Print how many seconds half, 90 %, 99 % and all took, and how many were within the aim."""
    p50, p90, p99 = np.quantile(seconds, (0.5, 0.9, 0.99))
    within = 100 * np.mean(seconds <= aim)
    print(
        f"  {title}: half {p50:.2f} s, 90 % {p90:.2f} s, 99 % {p99:.2f} s, all {seconds.max():.2f} s;"
        f" {within:.2f} % within {aim:g} s"
    )


def histogram(seconds: npt.NDArray[np.float64]) -> None:
    bounds = [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 20, 60, np.inf]
    counts, _ = np.histogram(seconds, bounds)
    for low, high, count in zip(bounds, bounds[1:], counts, strict=False):
        if count:
            print(f"    {low:>5g} to {high:<5g} s {'#' * round(50 * count / counts.max()):50} {count:,}")
