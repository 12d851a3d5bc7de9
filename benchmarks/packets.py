"""How fast messages become canonical batches, on one core, against fastavro's dictionaries in the same run.

LSST: Confluent-framed alerts of as many objects, put together from real ones (schema 10.0, three cut-outs),
each with 0 to 80 earlier detections and forced measurements in order of time. ZTF: real alert files as they
are. The time of a batch is that of `decode`: framing, Avro, mapping to canonical columns, uniting light
curves, the tables of objects and alerts. "Canonical shape" is what that takes beyond unframing and Avro.
Light curve columns are put in order when used, so what the features read, and the whole tables, stand by
themselves.

    python benchmarks/packets.py [--quick]
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import os
import statistics
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fastavro
import numpy as np

from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode
from lasair_broker.packets.avro import ContainerReader, addresses

SCHEMA = 1000
CUTOUT = 14_900  # bytes; a stamp of 30 by 30 pixels with variance and mask, as FITS
FEATURE_COLUMNS = ("midpointMjdTai", "psfFlux", "psfFluxErr", "band", "reliability", "timeWithdrawnMjdTai")
FORCED_COLUMNS = ("midpointMjdTai", "psfFlux", "psfFluxErr", "band", "timeWithdrawnMjdTai")


def data_folder() -> Path:
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    return Path(os.environ.get("LASAIR_TEST_DATA", beside))


def lsst_messages(folder: Path, schemas: SchemaStore, count: int) -> list[bytes]:
    """Framed alerts, each of an object of its own, with histories cut out of real ones."""
    schema = fastavro.parse_schema(schemas.by_confluent_id(SCHEMA))
    real: list[Any] = [
        fastavro.schemaless_reader(io.BytesIO(gzip.decompress(path.read_bytes())[5:]), schema)
        for path in sorted((folder / "lsst/wire_v10").glob("*.avro.gz"))
    ]
    real = [one for one in real if len(one["prvDiaSources"] or ()) > 100]
    sources = [sorted(one["prvDiaSources"], key=lambda row: row["midpointMjdTai"]) for one in real]
    forced = sorted(
        (row for one in real for row in one["prvDiaForcedSources"] or ()),
        key=lambda row: row["midpointMjdTai"],
    )
    rng = np.random.default_rng(1)
    out = []
    for number in range(count):
        place = number % len(real)
        size = int(rng.integers(0, 81))
        first = int(rng.integers(0, len(sources[place]) - size))
        one = dict(real[place])
        one["diaObject"] = {**one["diaObject"], "diaObjectId": 10**17 + number}
        one["diaSource"] = {**one["diaSource"], "diaObjectId": 10**17 + number}
        one["prvDiaSources"] = sources[place][first : first + size]
        one["prvDiaForcedSources"] = [
            {**forced[i % len(forced)], "diaForcedSourceId": i, "midpointMjdTai": 61000.0 + i}
            for i in range(size)
        ]
        for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
            one[name] = (one[name] or b"")[:CUTOUT].ljust(CUTOUT, b"\0")
        stream = io.BytesIO()
        stream.write(b"\0" + SCHEMA.to_bytes(4, "big"))
        fastavro.schemaless_writer(stream, schema, one)
        out.append(stream.getvalue())
    return out


def ztf_messages(folder: Path, count: int) -> list[bytes]:
    with tarfile.open(folder / "ztf/ztf_v3_2.tar.xz") as archive:
        streams = [archive.extractfile(member) for member in archive if member.name.endswith(".avro")]
        values = [stream.read() for stream in streams if stream is not None]
    return [bytes(bytearray(value)) for value in itertools.islice(itertools.cycle(values), count)]


def as_messages(values: list[bytes]) -> Messages:
    count = len(values)
    zeros = np.zeros(count, np.int32)
    return Messages(values, ("alerts",), zeros, zeros, np.arange(count), np.full(count, 61_000.0))


def measure(contest: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of (this thread's CPU, wall) of each contestant; they take turns."""
    for run in contest.values():
        run()
    cpu: dict[str, list[float]] = {name: [] for name in contest}
    wall: dict[str, list[float]] = {name: [] for name in contest}
    for _ in range(rounds):
        for name, run in contest.items():
            began, began_wall = time.thread_time(), time.perf_counter()
            run()
            cpu[name].append(time.thread_time() - began)
            wall[name].append(time.perf_counter() - began_wall)
    return {name: (statistics.median(cpu[name]), statistics.median(wall[name])) for name in contest}


