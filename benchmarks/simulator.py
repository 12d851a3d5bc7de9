"""Alerts a second and core of the simulator, cut-outs included, against fastavro encoding the same records.

Run as ``python benchmarks/simulator.py [--quick]``. Figures are CPU time of this process (the machine may be
shared), with wall time beside it; the reference, in the same run, is ``fastavro.schemaless_writer`` on
dictionaries that are already there, so it pays neither for the sky nor for drawing.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import fastavro

from lasair_broker.packets.simulator import Simulation


def timed(work: Callable[[], int], rounds: int) -> tuple[float, float, int]:
    """Median CPU and wall seconds an item, and the number of items."""
    cpu, wall, count = [], [], 0
    for _ in range(rounds):
        begin, begin_cpu = time.perf_counter(), time.process_time()
        count = work()
        cpu.append((time.process_time() - begin_cpu) / count)
        wall.append((time.perf_counter() - begin) / count)
    return statistics.median(cpu), statistics.median(wall), count


def fastavro_seconds(simulation: Simulation, count: int, rounds: int) -> float:
    """Median CPU seconds that fastavro takes to encode one of the simulation's records."""
    schema = fastavro.parse_schema(simulation.schema)
    records: list[Any] = []
    for messages in simulation.alerts():
        for value in messages.values:
            records.append(fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None))
            if len(records) == count:
                break
        if len(records) == count:
            break

    def write() -> int:
        for record in records:
            fastavro.schemaless_writer(io.BytesIO(), schema, record)
        return len(records)

    return timed(write, rounds)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer alerts, one round")
    parser.add_argument("--alerts", type=int, help="alerts of one night")
    arguments = parser.parse_args()
    alerts = arguments.alerts or (10_000 if arguments.quick else 60_000)
    rounds = 1 if arguments.quick else 3
    sum(len(m) for m in Simulation.night(200).alerts())  # compiles the kernels

    print(f"{'what':42} {'alerts':>8} {'us CPU':>8} {'alerts/s/core':>14} {'us wall':>8} {'kB':>6}")
    full = 0.0
    for cutouts in ("variance", "none", "psf"):
        size = 0

        def stream(cutouts: str = cutouts) -> int:
            nonlocal size
            count = size = 0
            for messages in Simulation.night(alerts, cutouts=cutouts).alerts():
                count += len(messages)
                size += sum(map(len, messages.values))
            return count

        cpu, wall, count = timed(stream, rounds if cutouts == "variance" else 1)
        full = full or cpu
        label = f"sky, photometry, packets; cut-outs: {cutouts}"
        speed = f"{cpu * 1e6:8.0f} {1 / cpu:14.0f} {wall * 1e6:8.0f}"
        print(f"{label:42} {count:8} {speed} {size / count / 1e3:6.1f}")
    reference = fastavro_seconds(Simulation.night(alerts), 500, rounds)
    print(
        f"{'fastavro, encoding alone, same records':42} {500:8} {reference * 1e6:8.0f} {1 / reference:14.0f}"
    )
    print(f"the whole simulator takes 1/{reference / full:.1f} of the time of encoding with fastavro")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
