"""How long commands take that have hardly anything to do: what they import, and the opening of an archive.

The reference is a Python that only imports the libraries which every such command needs, and opens a DuckDB
file. The site is timed from the command to its first page.

    python benchmarks/startup.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

MAIN = [sys.executable, "-c", "from lasair_broker.cli import main; main()"]
LIBRARIES = "import duckdb, numpy, pyarrow.compute, pydantic_settings, rich.console, typer, yaml"
REFERENCE = [sys.executable, "-c", f"{LIBRARIES}; duckdb.connect('some.duckdb').execute('SELECT 1')"]
PATIENCE = 120.0


def output(folder: Path, command: Sequence[str]) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def timed(folder: Path, command: Sequence[str], times: int) -> tuple[float, float]:
    """Medians of the wall time and of the time on the processor, seconds."""
    output(folder, command)  # so that files are in memory, and machine code is kept
    walls, cpus = [], []
    for _ in range(times):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        output(folder, command)
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(walls), statistics.median(cpus)


def first_page(folder: Path, command: Sequence[str]) -> float:
    """Seconds from a command to the first page of the site that it serves."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"site at (http\S+)", line)
            if found:
                with urllib.request.urlopen(found[1], timeout=PATIENCE) as answer:  # noqa: S310 - our own
                    answer.read()
                return time.perf_counter() - began
        raise SystemExit(f"{' '.join(command)} has served nothing")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--quick", action="store_true", help="a small run")
    times = 2 if asked.parse_args().quick else 7
    for name in [name for name in os.environ if name.startswith("LASAIR_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        output(folder, [*MAIN, "ingest", "--simulate", "500"])
        sql = "SELECT diaObjectId FROM objects ORDER BY nDiaSources DESC LIMIT 1"
        number = output(folder, [*MAIN, "query", "--format", "csv", sql]).split()[1]
        least, least_cpu = timed(folder, REFERENCE, times)
        print(f"the libraries alone: {least:.2f} s, {least_cpu:.2f} s of CPU")
        for arguments in (
            ["--help"],
            ["status"],
            ["object", number],
            ["query", "SELECT COUNT(*) AS n FROM objects"],
            ["query", f"SELECT ra, decl FROM objects WHERE diaObjectId = {number}"],
            ["latency"],
            ["filter", "--help"],
        ):
            wall, cpu = timed(folder, [*MAIN, *arguments], times)
            asked_for = " ".join(["lasair", *arguments])
            print(f"{asked_for}: {wall:.2f} s, {cpu:.2f} s of CPU, {cpu / least_cpu:.1f} x the libraries")
        for command in (["serve", "--port", "0"], ["run", "--port", "0"]):
            first_page(folder, [*MAIN, *command])
            pages = [first_page(folder, [*MAIN, *command]) for _ in range(max(2, times // 2))]
            print(f"lasair {' '.join(command)}, to the first page: {statistics.median(pages):.2f} s")


if __name__ == "__main__":
    main()
