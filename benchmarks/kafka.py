"""Alerts through a real Kafka on the same machine into a committed archive, on what the broker leaves of it.

The broker is the one of the tests (or LASAIR_TEST_KAFKA). Simulated alerts in LSST's schema with cut-outs,
of one field visited twice a night, are put on a topic of four partitions, night by night; then a worker reads
the night to its end. In the first night all objects are new and bring a year of history, in the last most are
known. Once the topic is read without the pipeline, to see what Kafka itself costs. The reference is fastavro,
which needs longer just to decode the messages.

    python benchmarks/kafka.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import operator
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import fastavro_seconds, stages

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kafka"))

from kafka_broker import KafkaBroker, create_topic, produce

from lasair_broker.archive import open_archive
from lasair_broker.packets import Messages, SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import KafkaSettings, StreamSettings
from lasair_broker.stream import KafkaSource, Pipeline, run, warm_up

PARTITIONS, NIGHTS = 4, 4


@contextlib.contextmanager
def kafka() -> Iterator[str]:
    running = os.environ.get("LASAIR_TEST_KAFKA")
    if running:
        yield running
        return
    with KafkaBroker() as broker:
        yield broker.bootstrap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="visits of 1,000 alerts instead of 5,000")
    visit = 1_000 if parser.parse_args().quick else 5_000
    schemas = SchemaStore()
    warm = Pipeline(schemas, stages())
    assert warm_up(warm), "the official schemas are needed: install the extra lsst-schemas"
    simulation = Simulation(num_fields=1, num_nights=NIGHTS, revisit_nights=1, alerts_per_visit=visit)
    visits = itertools.groupby(simulation.visit_alerts(), key=operator.itemgetter(0))
    with (
        kafka() as bootstrap,
        tempfile.TemporaryDirectory() as folder,
        open_archive(Path(folder) / "archive") as archive,
    ):
        for night in range(1, NIGHTS + 1):
            parts = [part for _ in range(2) for _, part in next(visits)[1]]
            topic = create_topic(bootstrap, PARTITIONS)
            sent = put(bootstrap, topic, parts)
            if night == 1:
                values = parts[0].values
                size = statistics.mean(map(len, values))
                reference = fastavro_seconds(values[:200], simulation.schema)
                print(f"alerts of {size:,.0f} bytes on {PARTITIONS} partitions")
                print(f"fastavro: {1e6 * reference:.0f} us CPU a message ({1 / reference:,.0f}/s/core)")
                reading_only(source(bootstrap, topic), reference)
            del parts
            pipeline = Pipeline(schemas, stages())
            cpu, wall = time.process_time(), time.perf_counter()
            done = run(source(bootstrap, topic), pipeline, archive)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            assert done.alerts == sent
            if night in (1, NIGHTS):
                title = f"night {night} into the archive, {done.new_objects} new objects"
                report(title, done.alerts, cpu, wall, reference)
                for name, stage in pipeline.times.report().items():
                    print(f"    {name:12} {1e6 * stage.cpu_seconds / sent:6.1f} us CPU an alert")


def source(bootstrap: str, topic: str) -> KafkaSource:
    settings = KafkaSettings(bootstrap=bootstrap, topics=(topic,), group=f"group-{uuid.uuid4().hex}")
    return KafkaSource(settings, StreamSettings(), until_end=True)


def put(bootstrap: str, topic: str, parts: Sequence[Messages]) -> int:
    """Produce messages, in turn to each partition; how many."""
    sent = 0
    for part in parts:
        produce(bootstrap, topic, part.values, [(sent + i) % PARTITIONS for i in range(len(part))])
        sent += len(part)
    return sent


def reading_only(reading: KafkaSource, reference: float) -> None:
    reading.open(dict)
    cpu, wall, read = time.process_time(), time.perf_counter(), 0
    while (taken := reading.read(threading.Event())) is not None:
        read += len(taken.messages)
        reading.committed(taken)
    report("reading only", read, time.process_time() - cpu, time.perf_counter() - wall, reference)
    reading.close()


def report(title: str, alerts: int, cpu: float, wall: float, reference: float) -> None:
    print(
        f"  {title}: {alerts / cpu:,.0f} alerts/s/core ({1e6 * cpu / alerts:.0f} us CPU an alert, broker not "
        f"counted), {alerts / wall:,.0f}/s wall, {reference * alerts / cpu:.1f} x fastavro"
    )


if __name__ == "__main__":
    main()
