"""Alerts through a real Kafka on the same machine into a committed archive, on what the broker leaves of it.

The broker is the one of the tests (or LASAIR_TEST_KAFKA). Simulated alerts in LSST's schema with cut-outs are
put on a topic of four partitions first; then a worker reads the topic to its end, once with the pipeline
and once without (reading only), to see what Kafka itself costs. The reference is fastavro, which needs
longer just to decode the messages.

    python benchmarks/kafka.py [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipeline import fastavro_seconds

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kafka"))

from kafka_broker import KafkaBroker, create_topic, produce

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import KafkaSettings, StreamSettings
from lasair_broker.stream import KafkaSource, Pipeline, run, standard_stages, warm_up

PARTITIONS = 4


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
    parser.add_argument("--quick", action="store_true", help="3,000 alerts instead of 20,000")
    count = 3_000 if parser.parse_args().quick else 20_000
    schemas = SchemaStore()
    pipeline = Pipeline(schemas, standard_stages())
    assert warm_up(pipeline), "the official schemas are needed: install the extra lsst-schemas"
    simulation = Simulation.night(count)
    with kafka() as bootstrap, tempfile.TemporaryDirectory() as folder:
        topic = create_topic(bootstrap, PARTITIONS)
        reference = 0.0
        sent = size = 0
        for part in simulation.alerts():
            produce(bootstrap, topic, part.values, [(sent + i) % PARTITIONS for i in range(len(part))])
            reference = reference or fastavro_seconds(part.values[:200], simulation.schema)
            sent, size = sent + len(part), size + sum(map(len, part.values))
        print(f"{sent} alerts, {size / sent:,.0f} bytes each, on {PARTITIONS} partitions")
        print(f"fastavro: {1e6 * reference:.0f} us CPU a message ({1 / reference:,.0f}/s/core)")

        def source() -> KafkaSource:
            settings = KafkaSettings(bootstrap=bootstrap, topics=(topic,), group=f"group-{uuid.uuid4().hex}")
            return KafkaSource(settings, StreamSettings(), until_end=True)

        reading = source()
        reading.open(dict)
        cpu, wall, read = time.process_time(), time.perf_counter(), 0
        while (taken := reading.read(threading.Event())) is not None:
            read += len(taken.messages)
            reading.committed(taken)
        report("reading only", read, time.process_time() - cpu, time.perf_counter() - wall, reference)
        reading.close()

        with open_archive(Path(folder) / "archive") as archive:
            cpu, wall = time.process_time(), time.perf_counter()
            done = run(source(), pipeline, archive)
            report(
                "into the archive",
                done.alerts,
                time.process_time() - cpu,
                time.perf_counter() - wall,
                reference,
            )
            assert archive.status().tables["alerts"].rows == sent
        for name, share in pipeline.times.shares().items():
            print(f"    {name:12} {100 * share:5.1f} % of the work")


def report(title: str, alerts: int, cpu: float, wall: float, reference: float) -> None:
    print(
        f"  {title}: {alerts / cpu:,.0f} alerts/s/core ({1e6 * cpu / alerts:.0f} us CPU an alert, broker not "
        f"counted), {alerts / wall:,.0f}/s wall, {reference * alerts / cpu:.1f} x fastavro"
    )


if __name__ == "__main__":
    main()
