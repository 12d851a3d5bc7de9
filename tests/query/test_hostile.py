"""Queries made to harm: they end, and the archive goes on taking batches while they run."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

from lasair_broker.archive import QueryCancelledError, QueryError, QueryMemoryError, QueryTimeoutError
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.packets import AlertBatch, SchemaStore, decode, read_files
from lasair_broker.query import PUBLIC, BatchFrame, StreamPlan, parse
from lasair_broker.query import QueryError as Refused
from lasair_broker.schema import arrow_schema

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
MEMORY = 1024**3
"""What the process may grow by, with an archive that may use 200 MB."""


def _batches(name: str) -> list[AlertBatch]:
    schemas = SchemaStore(folders=(DATA / "lsst" / "schemas",))
    return [batch for messages in read_files([DATA / name]) for batch in decode(messages, schemas)[0]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBArchive]:
    with DuckDBArchive(tmp_path_factory.mktemp("hostile"), threads=1, memory_limit="200MB") as opened:
        opened.write([*_batches("lsst/ddf_v10.avro"), *_batches("lsst/ddf_v10.parquet")])
        yield opened


class Writer(threading.Thread):
    """Writes batch after batch until told to stop."""

    def __init__(self, archive: DuckDBArchive) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.written = 0
        self._archive = archive
        self._batches = _batches("lsst/hsc_v9.tar.xz")
        self._stop_now = threading.Event()

    def run(self) -> None:
        schema = arrow_schema("rejected")
        while not self._stop_now.is_set():
            row = {field.name: None for field in schema}
            row |= {"topic": "hostile", "partition": 0, "offset": self.written, "reason": "a test"}
            row |= {"message": b"x", "arrivedMjdTai": 61000.0}
            try:
                known = {name: value for name, value in row.items() if name in schema.names}
                self._archive.write(
                    self._batches, pa.Table.from_pylist([known], schema), {("hostile", 0): self.written}
                )
            except Exception as error:
                self.failure = error
                return
            self.written += 1

    def stop(self) -> None:
        self._stop_now.set()
        self.join()


CROSSED = "diaSources a, diaSources b, diaSources c, diaSources d"
QUERIES = {
    "time": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE a.psfFlux + b.psfFlux > c.psfFlux * d.psfFlux",
    "groups": f"SELECT a.diaSourceId - b.diaSourceId AS x, c.diaSourceId AS y, COUNT(*) AS n FROM {CROSSED} GROUP BY a.diaSourceId - b.diaSourceId, c.diaSourceId",
    "distinct": f"SELECT COUNT(DISTINCT a.psfFlux * b.psfFlux + c.psfFlux * d.psfFlux) AS n FROM {CROSSED}",
    "order": f"SELECT a.diaSourceId AS x, b.diaSourceId AS y, c.diaSourceId AS z FROM {CROSSED} ORDER BY a.psfFlux * b.psfFlux + c.psfFlux",
    "union": f"SELECT a.diaSourceId AS x, b.diaSourceId AS y, c.psfFlux AS z FROM {CROSSED} UNION SELECT b.diaSourceId, c.diaSourceId, d.psfFlux FROM {CROSSED}",
    "join": "SELECT COUNT(*) AS n FROM diaSources a FULL JOIN diaSources b ON a.psfFlux < b.psfFlux FULL JOIN diaSources c ON b.psfFlux < c.psfFlux FULL JOIN diaSources d ON c.psfFlux < d.psfFlux",
    "correlated": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE EXISTS (SELECT 1 FROM diaSources e WHERE e.psfFlux > a.psfFlux + b.psfFlux + c.psfFlux + d.psfFlux)",
    "texts": f"SELECT {', '.join(f'a.band || {chr(39)}{letter * 1500}{chr(39)} AS {letter}' for letter in 'abcdefgh')} FROM {CROSSED}",
    "patterns": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE '{'a' * 5000}' || a.band LIKE '{'%a_' * 60}%b'",
    "patterns in any case": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE '{'a' * 5000}' || a.band ILIKE '{'%a_' * 60}%b'",
    "patterns of columns": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE '{'a' * 5000}' || a.band LIKE '{'%a_' * 60}%' || b.band",
    "list": f"SELECT COUNT(*) AS n FROM {CROSSED} WHERE a.diaSourceId + b.diaSourceId IN ({', '.join(map(str, range(3000)))})",
}  # fmt: skip
HARMLESS = {"patterns", "patterns in any case", "patterns of columns"}
"""Exponential in a matcher that goes back and forth, so that no time limit would hold; linear in ours."""


def test_hostile_queries_end_and_the_writer_goes_on(archive: DuckDBArchive) -> None:
    writer = Writer(archive)
    writer.start()
    process = psutil.Process()
    before, most = process.memory_info().rss, 0
    while not writer.written and writer.is_alive():
        time.sleep(0.01)
    at_first = writer.written
    for name, text in QUERIES.items():
        sql = parse(text, PUBLIC).render("duckdb")
        if name in HARMLESS:
            with suppress(QueryTimeoutError):
                archive.query(sql, timeout=1.5)
        else:
            with pytest.raises((QueryTimeoutError, QueryMemoryError)):
                archive.query(sql, max_rows=1_000_000, timeout=1.5)
        most = max(most, process.memory_info().rss)
    at_last = writer.written
    writer.stop()
    assert writer.failure is None
    assert at_last > at_first
    assert most - before < MEMORY
    assert archive.check() == []
    offsets = archive.rejected().column("offset").to_pylist()
    assert sorted(offsets) == list(range(writer.written))
    assert archive.positions()[("hostile", 0)] == writer.written - 1
    assert archive.query('SELECT count(*) AS n FROM "objects"').column("n")[0].as_py() > 50


def test_a_query_is_cancelled_from_another_thread(archive: DuckDBArchive) -> None:
    cancelled = threading.Event()
    timer = threading.Timer(0.3, cancelled.set)
    timer.start()
    with pytest.raises(QueryCancelledError):
        archive.query(parse(QUERIES["time"], PUBLIC).render("duckdb"), timeout=None, cancelled=cancelled)
    timer.join()
    assert archive.query('SELECT count(*) AS n FROM "objects"').num_rows == 1


def test_a_large_result_is_cut_before_it_fills_the_memory(archive: DuckDBArchive) -> None:
    text = f"SELECT a.band || '{'x' * 15_000}' AS t FROM {CROSSED}"
    with pytest.raises(QueryMemoryError, match="larger than"):
        archive.query(parse(text, PUBLIC).render("duckdb"), max_rows=1_000_000, timeout=60.0)


def test_newly_written_rows_are_no_query_s_memory(tmp_path: Path) -> None:
    """They may fill what DuckDB has; whoever needs the room pushes them out."""
    schema = arrow_schema("rejected")
    noise = np.random.default_rng(1)
    with DuckDBArchive(tmp_path, threads=1, memory_limit="100MB") as archive:
        for first in range(0, 60_000, 2_000):
            rows = [
                dict.fromkeys(schema.names)
                | {"topic": "many", "partition": 0, "offset": offset, "reason": "a test"}
                | {"message": noise.bytes(1_500), "arrivedMjdTai": 61000.0}
                for offset in range(first, first + 2_000)
            ]
            archive.write([], rejected=pa.Table.from_pylist(rows, schema=schema))
        with archive._database.reader() as connection:
            held = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
            assert connection.execute(held).fetchone()[0] > 70e6
        long = "SELECT sum(hash(a.range + b.range) % 7) AS n FROM range(30000) AS a, range(1000) AS b"
        assert archive.query(long, timeout=None).num_rows == 1


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM objects",
        "SELECT 1; SELECT 2",
        "CREATE TABLE x (a INT)",
        "SELECT * FROM read_text('/etc/passwd')",
        "SET threads = 8",
        "ATTACH ':memory:' AS m",
        "SELECT",
        "",
    ],
)
def test_the_archive_itself_takes_no_more_than_a_select(archive: DuckDBArchive, text: str) -> None:
    with pytest.raises(QueryError):
        archive.query(text)


def test_a_hostile_filter_on_a_batch_can_be_stopped() -> None:
    objects = pa.Table.from_pylist(
        [{"diaObjectId": i, "ra": float(i)} for i in range(3000)], arrow_schema("objects")
    )
    frame = BatchFrame({"objects": objects})
    plan = StreamPlan(
        parse(
            "SELECT COUNT(*) AS n FROM objects a, objects b, objects c, objects d WHERE a.ra + b.ra > c.ra * d.ra"
        )
    )
    StreamPlan(parse("SELECT COUNT(*) AS n FROM objects")).run(frame)
    timer = threading.Timer(0.3, frame.interrupt)
    timer.start()
    with pytest.raises(Refused, match="fails on a batch"):
        plan.run(frame)
    timer.join()
    assert StreamPlan(parse("SELECT COUNT(*) AS n FROM objects")).run(frame).rows.to_pylist() == [{"n": 3000}]


def test_conditions_negated_again_and_again_take_no_longer() -> None:
    deep = "NOT (" * 24 + "ra > 1" + ")" * 24
    assert parse(f"SELECT ra FROM objects WHERE {deep}").columns
