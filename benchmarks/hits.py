"""Hits of filters in a large archive: storing, finding by object and by time, and marking as delivered.

python benchmarks/hits.py [--quick] [--folder FOLDER]

An archive is filled with invented hits (10 million; --quick: 1 million) of 1,000 filters on 1 million objects
and with 1 million annotations. Wall milliseconds, medians, one thread of DuckDB. The reference, measured in
the same run, is the same question asked of the table in one plain statement.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.schema import conform

OBJECTS = 1_000_000
COMMIT = 2_000
START = 61_000.0
BETWEEN = 39.0 / 86_400.0


def median(work: Callable[[], Any], times: int = 7) -> float:
    """Median wall milliseconds of a call, after one that is not counted."""
    work()
    runs = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        runs.append(time.perf_counter() - started)
    return 1e3 * statistics.median(runs)


def objects(random: np.random.Generator, count: int) -> np.ndarray[Any, Any]:
    return 1_000_000_000 + random.integers(0, OBJECTS, count) * 977


def invented(random: np.random.Generator, first: int, count: int) -> pa.Table:
    """Hits number `first` and following, committed in groups."""
    numbers = np.arange(first, first + count)
    ids = objects(random, count)
    columns = {
        "hitId": pa.array([f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}" for number in numbers.tolist()]),
        "filterId": random.integers(0, 1000, count),
        "filterVersion": np.ones(count, np.int32),
        "diaObjectId": ids,
        "diaSourceId": numbers * 4,
        "content": pa.array(
            [f'{{"diaObjectId": {key}, "ra": {key % 360}.25, "decl": -12.5}}' for key in ids]
        ),
        "committedMjdTai": START + numbers // COMMIT * BETWEEN,
    }
    return conform(pa.table(columns), "filter_hits")


def fill(archive: DuckDBArchive, count: int) -> None:
    random = np.random.default_rng(1)
    connection = archive._database.writer
    for first in range(0, count, 500_000):
        connection.register("chunk", invented(random, first, min(500_000, count - first)))
        connection.execute("INSERT INTO filter_hits BY NAME SELECT * FROM chunk")
        connection.unregister("chunk")
    said = pa.table(
        {
            "diaObjectId": np.arange(OBJECTS) * 977 + 1_000_000_000,
            "topic": pa.repeat("fastfinder", OBJECTS),
            "classification": pa.repeat("kilonova", OBJECTS),
            "explanation": pa.array([f"it faded by {n % 97} in a night" for n in range(OBJECTS)]),
        }
    )
    archive.write([], tables={"annotations": said})
    archive.compact()


def deliveries(hits: pa.Table) -> pa.Table:
    count = hits.num_rows
    return pa.table(
        {
            "hitId": hits.column("hitId"),
            "deliveredMjdTai": np.full(count, START),
            "deliveryAttempts": np.ones(count, np.int32),
            "deliveryError": pa.nulls(count, pa.string()),
        }
    )


def measure(archive: DuckDBArchive, count: int) -> None:
    random = np.random.default_rng(7)
    connection = archive._database.writer
    print(f"{'':58}{'ms':>9}{'plain':>9}{'ratio':>7}")

    def line(what: str, ours: float, plain: float | None = None) -> None:
        compared = "" if plain is None else f"{plain:9.1f}{plain / ours:7.1f}"
        print(f"{what:58}{ours:9.1f}{compared}")

    number = iter(range(count, 2 * count, COMMIT))

    def store() -> None:
        archive.write([], tables={"filter_hits": invented(random, next(number), COMMIT)})

    line(f"{COMMIT:,} hits of {COMMIT:,} objects stored, all looked for", median(store))

    wanted = objects(random, 1000).tolist()
    filters = list(range(0, 1000, 5))
    connection.register("wanted", pa.table({"diaObjectId": wanted}))
    connection.register("filters", pa.table({"filterId": filters}))
    plain = (
        "SELECT * FROM filter_hits SEMI JOIN wanted USING (diaObjectId) SEMI JOIN filters USING (filterId) "
        "QUALIFY row_number() OVER (PARTITION BY filterId, diaObjectId ORDER BY committedMjdTai DESC) = 1"
    )
    line(
        "newest hits of 200 filters and 1,000 objects",
        median(lambda: archive.newest_hits(filters, wanted)),
        median(lambda: connection.execute(plain).to_arrow_table()),
    )
    names = ["filterId", "diaObjectId", "committedMjdTai"]
    line("the same, no text", median(lambda: archive.newest_hits(filters, wanted, names)))
    end = START + count // COMMIT * BETWEEN
    for what, since in (("of the last hour", end - 1 / 24), ("from the beginning", START)):
        page = (
            f"SELECT * FROM filter_hits WHERE filterId = 5 AND (committedMjdTai, hitId) > ({since}, '') "
            "ORDER BY committedMjdTai, hitId LIMIT 1000"
        )
        line(
            f"1,000 hits of a filter, {what}",
            median(lambda since=since: archive.hits_after(5, (since, ""))),
            median(lambda page=page: connection.execute(page).to_arrow_table()),
        )
    rows = archive.query(f"SELECT * FROM filter_hits WHERE committedMjdTai > {end - 1 / 24}", max_rows=3000)
    archive.write([], tables={"filter_hits": invented(random, count * 3, 3000)})
    recent = deliveries(invented(random, count * 3, 3000))
    update = (
        "UPDATE filter_hits SET deliveredMjdTai = n.deliveredMjdTai, deliveryAttempts = n.deliveryAttempts, "
        "deliveryError = n.deliveryError FROM noted n WHERE filter_hits.hitId = n.hitId"
    )
    connection.register("noted", recent)
    line(
        "3,000 deliveries noted",
        median(lambda: archive.note_deliveries(recent)),
        median(lambda: connection.execute(update)),
    )
    line("3,000 deliveries of old hits noted", median(lambda: archive.note_deliveries(deliveries(rows))))
    for many in (100, 10_000):
        ids = objects(random, many).tolist()
        work = lambda ids=ids: archive.rows_of_objects("annotations", ids)  # noqa: E731 - a name for a line
        line(f"annotations of {many:,} objects among {OBJECTS:,}", median(work))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 million hits")
    parser.add_argument("--folder", type=Path, help="where the archive is made; it stays there")
    options = parser.parse_args()
    count = 1_000_000 if options.quick else 10_000_000
    folder = options.folder or Path(tempfile.mkdtemp(prefix="lasair-hits-"))
    try:
        with DuckDBArchive(folder, threads=1) as archive:
            if archive.status().tables["filter_hits"].rows < count:
                fill(archive, count)
            print(f"{count:,} hits, {archive.status().database_bytes / 1e9:.2f} GB")
            measure(archive, count)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
