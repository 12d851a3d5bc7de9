"""How fast filters run on a batch, against DuckDB running the same filters on the same batch.

Each filter is distinct, has five to nine conditions as users' filters have, and a third of them join Sherlock's
classes, a watchlist or annotations, of which their owner may see some. What is measured is the whole stage, from
enriched alerts to rows of `filter_hits` with their contents: annotations are read from a real archive, and every
tenth filter tells an object once only, so that the archive is asked what was told. Figures are medians of
processor time on one core.

    python benchmarks/filters.py [--quick]
"""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import AlertBatch, Payloads, SourceTable
from lasair_broker.query import PUBLIC, BatchFrame, Catalogue, Query, StreamPlan, parse
from lasair_broker.schema import TABLES, arrow_schema
from lasair_broker.stream import ActiveFilter, ActiveFilters, ActiveLists, FilterRun, Renotify
from lasair_broker.stream.filters import FilterStage

NOW = 61000.0
CLASSES = ("SN", "NT", "VS", "AGN", "CV", "BS", "ORPHAN", "UNCLEAR")
BANDS = "ugrizy"
USER = Catalogue.of_tables(
    PUBLIC.relations,
    {"watchlist_hits": {"wl_id": range(1, 40)}, "annotations": {"topic": ["fastfinder", "r0b"]}},
)
"""What the owner of the filters may read."""


