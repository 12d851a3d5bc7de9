"""How fast Avro packets become columns and columns packets, on one core, against fastavro in the same run.

LSST: alerts put together from real ones (schema 10.0, three cut-outs), each with 30 to 60 earlier detections
and as many forced measurements. ZTF: real alert files as they are, container header included. All columns are
decoded, cut-outs stay where they are. Times are medians over rounds in which the contestants take turns.

    python benchmarks/decode.py [--quick]
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import os
import statistics
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro
import numpy as np

from lasair_broker.packets.avro import Codec, ContainerReader, Decoded, addresses

CUTOUT = 14_900  # bytes; a stamp of 30 by 30 pixels with variance and mask, as FITS
Contest = Mapping[str, Callable[[], object]]


def data_folder() -> Path:
    beside = Path(__file__).parents[1].parent / "shared" / "data"
    return Path(os.environ.get("LASAIR_TEST_DATA", beside))


def measure(contest: Contest, rounds: int) -> dict[str, tuple[float, float]]:
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


def report(
    title: str, counts: Mapping[str, int], times: Mapping[str, tuple[float, float]], base: str
) -> None:
    print(f"\n{title}")
    print(f"{'':34} {'us/alert CPU':>13} {'wall':>9} {'alerts/s/core':>14} {'x ' + base:>12}")
    reference = times[base][0] / counts[base]
    for name, (cpu, wall) in times.items():
        each = cpu / counts[name]
        figures = (
            f"{each * 1e6:13.2f} {wall / counts[name] * 1e6:9.2f} {1 / each:14,.0f} {reference / each:12.1f}"
        )
        print(f"{name:34} {figures}")


def lsst_alerts(folder: Path, count: int) -> tuple[Codec, Any, list[bytes]]:
    """Alerts with the detections, forced measurements and cut-outs of real ones, each of its own memory."""
    parts = [json.loads(path.read_text()) for path in sorted((folder / "lsst/schemas/10/0").glob("*.avsc"))]
    alert = next(part for part in parts if part["name"].endswith("alert"))
    codec = Codec(alert, [part for part in parts if part is not alert])
    schema = fastavro.parse_schema(json.loads(codec.schema_json))
    files = sorted((folder / "lsst/wire_v10").glob("*.avro.gz"))
    real: list[Any] = [
        fastavro.schemaless_reader(io.BytesIO(gzip.decompress(path.read_bytes())[5:]), schema)
        for path in files
    ]
    sources = [source for one in real for source in one["prvDiaSources"] or ()]
    forced = [source for one in real for source in one["prvDiaForcedSources"] or ()]
    rng = np.random.default_rng(1)
    out = []
    for number in range(count):
        one = dict(real[number % len(real)])
        size = int(rng.integers(30, 61))
        first = int(rng.integers(0, len(sources) - size))
        one["diaSourceId"] = 170_000_000_000_000_000 + number
        one["prvDiaSources"] = sources[first : first + size]
        one["prvDiaForcedSources"] = [forced[i] for i in rng.integers(0, len(forced), size)]
        for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
            one[name] = (one[name] or b"")[:CUTOUT].ljust(CUTOUT, b"\0")
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, schema, one)
        out.append(stream.getvalue())
    return codec, schema, out


def ztf_files(folder: Path) -> list[bytes]:
    with tarfile.open(folder / "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz") as archive:
        streams = (archive.extractfile(member) for member in archive if member.name.endswith(".avro"))
        return [stream.read() for stream in streams if stream is not None]


def number_of_fields(decoded: Decoded) -> float:
    return sum(level.num_rows * len(level.values) for level in decoded.levels.values()) / decoded.num_rows


def fresh(values: Sequence[bytes], count: int) -> list[bytes]:
    """`count` values by repetition, each in memory of its own, as messages are."""
    repeated: Iterator[bytes] = itertools.islice(itertools.cycle(values), count)
    return [bytes(bytearray(value)) for value in repeated]


def benchmark_lsst(folder: Path, rounds: int, batch: int, few: int) -> None:
    codec, schema, alerts = lsst_alerts(folder, min(batch, 300))
    messages = fresh(alerts, batch)
    address, length = addresses(messages)
    decoded = codec.decode(address, length, owner=messages)
    assert not decoded.error.any()
    assert codec.encode(decoded) == messages
    values = [fastavro.schemaless_reader(io.BytesIO(message), schema) for message in messages[:few]]

    def fastavro_decode() -> None:
        for message in messages[:few]:
            fastavro.schemaless_reader(io.BytesIO(message), schema)

    def fastavro_encode() -> None:
        for value in values:
            fastavro.schemaless_writer(io.BytesIO(), schema, value)

    contest: Contest = {
        "fastavro": fastavro_decode,
        "addresses": lambda: addresses(messages),
        "decode, all columns": lambda: codec.decode(address, length),
        "addresses + decode + bands": lambda: (
            codec.decode_values(messages).levels["prvDiaSources"].text("band")
        ),
    }
    counts = dict.fromkeys(contest, batch) | {"fastavro": few}
    size = float(length.mean()) / 1e3
    report(
        f"LSST decode: {size:.1f} kB, {number_of_fields(decoded):,.0f} fields an alert, batches of {batch}",
        counts,
        measure(contest, rounds),
        "fastavro",
    )
    contest = {
        "fastavro": fastavro_encode,
        "encode into one buffer": lambda: codec.encode_buffer(decoded),
        "encode to a list of bytes": lambda: codec.encode(decoded),
    }
    report(
        f"LSST encode, batches of {batch}",
        counts | dict.fromkeys(contest, batch) | {"fastavro": few},
        measure(contest, rounds),
        "fastavro",
    )


def benchmark_ztf(folder: Path, rounds: int, batch: int, few: int) -> None:
    messages = fresh(ztf_files(folder), batch)
    containers = ContainerReader()
    found = containers.read_many(messages)
    assert len(found.schemas) == 1
    assert len(found) == batch
    codec = Codec(found.schemas[0])

    def decode() -> Decoded:
        read = containers.read_many(messages)
        return codec.decode(read.address, read.length, continues=read.continues, owner=read.owners)

    decoded = decode()
    assert not decoded.error.any()

    def fastavro_decode() -> None:
        for message in messages[:few]:
            list(fastavro.reader(io.BytesIO(message)))

    contest: Contest = {
        "fastavro": fastavro_decode,
        "containers": lambda: containers.read_many(messages),
        "containers + decode, all columns": decode,
    }
    report(
        f"ZTF decode: {np.mean([len(m) for m in messages]) / 1e3:.1f} kB, "
        f"{number_of_fields(decoded):,.0f} fields an alert, batches of {batch}",
        dict.fromkeys(contest, batch) | {"fastavro": few},
        measure(contest, rounds),
        "fastavro",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller batches")
    quick = parser.parse_args().quick
    rounds, batch, few = (5, 200, 30) if quick else (15, 500, 100)
    folder = data_folder()
    benchmark_lsst(folder, rounds, batch, few)
    benchmark_ztf(folder, rounds, batch, few)


if __name__ == "__main__":
    main()
