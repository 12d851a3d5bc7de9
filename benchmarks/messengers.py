"""What it costs to find the counterparts of gravitational waves, neutrinos and bursts.

A million objects against one multi-order map with distances, as on a new version of an event; and batches
of 10,000 alerts against 100 events, a third of them with such a map of up to thousands of square degrees, as
on the stream. The reference of the first is mocpy: which objects lie in the 90 per cent region of the same
map, which is a part of what is asked here. That of the second is the same comparison one event at a time.
Then a new version of an event comes to an archive of a million objects: from the notice to the rows of all
that it concerns; the reference is to read the columns that are needed of all objects.

    python benchmarks/messengers.py [--quick]
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import astropy.units as u
import numpy as np
import pyarrow as pa
from astropy.table import Table
from astropy.time import Time
from mocpy import MOC

from lasair_broker.archive import open_archive
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.context.events import read_notice, take_in
from lasair_broker.messengers import CANDIDATE_COLUMNS, Background, Candidates, MessengerIndex, associate
from lasair_broker.schema import arrow_schema, conform
from lasair_broker.sky import SkyMap, gaussian_skymap
from lasair_broker.stream.context import ContextKeeper
from lasair_broker.stream.messengers import MessengerChore, MessengerLoader

T0 = 61000.0
ALERTS = 10_000
CLASSES = ["SN", "AGN", "VS", "ORPHAN", "NT", "BS"]


def objects(count: int, random: np.random.Generator, since: float, days: float) -> Candidates:
    """Objects all over the sky, first seen within some days; half of them with one or two possible hosts."""
    ids = np.arange(1, count + 1)
    first = since + random.uniform(0.0, days, count)
    table = pa.table(
        {"diaObjectId": ids, "ra": random.uniform(0, 360, count),
         "decl": np.degrees(np.arcsin(random.uniform(-1, 1, count))),
         "firstDiaSourceMjdTai": first, "lastDiaSourceMjdTai": first + 2.0}
    )  # fmt: skip
    classes = pa.table({"diaObjectId": ids, "classification": random.choice(CLASSES, count)})
    hosts = np.sort(random.choice(ids, count * 3 // 4))
    far = random.uniform(20.0, 1500.0, len(hosts))
    matches = pa.table(
        {"diaObjectId": hosts, "hostProbability": random.uniform(0.1, 0.5, len(hosts)), "best_distance": far,
         "best_distance_err": 0.1 * far, "best_distance_flag": random.choice(["sz", "pz"], len(hosts))}
    )  # fmt: skip
    return Candidates.of_tables(table, classes, matches)


def wave(random: np.random.Generator, width: float) -> SkyMap:
    """A map of so many degrees with distances, the resolution falling outwards as BAYESTAR's does."""
    ra, decl = random.uniform(0, 360), np.degrees(np.arcsin(random.uniform(-1, 1)))
    flat = gaussian_skymap(ra, decl, width, width * random.uniform(0.15, 1.0), random.uniform(0, 180))
    mu, sigma = random.uniform(60.0, 900.0), random.uniform(15.0, 200.0)
    norm = 1.0 / (mu**2 + sigma**2)
    shape = np.ones(len(flat))
    return SkyMap.of_cells(flat.start, flat.order, flat.density, (mu * shape, sigma * shape, norm * shape))


def index_of(count: int, random: np.random.Generator, days: float) -> MessengerIndex:
    """So many events within some days."""
    maps: dict[str, SkyMap] = {}
    rows = []
    for number in range(count):
        row = {
            "origin": "X", "eventName": str(number), "revision": 0, "mw_id": number + 1, "retracted": False,
            "role": "observation", "eventMjdTai": T0 - random.uniform(0.0, days),
        }  # fmt: skip
        if number % 3 == 0:
            maps[str(number)] = wave(random, random.uniform(2.0, 20.0))
            row |= {"kind": "gw", "skymap": str(number), "BNS": 0.6, "BBH": 0.4, "HasRemnant": 0.6}
        else:
            ra, decl = random.uniform(0, 360), np.degrees(np.arcsin(random.uniform(-1, 1)))
            row |= {"kind": random.choice(["grb", "neutrino", "x-ray transient"]), "ra": ra, "decl": decl,
                    "errorRadius": random.choice([0.01, 0.5, 2.0, 10.0])}  # fmt: skip
        rows.append(row)
    events = pa.Table.from_pylist(rows, schema=arrow_schema("external_events"))
    names = arrow_schema("event_versions").names
    versions = pa.Table.from_pylist(
        [{k: v for k, v in row.items() if k in names} | {"version": 1} for row in rows],
        schema=arrow_schema("event_versions"),
    )
    index = MessengerIndex.build(events, versions, maps.__getitem__)
    background = Background.measure(objects(20_000, random, T0 - 60.0, 60.0), T0 - 60.0, T0)
    return index if background is None else background.applied(index)


def measured(candidates: Candidates, index: MessengerIndex, times: int) -> tuple[float, int]:
    """Seconds CPU of one association, median, and its rows."""
    taken, rows = [], 0
    for _ in range(times + 1):
        began = time.process_time()
        rows = associate(candidates, index).num_rows
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:]), rows