def batch(rows: int, seed: int = 1) -> dict[str, pa.Table]:
    """A batch as the stream has it: every column of `objects`, a fifth of the values missing."""
    rng = np.random.default_rng(seed)

    def column(field: pa.Field, number: int) -> pa.Array:
        missing = rng.random(number) < 0.2
        if pa.types.is_floating(field.type):
            return pa.array(rng.lognormal(3.0, 2.0, number), mask=missing).cast(field.type)
        if pa.types.is_integer(field.type):
            return pa.array(rng.integers(0, 50, number), mask=missing).cast(field.type)
        if pa.types.is_string(field.type):
            return pa.array(rng.choice(CLASSES, number), mask=missing)
        return pa.nulls(number, field.type)

    def table(name: str, number: int, **given: object) -> pa.Table:
        schema = arrow_schema(name)
        return pa.table(
            [pa.array(given[f.name], f.type) if f.name in given else column(f, number) for f in schema],
            schema=schema,
        )

    ids = 313_000_000_000_000_000 + np.arange(rows)
    few = rng.choice(ids, rows // 20)
    return {
        "objects": table("objects", rows, diaObjectId=ids, ra=rng.uniform(0, 360, rows), decl=rng.uniform(-80, 20, rows),
                         lastDiaSourceMjdTai=NOW - rng.exponential(20, rows)),
        "sherlock_classifications": table("sherlock_classifications", rows, diaObjectId=ids),
        "watchlist_hits": table("watchlist_hits", len(few), diaObjectId=few, wl_id=rng.integers(1, 50, len(few)), cone_id=np.arange(len(few))),
        "annotations": table("annotations", len(few), diaObjectId=few, topic=rng.choice(["fastfinder", "r0b"], len(few))),
    }  # fmt: skip


def filters(number: int, seed: int = 2) -> list[Query]:
    """Distinct filters in the manner of users'."""
    rng = np.random.default_rng(seed)

    def condition() -> str:
        band, other = rng.choice(list(BANDS), 2, replace=False)
        x = rng.random()
        return str(rng.choice([
            f"objects.{band}_psfFlux > {5 + 40 * x:.3f}",
            f"objects.{band}_psfFlux - objects.{other}_psfFlux > {-20 + 60 * x:.3f}",
            f"flux2mag(objects.{band}_psfFluxMean) < {26 + 2 * x:.3f}",
            f"objects.nDiaSources BETWEEN {int(20 * x)} AND {int(30 + 40 * x)}",
            f"objects.n{band}Sources > {int(10 * x)}",
            f"mjdnow() - objects.lastDiaSourceMjdTai < {5 + 60 * x:.3f}",
            f"ABS(objects.glat) > {5 * x:.3f}",
            f"objects.medianR > {x:.4f}",
            f"(objects.absMag < {40 * x:.3f} OR objects.absMag IS NULL)",
            "objects.tns_name IS NOT NULL",
            f"NOT objects.latestPairColourBands = '{rng.choice(CLASSES)}'",
            f"objects.{band}_psfFluxMax / objects.{band}_psfFluxMean > {x:.4f}",
            f"objects.ebv < {60 * x:.3f}",
            f"LOG10(objects.{band}_psfFluxMax) > {x:.4f}",
        ]))  # fmt: skip

    made = []
    for place in range(number):
        join, extra = "", ""
        if place % 3 == 0:
            kind = rng.integers(3)
            if kind == 0:
                join = "JOIN sherlock_classifications ON objects.diaObjectId = sherlock_classifications.diaObjectId"
                extra = f" AND sherlock_classifications.classification IN ('SN', '{rng.choice(CLASSES)}')"
            elif kind == 1:
                join = f"JOIN watchlist_hits ON objects.diaObjectId = watchlist_hits.diaObjectId AND watchlist_hits.wl_id = {rng.integers(1, 50)}"
            else:
                join = "JOIN annotations ON objects.diaObjectId = annotations.diaObjectId AND annotations.topic = 'r0b'"
        where = " AND ".join(condition() for _ in range(rng.integers(5, 10)))
        made.append(
            parse(
                f"SELECT objects.diaObjectId, objects.ra, objects.decl, objects.objectName, objects.r_psfFlux "
                f"FROM objects {join} WHERE {where}{extra}",
                USER,
            )
        )
    return made


class Wishes:
    """What users ask of the stream, here."""

    def __init__(self, queries: Sequence[Query]) -> None:
        self.failures: list[str] = []
        once = Renotify(once=True)
        self._active = ActiveFilters(
            tuple(
                ActiveFilter(n, 1, str(n), query, renotify=once if n % 10 == 9 else Renotify())
                for n, query in enumerate(queries)
            )
        )

    def filters(self) -> ActiveFilters:
        return self._active

    def lists(self) -> ActiveLists:
        return ActiveLists()

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        return arrow_schema("annotations").empty_table(), after

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        self.failures.append(f"{filter_id}: {message}")

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        pass

    def filters_ran(self, runs: Sequence[FilterRun]) -> None:
        pass


def alert_batch(tables: dict[str, pa.Table]) -> AlertBatch:
    """The batch as the stages before the filters give it: an alert for each object."""
    objects = tables["objects"]
    count = objects.num_rows
    alerts = pa.table(
        {
            "diaSourceId": 600_000_000_000_000_000 + np.arange(count),
            "diaObjectId": objects.column("diaObjectId"),
            "midpointMjdTai": objects.column("lastDiaSourceMjdTai"),
            "exposureEndMjdTai": objects.column("lastDiaSourceMjdTai"),
            "arrivedMjdTai": np.full(count, NOW),
        }
    )
    curves = [
        SourceTable.empty(arrow_schema(name), count)
        for name in ("diaSources", "diaForcedSources", "diaNondetectionLimits")
    ]
    solar_system = [arrow_schema(name).empty_table() for name in ("ssSources", "ssObjects", "mpc_orbits")]
    payloads = Payloads(np.zeros(count, np.int64), np.zeros(count, np.int64), (), 0, "")
    own = {name: table for name, table in tables.items() if name not in ("objects", "annotations")}
    return AlertBatch("lsst", alerts, objects, *curves, *solar_system, payloads, own)


def median_cpu(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def only_plans(plans: list[StreamPlan], tables: dict[str, pa.Table]) -> int:
    frame = BatchFrame(tables, NOW)
    return sum(plan.run(frame).rows.num_rows for plan in plans)


def in_duckdb(sql: list[str], tables: dict[str, pa.Table]) -> int:
    connection = duckdb.connect(config={"threads": 1})
    for name in TABLES:
        connection.register("given", tables.get(name, arrow_schema(name).empty_table()))
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM given')
    hits = sum(connection.execute(query).to_arrow_table().num_rows for query in sql)
    connection.close()
    return hits


def measure(archive: Archive, number: int, rows: int, aim: float, quick: bool) -> None:
    begin = time.process_time()
    queries = filters(number)
    parsing = (time.process_time() - begin) / number
    tables = batch(rows)
    archive.write([], tables={"annotations": tables["annotations"]})
    wishes = Wishes(queries)
    stage = FilterStage(archive, wishes)
    alerts = [alert_batch(tables)]
    found = stage.tables(alerts, {})["filter_hits"]  # compiles, too
    plans = [StreamPlan(query) for query in queries]
    sql = [query.render("duckdb", NOW) for query in queries]
    given, expected = only_plans(plans, tables), in_duckdb(sql, tables)
    assert not wishes.failures, wishes.failures[:3]
    assert given == expected, (given, expected)
    objects = {
        (f, o) for f, o in zip(found["filterId"].to_pylist(), found["diaObjectId"].to_pylist(), strict=True)
    }
    assert found.num_rows <= given
    ours = median_cpu(partial(stage.tables, alerts, {}), 3 if quick else 5)
    theirs = median_cpu(partial(in_duckdb, sql, tables), 1 if quick else 3)
    queries_only = median_cpu(partial(only_plans, plans, tables), 3 if quick else 5)
    each = ours / number / rows
    print(
        f"{number} filters on {rows} alerts: {ours:.3f} s ({1e9 * each:.1f} ns an alert and filter), "
        f"{found.num_rows} hits of {len(objects)} filters and objects; aim {aim} s"
    )
    print(
        f"  of these {queries_only:.3f} s are the queries, {ours - queries_only:.3f} s state, rules, contents and hits"
    )
    print(f"  DuckDB, just the queries on the same rows: {theirs:.3f} s; ratio {theirs / ours:.1f}")
    print(
        f"  compiled {sum(p.compiled for p in plans)} of {number}; checking a filter takes {1e3 * parsing:.1f} ms, once"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the filters")
    quick = parser.parse_args().quick
    pa.set_cpu_count(1)
    for number, rows, aim in ((100 if quick else 1000, 10_000, 3.0), (100, 500, 0.3)):
        with tempfile.TemporaryDirectory() as folder, open_archive(folder) as archive:
            measure(archive, number, rows, aim, quick)


if __name__ == "__main__":
    main()
