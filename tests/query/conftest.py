"""Random data in every engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from lasair_broker.query import BatchFrame, Query
from lasair_broker.schema import TABLES, arrow_schema, ddl, table
from lasair_broker.sky import healpix29

NOW = 61000.25
TEXTS = ("SN", "NT", "AGN", "VS", "sn", "a_b", "100%", "", "é")


def _value(datatype: str, rng: random.Random) -> Any:
    match datatype:
        case "boolean":
            return rng.random() < 0.5
        case "short" | "int" | "long":
            return rng.choice([0, 1, 2, 3, 5, 8, -1, 100])
        case "float" | "double":
            # Exact in single precision, so that equality means the same everywhere.
            return rng.choice(
                [0.0, 1.0, -1.0, rng.randrange(-400, 400) / 8, rng.randrange(0, 4000) * 2.0, 2.0**66]
            )
        case "char" | "string" | "text":
            return rng.choice(TEXTS)
        case "timestamp":
            return datetime(2026, 3, rng.randrange(1, 6), rng.choice([0, 12]), tzinfo=UTC)
        case _:
            return None


JSON = (None, "{}", '{"score": 0.75}', '{"score": "high"}', '{"score": [1, 2]}')


def _rows(name: str, number: int, rng: random.Random, keys: list[dict[str, Any]]) -> pa.Table:
    rows = []
    for place in range(number):
        row = {
            c.name: None if c.nullable and rng.random() < 0.25 else _value(c.datatype, rng)
            for c in table(name).columns
        }
        if "classdict" in row:
            row["classdict"] = rng.choice(JSON)
        rows.append({**row, **keys[place]})
    return pa.Table.from_pylist(rows, arrow_schema(name))


@pytest.fixture(scope="session")
def data() -> dict[str, pa.Table]:
    """Some of the tables, with NULLs, doubles of keys, and objects without partners."""
    rng = random.Random(20261122)
    ids = [2**53 + 2 * i + 1 for i in range(120)]
    near = [(10.0 + rng.uniform(-0.02, 0.02), -20.0 + rng.uniform(-0.02, 0.02)) for _ in range(60)]
    sky = near + [(rng.uniform(0, 360), rng.uniform(-90, 90)) for _ in range(60)]
    objects = []
    for i, (ra, decl) in zip(ids, sky, strict=True):
        cell = int(healpix29(ra, decl))
        objects.append(
            {
                "diaObjectId": i,
                "ra": ra,
                "decl": decl,
                "healpix29": cell,
                "tns_name": rng.choice([None, "2026a", "2026b", "2026c"]),
            }
        )
    made = {"objects": _rows("objects", len(ids), rng, objects)}
    partners = {
        "sherlock_classifications": [{"diaObjectId": i} for i in ids[::2]],
        "crossmatch_tns": [{"tns_name": n} for n in ("2026a", "2026b", "2026x")],
        "watchlist_hits": [
            {"diaObjectId": rng.choice(ids), "wl_id": w, "cone_id": c} for c in range(80) for w in (1, 2)
        ],
        "annotations": [{"diaObjectId": i, "topic": t} for i in ids[:60] for t in ("fastfinder", "r0b")],
        "area_hits": [{"diaObjectId": i, "ar_id": a} for a in (1, 2) for i in ids[a :: a + 1]],
    }
    for name, keys in partners.items():
        made[name] = _rows(name, len(keys), rng, keys)
    return made


class Engines:
    """The same data in DuckDB, in PostgreSQL and as a batch."""

    def __init__(self, data: dict[str, pa.Table], conninfo: str) -> None:
        self.batch = data
        self.frame = BatchFrame(data, NOW)
        self.duckdb = duckdb.connect()
        self.duckdb.execute("SET TimeZone = 'UTC'")
        self.postgresql = psycopg.connect(conninfo, autocommit=True)
        self.postgresql.execute("DROP SCHEMA IF EXISTS query_test CASCADE; CREATE SCHEMA query_test")
        self.postgresql.execute("SET search_path = query_test")
        self.postgresql.execute("SET TimeZone = 'UTC'")
        for name in TABLES:
            self.duckdb.execute(ddl(name, "duckdb"))
            self.postgresql.execute(ddl(name, "postgresql").split(";\n")[0])
        for name, rows in data.items():
            self.duckdb.register("given", rows)
            self.duckdb.execute(f'INSERT INTO "{name}" SELECT * FROM given')
            with self.postgresql.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
                for row in rows.to_pylist():
                    copy.write_row(list(row.values()))

    def in_duckdb(self, query: Query) -> list[tuple[Any, ...]]:
        rows = self.duckdb.execute(query.render("duckdb", NOW)).to_arrow_table()
        return [tuple(row.values()) for row in rows.to_pylist()]

    def in_postgresql(self, query: Query) -> list[tuple[Any, ...]]:
        with self.postgresql.cursor() as cursor:
            cursor.execute(query.render("postgresql", NOW).encode())
            return cursor.fetchall()

    def close(self) -> None:
        self.duckdb.close()
        self.postgresql.close()


@pytest.fixture(scope="session")
def engines(data: dict[str, pa.Table], postgresql: str) -> Iterator[Engines]:
    made = Engines(data, postgresql)
    yield made
    made.close()