def print_line(name: str, seconds: tuple[float, float], count: int, reference: float) -> float:
    cpu, wall = seconds[0] / count, seconds[1] / count
    print(f"{name:34} {cpu * 1e6:10.2f} {wall * 1e6:10.2f} {1 / cpu:12,.0f} {reference / cpu:10.1f}")
    return cpu


def print_head(title: str) -> None:
    print(f"\n{title}")
    print(f"{'':34} {'us/alert':>10} {'wall':>10} {'alerts/s':>12} {'x fastavro':>10}")


def benchmark_lsst(folder: Path, rounds: int, batch: int, few: int) -> None:
    schemas = SchemaStore([folder / "lsst/schemas"])
    values = lsst_messages(folder, schemas, batch)
    messages = as_messages(values)
    schema = fastavro.parse_schema(schemas.by_confluent_id(SCHEMA))
    codec = schemas.codec_by_confluent_id(SCHEMA)
    address, length = addresses(values)

    def with_fastavro() -> None:
        for value in values[:few]:
            fastavro.schemaless_reader(io.BytesIO(value[5:]), schema)

    def whole() -> AlertBatch:
        (made,), rejected = decode(messages, schemas)
        assert not rejected.num_rows
        return made

    def with_features() -> None:
        made = whole()
        for name in FEATURE_COLUMNS:
            made.diaSources.numpy(name)
        for name in FORCED_COLUMNS:
            made.diaForcedSources.numpy(name)

    def with_new_rows() -> None:
        """What an archive takes that has the histories already: one detection an object, all columns."""
        made = whole()
        made.diaSources.take(made.diaSources.offsets[1:] - 1)
        made.diaForcedSources.take(made.diaForcedSources.offsets[1:] - 1)

    times = measure(
        {
            "fastavro": with_fastavro,
            "Avro alone": lambda: codec.decode(address + 5, length - 5),
            "addresses": lambda: addresses(values),
            "decode": whole,
            "decode + columns of features": with_features,
            "decode + newest rows, all columns": with_new_rows,
        },
        rounds,
    )
    one = whole()
    rows = (len(one.diaSources) + len(one.diaForcedSources)) / batch
    print_head(
        f"LSST 10.0, batches of {batch}: {length.mean() / 1e3:.1f} kB, {rows:.0f} light curve rows an alert"
    )
    reference = times["fastavro"][0] / few
    cpu = {n: print_line(n, t, few if n == "fastavro" else batch, reference) for n, t in times.items()}
    rest = cpu["decode"] - cpu["Avro alone"]
    print(f"canonical shape and framing: {rest * 1e6:.2f} us/alert, {rest / cpu['decode']:.0%} of decode")


def benchmark_ztf(folder: Path, rounds: int, batch: int, few: int) -> None:
    schemas = SchemaStore(use_installed=False)
    values = ztf_messages(folder, batch)
    messages = as_messages(values)

    def with_fastavro() -> None:
        for value in values[:few]:
            list(fastavro.reader(io.BytesIO(value)))

    reader = ContainerReader()
    times = measure(
        {
            "fastavro": with_fastavro,
            "containers": lambda: reader.read_many(values),
            "decode": lambda: decode(messages, schemas),
        },
        rounds,
    )
    print_head(
        f"ZTF 3.2, batches of {batch}: {np.mean([len(value) for value in values]) / 1e3:.1f} kB an alert"
    )
    reference = times["fastavro"][0] / few
    for name, seconds in times.items():
        print_line(name, seconds, few if name == "fastavro" else batch, reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="smaller batches and fewer rounds")
    quick = parser.parse_args().quick
    folder = data_folder()
    for batch in (500,) if quick else (2000, 5000):
        benchmark_lsst(folder, 3 if quick else 7, batch, 100 if quick else 300)
    benchmark_ztf(folder, 3 if quick else 7, 500 if quick else 2000, 100 if quick else 300)


if __name__ == "__main__":
    main()
