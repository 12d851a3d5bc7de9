"""Catalogues: matching a batch with 10⁸ rows, warm and cold, and importing, beside scipy's k-d tree.

Run ``python benchmarks/catalogues.py``; ``--quick`` is a hundred times smaller. With ``--data FOLDER`` the
galaxies and variable stars in that folder (``glade_plus.parquet``, ``vsx.parquet``) are imported too.

The rows are scattered evenly over the sky, and removed afterwards (4 GB of disk, 9 GB of memory to make).
Half of the alerts are at rows of the catalogue, half anywhere. Times are of one thread, CPU and wall, medians
of several runs; cold is after the operating system was told to forget the files. The k-d tree answers the
same question on a tenth of the rows only, as it would need 4.5 GB for all.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.spatial import cKDTree

from lasair_broker.context.catalogues import (
    CatalogueSet,
    Description,
    add_catalogue,
    write_catalogue,
)

Float64 = npt.NDArray[np.float64]

FACTS = {"source": "made up", "licence": "CC0", "citation": "none"}
RADIUS = 2.0


def timed(run: Callable[[], Any], repeats: int = 5) -> tuple[float, float, Any]:
    """Median CPU and wall seconds of `run`, and its last result."""
    cpu, wall, result = [], [], None
    for _ in range(repeats):
        began, cpu_began = time.perf_counter(), time.thread_time()
        result = run()
        cpu.append(time.thread_time() - cpu_began)
        wall.append(time.perf_counter() - began)
    return statistics.median(cpu), statistics.median(wall), result


def report(what: str, cpu: float, wall: float, note: str = "") -> None:
    print(f"{what:<58} {cpu:9.4f} s CPU {wall:9.4f} s wall  {note}", flush=True)


def sphere(rng: np.random.Generator, n: int) -> tuple[Float64, Float64]:
    return rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))


def vectors(ra: Float64, decl: Float64) -> Float64:
    a, d = np.radians(ra), np.radians(decl)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)


def forget(folder: Path) -> None:
    """Ask the operating system to drop the pages of every file."""
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def matching(folder: Path, rows: int, alerts: int) -> None:
    rng = np.random.default_rng(1)
    description = Description.model_validate(
        FACTS
        | {"title": "even", "columns": {"ra": "ra", "decl": "decl", "mag_g": "g"}, "extra": {"number": "i"}}
    )
    ra, decl = sphere(rng, rows)
    magnitudes = rng.uniform(14.0, 25.0, rows).astype(np.float32)
    table = pa.table(
        {"ra": ra, "decl": decl, "mag_g": magnitudes, "number": np.arange(rows, dtype=np.float64)}
    )
    began = time.perf_counter()
    write_catalogue(folder, "even", table, description)
    wrote = time.perf_counter() - began
    print(f"\n{alerts:,} positions, {RADIUS:g}″, against {rows:,} rows (written in {wrote:.0f} s)")
    at = rng.integers(0, rows, alerts // 2)
    few = slice(0, max(rows // 10, 1))
    some = vectors(ra[few], decl[few])
    lon, lat = sphere(rng, alerts - len(at))
    lon = np.concatenate([ra[at] + rng.normal(0.0, 1e-4, len(at)), lon])
    lat = np.concatenate([np.clip(decl[at] + rng.normal(0.0, 1e-4, len(at)), -90.0, 90.0), lat])
    del ra, decl, table

    before = resident()
    catalogue = CatalogueSet.open(folder)["even"]
    grown = resident() - before
    print(
        f"memory: {catalogue.resident_bytes / 1e6:.1f} MB a process (measured {grown / 1e6:.1f} MB), "
        f"{catalogue.mapped_bytes / 1e6:.0f} MB of cells mapped, which the system may take back"
    )
    catalogue.match(lon[:10], lat[:10], RADIUS)  # compiles
    forget(folder)
    cold_cpu, cold_wall, found = timed(lambda: catalogue.match(lon, lat, RADIUS), 1)
    report("match, cold", cold_cpu, cold_wall, f"{len(found):,} matches")
    cpu, wall, found = timed(lambda: catalogue.match(lon, lat, RADIUS))
    report("match, warm", cpu, wall, f"{1e6 * cpu / alerts:.2f} us an alert")
    near_cpu, near_wall, _ = timed(lambda: catalogue.match(lon, lat, RADIUS, k=1))
    report("nearest, warm", near_cpu, near_wall)
    take_cpu, take_wall, _ = timed(lambda: catalogue.take(found.row, ["ra", "decl", "mag_g"]))
    report("columns of the matches, warm", take_cpu, take_wall)
    tree_cpu, tree_wall, tree = timed(lambda: cKDTree(some), 1)
    report(f"reference: scipy cKDTree of {len(some):,} rows, build", tree_cpu, tree_wall)
    chord = 2.0 * np.sin(np.radians(RADIUS / 3600.0) / 2.0)
    points = vectors(lon, lat)
    ref_cpu, ref_wall, pairs = timed(lambda: tree.query_ball_point(points, chord, return_length=True))
    report("reference: scipy cKDTree, match", ref_cpu, ref_wall, f"{ref_cpu / cpu:.1f} times ours")
    in_tree = int((catalogue.take(found.row, ["number"])["number"].to_numpy() < len(some)).sum())
    assert in_tree == int(pairs.sum()), f"{in_tree} matches where the tree finds {int(pairs.sum())}"


def resident() -> int:
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def importing(folder: Path, data: Path) -> None:
    print("\nimports")
    described = {
        "glade_plus": {"axes": "isophote", "columns": {
            "ra": "RAJ2000", "decl": "DEJ2000", "name": "HyperLEDA", "mag_B": "Bmag", "redshift": "z_best",
            "redshift_error": "z_best_std", "major_axis": {"value": "10 ** logd25Hyp", "unit": "0.1 arcmin"},
            "minor_axis": {"value": "10 ** (logd25Hyp - logr25Hyp)", "unit": "0.1 arcmin"},
            "position_angle": "PAHyp"}},
        "vsx": {"columns": {"ra": "RAJ2000", "decl": "DEJ2000", "type": "VType"}},
    }  # fmt: skip
    total = 0.0
    for name, columns in described.items():
        description = Description.model_validate(FACTS | {"title": name} | columns)
        began, cpu_began = time.perf_counter(), time.process_time()
        version = add_catalogue(folder, name, str(data / f"{name}.parquet"), description)
        wall = time.perf_counter() - began
        total += wall
        report(f"import {name}, {version.rows:,} rows", time.process_time() - cpu_began, wall)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"both: {total:.1f} s; most memory so far {most:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundred times smaller")
    parser.add_argument("--data", type=Path, help="folder of real catalogues to import")
    parser.add_argument("--folder", type=Path, help="where to write the made-up catalogue")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="catalogues-", dir=chosen.folder))
    try:
        if chosen.data is not None:
            importing(folder, chosen.data)
        matching(
            folder / "made", 1_000_000 if chosen.quick else 100_000_000, 1_000 if chosen.quick else 10_000
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
