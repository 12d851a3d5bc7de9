"""How fast filters run on a batch, against DuckDB running the same filters on the same batch.

Each filter is distinct, has five to nine conditions as users' filters have, and a third of them join Sherlock's
classes, a watchlist or annotations. Figures are medians of processor time on one core.

    python benchmarks/filters.py [--quick]
"""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa

from lasair_broker.query import PUBLIC, BatchFrame, Query, StreamPlan, parse
from lasair_broker.schema import TABLES, arrow_schema

NOW = 61000.0
CLASSES = ("SN", "NT", "VS", "AGN", "CV", "BS", "ORPHAN", "UNCLEAR")
BANDS = "ugrizy"


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
                f"SELECT objects.diaObjectId, objects.ra, objects.decl FROM objects {join} WHERE {where}{extra}",
                PUBLIC,
            )
        )
    return made


def median_cpu(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def on_stream(plans: list[StreamPlan], tables: dict[str, pa.Table]) -> int:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the filters")
    quick = parser.parse_args().quick
    pa.set_cpu_count(1)
    for number, rows, target in ((100 if quick else 1000, 10_000, 3.0), (100, 500, 0.3)):
        begin = time.process_time()
        queries = filters(number)
        parsing = (time.process_time() - begin) / number
        tables = batch(rows)
        plans = [StreamPlan(query) for query in queries]
        sql = [query.render("duckdb", NOW) for query in queries]
        hits, expected = on_stream(plans, tables), in_duckdb(sql, tables)
        assert hits == expected, (hits, expected)
        ours = median_cpu(partial(on_stream, plans, tables), 3 if quick else 5)
        theirs = median_cpu(partial(in_duckdb, sql, tables), 1 if quick else 3)
        each = ours / number / rows
        print(
            f"{number} filters on {rows} rows: {ours:.3f} s ({1e9 * each:.1f} ns a row and filter), {hits} hits; aim {target} s"
        )
        print(f"  DuckDB, the same filters on the same rows: {theirs:.3f} s; ratio {theirs / ours:.1f}")
        print(
            f"  compiled {sum(p.compiled for p in plans)} of {number}; checking a filter takes {1e3 * parsing:.1f} ms, once"
        )


if __name__ == "__main__":
    main()
