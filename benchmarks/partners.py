"""What it costs to find an object's partners in another survey, and an alert's events.

An archive of invented LSST objects; batches of ZTF alerts, half of them within 0.3 arcseconds of an LSST
object. The reference is to ask the archive for a cone around each. Events: 50,000 with regions from
arcseconds to degrees; the reference compares each position with each event, with numpy.

    python benchmarks/partners.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa

from _synthetic_archive import Sky
from lasair_broker.archive import open_archive
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.context.events import EventIndex
from lasair_broker.packets import AlertBatch, Payloads, ztf_object_id
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import separation_arcsec
from lasair_broker.stream import KnownObjects, match_partners

ALERTS = 4000


def ztf_batch(sky: Sky, number: int) -> AlertBatch:
    """Alerts of new ZTF objects, the first half beside LSST objects."""
    random = np.random.default_rng(number)
    chosen = np.sort(random.choice(len(sky.ids), ALERTS, replace=False))
    nothing = np.zeros(ALERTS, np.int64)
    batch = sky.batch(chosen, float(number), 1, Payloads(nothing, nothing, (), 0, "{}"))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))[random.integers(0, 26, (ALERTS, 7))]
    ids = np.sort(ztf_object_id(["ZTF26" + "".join(row) for row in letters]))
    away = np.where(np.arange(ALERTS) < ALERTS // 2, 0.2 / 3600.0, 0.05)
    decl = sky.decl[chosen] + away
    columns = {"diaObjectId": pa.array(ids), "ra": pa.array(sky.ra[chosen]), "decl": pa.array(decl)}
    return replace(batch, survey="ztf").with_object_columns(columns | {"survey": pa.repeat("ztf", ALERTS)})


def partners(objects: int, batches: int) -> None:
    """µs CPU an alert with so many objects in the archive."""
    sky = Sky(objects, 1)
    with tempfile.TemporaryDirectory() as folder, open_archive(Path(folder) / "archive") as archive:
        assert isinstance(archive, DuckDBArchive)
        sky.fill(archive)
        known = KnownObjects(archive)
        began = time.perf_counter()
        match_partners(ztf_batch(sky, 0), known)
        first = time.perf_counter() - began
        taken, found = [], 0
        for number in range(1, batches + 1):
            batch = ztf_batch(sky, number)
            began = time.process_time()
            found += match_partners(batch, known).tables["partners"].num_rows
            taken.append((time.process_time() - began) / ALERTS * 1e6)
        some = batch.objects.slice(0, 200)
        began = time.process_time()
        for ra, decl in zip(some["ra"].to_pylist(), some["decl"].to_pylist(), strict=True):
            archive.cone(ra, decl, 1.5)
        cone = (time.process_time() - began) / 200 * 1e6
    mine = statistics.median(taken)
    print(
        f"partners, {objects:,} objects: {mine:.1f} us CPU an alert ({found / batches / ALERTS:.2f} rows), "
        f"first batch with the places {first:.1f} s; a cone each {cone:.0f} us: {cone / mine:.0f} times"
    )


def events(count: int, batches: int) -> None:
    """µs CPU an alert with so many events."""
    random = np.random.default_rng(1)

    def places(n: int) -> tuple[np.ndarray, np.ndarray]:
        return random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))

    ra, decl = places(count)
    wide = np.arange(count) % 500 == 0
    radius = np.where(wide, random.uniform(0.2, 8.0, count), random.uniform(0.3, 3.0, count) / 3600.0)
    rows = {
        "origin": ["X"] * count, "eventName": [str(i) for i in range(count)], "revision": np.zeros(count),
        "mw_id": np.arange(count), "retracted": np.zeros(count, bool), "role": ["observation"] * count,
        "eventMjdTai": np.full(count, 61000.0), "ra": ra, "decl": decl, "errorRadius": radius,
    }  # fmt: skip
    schema = arrow_schema("external_events")
    whole = [pa.array(rows[f.name]).cast(f.type, safe=False) if f.name in rows else pa.nulls(count, f.type)
             for f in schema]  # fmt: skip
    index = EventIndex.build(pa.table(whole, schema=schema))
    taken, found = [], 0
    for number in range(batches + 1):
        ra_now, decl_now = places(ALERTS)
        objects = pa.table({"diaObjectId": np.arange(ALERTS), "ra": ra_now, "decl": decl_now,
                            "firstDiaSourceMjdTai": np.full(ALERTS, 61001.0),
                            "lastDiaSourceMjdTai": np.full(ALERTS, 61002.0)})  # fmt: skip
        began = time.process_time()
        hits = index.hits(objects).num_rows
        if number:
            taken.append((time.process_time() - began) / ALERTS * 1e6)
            found += hits
    began = time.process_time()
    for one_ra, one_decl in zip(ra_now[:100], decl_now[:100], strict=True):
        np.count_nonzero(separation_arcsec(one_ra, one_decl, ra, decl) <= radius * 3600.0)
    brute = (time.process_time() - began) / 100 * 1e6
    mine = statistics.median(taken)
    print(f"events, {count:,}: {mine:.1f} us CPU an alert ({found / batches / ALERTS:.2f} hits); "
          f"each with each {brute:.0f} us: {brute / mine:.0f} times")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    events(5_000 if quick else 50_000, 3 if quick else 10)
    partners(50_000 if quick else 1_000_000, 3 if quick else 10)


if __name__ == "__main__":
    main()