def one_map(count: int, times: int) -> None:
    """Many objects against one map."""
    random = np.random.default_rng(1)
    candidates = objects(count, random, T0 - 60.0, 65.0)
    index = index_of(1, random, 0.0)
    seconds, rows = measured(candidates, index, times)
    skymap = index.maps[0]
    order = skymap.order.astype(np.int64)
    uniq = (np.int64(4) << (2 * order)) + (skymap.start >> (2 * (29 - order)))
    table = Table({"UNIQ": uniq, "PROBDENSITY": skymap.density * u.Unit("sr-1")})
    began = time.process_time()
    moc = MOC.from_valued_healpix_cells(
        table["UNIQ"].data.astype(np.uint64), skymap.probability, int(order.max()), cumul_to=0.9
    )
    inside = moc.contains_lonlat(candidates.ra * u.deg, candidates.decl * u.deg).sum()
    reference = time.process_time() - began
    print(
        f"{count:,} objects, one map of {len(skymap):,} cells ({skymap.area_deg2(0.9):,.0f} deg2): "
        f"{seconds:.3f} s CPU, {rows:,} rows; mocpy's 90 % region alone {reference:.3f} s "
        f"({inside:,} inside): {seconds / reference:.2f} times"
    )


def many_events(count: int, times: int) -> None:
    """A batch against many events."""
    random = np.random.default_rng(2)
    candidates = objects(ALERTS, random, T0 - 60.0, 60.0)
    began = time.process_time()
    index = index_of(count, random, 30.0)
    built = time.process_time() - began
    seconds, rows = measured(candidates, index, times)
    each = [index.only({number}) for number in index.events["mw_id"].to_pylist()]
    began = time.process_time()
    for one in each:
        associate(candidates, one)
    reference = time.process_time() - began
    print(
        f"{ALERTS:,} alerts, {count} events: {seconds:.3f} s CPU, {rows:,} rows; one event at a time "
        f"{reference:.3f} s: {reference / seconds:.1f} times (the index is made in {built:.1f} s)"
    )


def notice(kind: str, skymap: SkyMap) -> bytes:
    """A gravitational wave with a map."""
    when = Time(T0, format="mjd", scale="tai").utc.isot + "Z"
    event = {
        "time": when, "far": 1e-12, "significant": True, "group": "CBC", "properties": {"HasRemnant": 0.9},
        "classification": {"BNS": 0.9, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.1},
        "skymap": base64.b64encode(skymap.to_fits()).decode(),
    }  # fmt: skip
    said = {"superevent_id": "S260101a", "alert_type": kind, "time_created": when, "event": event}
    return json.dumps(said).encode()


def rescan(count: int) -> None:
    """New versions of an event against all objects of an archive."""
    random = np.random.default_rng(3)
    known = objects(count, random, T0 - 55.0, 60.0)
    columns = {
        "diaObjectId": known.diaObjectId, "ra": known.ra, "decl": known.decl, "healpix29": known.cell,
        "firstDiaSourceMjdTai": known.first, "lastDiaSourceMjdTai": known.last,
        "objectName": known.diaObjectId.astype(str), "survey": np.full(count, "lsst"),
    }  # fmt: skip
    table = conform(pa.table(columns).sort_by("healpix29"), "objects")
    with tempfile.TemporaryDirectory() as name, open_archive(Path(name) / "archive") as archive:
        assert isinstance(archive, DuckDBArchive)
        connection = archive._database.writer
        connection.register("rows", table)
        connection.execute("INSERT INTO objects_sorted BY NAME SELECT * FROM rows")
        connection.unregister("rows")
        loader = MessengerLoader(Path(name) / "catalogues")
        background = Background.measure(objects(20_000, random, T0 - 60.0, 60.0), T0 - 60.0, T0)
        assert background is not None
        loader.learn(background)
        keeper = ContextKeeper(archive, [MessengerChore(archive, loader)])
        taken = []
        for kind in ("EARLYWARNING", "PRELIMINARY", "INITIAL", "UPDATE"):
            content = notice(kind, wave(random, 12.0))
            began = time.perf_counter()
            take_in(Path(name) / "catalogues", [read_notice(content)])
            keeper.finish()
            taken.append(time.perf_counter() - began)
        rows = archive.query("SELECT count(*) AS n FROM mma_hits")["n"][0].as_py()
        names = ", ".join(f'"{each}"' for each in CANDIDATE_COLUMNS)
        began = time.perf_counter()
        archive.query(f"SELECT {names} FROM objects", max_rows=None, timeout=None)
        reference = time.perf_counter() - began
    print(
        f"{count:,} objects stored, a new version of an event: {statistics.median(taken):.2f} s wall from "
        f"the notice to the rows (the longest {max(taken):.2f} s; {rows:,} rows in the end); reading the "
        f"columns of all objects {reference:.2f} s: {statistics.median(taken) / reference:.1f} times"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the objects, fewer rounds")
    quick = parser.parse_args().quick
    one_map(100_000 if quick else 1_000_000, 3 if quick else 7)
    many_events(30 if quick else 100, 3 if quick else 9)
    rescan(100_000 if quick else 1_000_000)


if __name__ == "__main__":
    main()
