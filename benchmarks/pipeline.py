"""The whole job on one core: messages in memory, through decoding and features, to a committed archive.

The archive holds a million objects already (invented ones, with five detections and forced measurements
each). The alerts are simulated ones in LSST's schema with three cut-outs, of one field visited twice a night:
in the first night the objects are new to the archive and bring a year of history, in the last most are
known. Compared with fastavro, which only makes dictionaries of the same messages, in the same run. Then, in a
process of its own, 200,000 alerts are streamed to see how much memory that takes.

    python benchmarks/pipeline.py [--quick]
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import operator
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import numpy.typing as npt

from _synthetic_archive import Sky
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.classify import Classifiers, shipped_model
from lasair_broker.packets import Messages, SchemaStore, mjd_tai_now
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import StreamSettings
from lasair_broker.stream import (
    Pipeline,
    Positions,
    Progress,
    SimulatorSource,
    Stage,
    Taken,
    run,
    standard_stages,
    warm_up,
)

NIGHTS = 4


class MemorySource:
    """Messages that are there already, in batches as the settings have them."""

    def __init__(self, parts: Sequence[Messages], stream: StreamSettings) -> None:
        self._parts = list(parts)
        self._stream = stream

    def open(self, positions: Callable[[], Positions]) -> None:
        pass

    def read(self, stop: threading.Event) -> Taken | None:
        values: list[bytes] = []
        size = 0
        first = self._parts[0] if self._parts else None
        offset = 0
        while self._parts and len(values) < self._stream.batch_alerts and size < self._stream.batch_bytes:
            part = self._parts.pop(0)
            values += part.values
            size += sum(map(len, part.values))
            offset = int(part.offset[-1]) + 1
        if first is None:
            return None
        count = len(values)
        messages = Messages(
            values,
            first.topics,
            np.zeros(count, np.int32),
            np.zeros(count, np.int32),
            np.arange(offset - count, offset, dtype=np.int64),
            np.full(count, mjd_tai_now()),
        )
        return Taken(messages, {(first.topics[0], 0): offset})

    def idle(self) -> None:
        pass

    def held(self, taken: Taken) -> npt.NDArray[np.bool_] | None:
        return None

    def committed(self, taken: Taken) -> None:
        pass

    def lag(self) -> Positions:
        return {}

    def abandon(self) -> None:
        pass

    def close(self) -> None:
        pass


def stages() -> tuple[Stage[Any], ...]:
    """The stages of an installation as it comes, with the classifier that is shipped."""
    return standard_stages(classifiers=Classifiers(shipped_model()))


def fastavro_seconds(values: Sequence[bytes], schema: dict[str, object]) -> float:
    """CPU seconds of fastavro for one message, a median."""
    parsed = fastavro.parse_schema(schema)
    times = []
    for value in values:
        began = time.thread_time()
        fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed, None)
        times.append(time.thread_time() - began)
    return statistics.median(times)


def measured(
    title: str, archive: DuckDBArchive, schemas: SchemaStore, parts: Sequence[Messages], reference: float
) -> None:
    """Run `parts` through the pipeline and say what it took."""
    pipeline = Pipeline(schemas, stages())
    before = archive.status()
    cpu, wall = time.process_time(), time.perf_counter()
    done = run(MemorySource(parts, StreamSettings()), pipeline, archive)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    after = archive.status()
    grown = after.database_bytes + after.pack_bytes - before.database_bytes - before.pack_bytes
    rate = done.alerts / cpu
    print(f"\n{title}: {done.alerts} alerts in {done.batches} commits, {done.new_objects} new objects")
    print(f"  {rate:,.0f} alerts/s/core ({1e6 * cpu / done.alerts:.0f} us CPU of all threads an alert)")
    print(f"  {done.alerts / wall:,.0f} alerts/s wall; {grown / done.alerts:,.0f} bytes an alert on disk")
    print(f"  {rate * reference:.1f} x fastavro, which only makes dictionaries")
    named = 0.0
    for name, stage in pipeline.times.report().items():
        named += stage.cpu_seconds
        each = 1e6 * stage.cpu_seconds / done.messages
        print(f"    {name:12} {each:7.1f} us CPU an alert {100 * stage.cpu_seconds / cpu:5.1f} %")
    print(
        f"    {'other threads':12} {1e6 * (cpu - named) / done.messages:6.1f} us (packs, database, the loop)"
    )


def throughput(objects: int, alerts_per_visit: int) -> None:
    schemas = SchemaStore()
    pipeline = Pipeline(schemas, stages())
    assert warm_up(pipeline), "the official schemas are needed: install the extra lsst-schemas"
    simulation = Simulation(
        num_fields=1,
        num_nights=NIGHTS,
        revisit_nights=1,
        alerts_per_visit=alerts_per_visit,
        batch_size=500,
    )
    visits = itertools.groupby(simulation.visit_alerts(), key=operator.itemgetter(0))
    nights = ([part for _ in range(2) for _, part in next(visits)[1]] for _ in range(NIGHTS))
    first = next(nights)
    values = [value for part in first[:1] for value in part.values]
    size = statistics.mean(map(len, values))
    reference = fastavro_seconds(values[:300], simulation.schema)
    print(
        f"fastavro: {1e6 * reference:.0f} us CPU a message of {size:,.0f} bytes ({1 / reference:,.0f}/s/core)"
    )
    with tempfile.TemporaryDirectory() as folder, DuckDBArchive(Path(folder) / "archive") as archive:
        began = time.perf_counter()
        Sky(objects, 5).fill(archive)
        print(f"an archive of {objects:,} objects made in {time.perf_counter() - began:.0f} s")
        measured("first night", archive, schemas, first, reference)
        for number, night in enumerate(nights, start=2):
            if number < NIGHTS:
                run(MemorySource(night, StreamSettings()), pipeline, archive)
            else:
                measured(f"night {number}", archive, schemas, night, reference)
        # What is in the log is sorted in later, which belongs to the cost of the alerts that brought it.
        (alerts,) = archive._database.writer.execute("SELECT count(*) FROM alerts_recent").fetchone()
        archive._settle_bytes = 0
        cpu = time.process_time()
        archive._settle_if_due()
        cpu = time.process_time() - cpu
        print(f"\nsorting in what {NIGHTS} nights brought: {1e6 * cpu / alerts:.0f} us CPU an alert")


def peak_bytes() -> int:
    """The most memory this process has held (what `getrusage` tells begins with that of the parent)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def memory(count: int) -> None:
    """Stream simulated alerts and print, as JSON, how much memory this process came to hold (bytes)."""
    schemas = SchemaStore()
    pipeline = Pipeline(schemas, stages())
    warm_up(pipeline)
    base = peak_bytes()

    def progress(now: Progress) -> None:
        print(f"    {now.messages:8,} alerts, at most {peak_bytes() / 1e6:,.0f} MB", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder, DuckDBArchive(Path(folder) / "archive") as archive:
        done = run(SimulatorSource(Simulation.night(count)), pipeline, archive, on_progress=progress)
        status = archive.status()
    peak = peak_bytes()
    print(json.dumps({"peak": peak, "base": base, "alerts": done.alerts, "each": status.bytes_per_alert}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="50,000 objects, fewer alerts")
    parser.add_argument("--memory", type=int, metavar="ALERTS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
        return
    throughput(50_000 if options.quick else 1_000_000, 1_000 if options.quick else 5_000)
    count = 5_000 if options.quick else 200_000
    print(f"\nstreaming {count:,} simulated alerts in a process of its own", flush=True)
    command = [sys.executable, __file__, "--memory", str(count)]
    quiet = subprocess.DEVNULL if options.quick else None
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=quiet, env=os.environ, text=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    peak, base = found["peak"] / 1e9, found["base"] / 1e9
    print(
        f"  memory: at most {peak:.2f} GB, {base:.2f} GB of it before the first alert ({peak / 2:.2f} x 2 GB)"
    )
    print(f"  archive: {found['each']:,.0f} bytes an alert")


if __name__ == "__main__":
    main()
