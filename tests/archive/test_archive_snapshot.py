"""The columnar snapshot of an archive in PostgreSQL: the same rows as the server alone, at every moment."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_places import Places, Server
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive, ArchiveError, Rematch
from lasair_broker.archive.postgresql import PostgreSQLArchive, SnapshotPlace, _committer
from lasair_broker.archive.postgresql.snapshot import _columnar, _manifest, _refresh
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.schema import arrow_schema

QUERIES = (
    "SELECT diaObjectId, ra, decl, nDiaSources, lastDiaSourceMjdTai FROM objects",
    "SELECT diaObjectId FROM objects WHERE nDiaSources > 2 AND ra < 200 AND decl > -90",
    "SELECT count(*) AS n, max(lastDiaSourceMjdTai) AS newest, min(nDiaSources) AS fewest FROM objects",
    "SELECT nDiaSources, count(*) AS n FROM objects GROUP BY nDiaSources",
    "SELECT o.diaObjectId, a.topic, a.classification FROM objects o JOIN annotations a "
    "ON o.diaObjectId = a.diaObjectId",
    "SELECT o.diaObjectId, w.wl_id FROM objects o LEFT JOIN watchlist_hits w "
    "ON o.diaObjectId = w.diaObjectId",
    "SELECT diaObjectId, topic FROM annotations WHERE topic LIKE 'a%'",
    "SELECT o.diaObjectId, t.tns_name FROM objects o, crossmatch_tns t WHERE t.z > 0.1",
    "SELECT diaObjectId FROM objects WHERE diaObjectId NOT IN (SELECT diaObjectId FROM area_hits)",
)


@pytest.fixture
def place(tmp_path: Path) -> SnapshotPlace:
    return SnapshotPlace(tmp_path / "snapshot")


@pytest.fixture
def archive(
    server: Server, tmp_path: Path, place: SnapshotPlace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgreSQLArchive]:
    """An archive that answers from a snapshot whatever it can."""
    monkeypatch.setattr(_columnar, "_DEAR", -1.0)
    places = Places("postgresql", tmp_path, server)
    with PostgreSQLArchive(places.url(), tmp_path / "packs", snapshot=place) as opened:
        yield opened
    places.close()


def curve(key: int, count: int) -> Packet:
    """An alert of an object somewhere on the sky."""
    rows = tuple(Row(key * 1000 + n, 60_000.0 + n, float(n)) for n in range(1, count + 1))
    return Packet(key, rows[-1].id, rows[-1].time, rows, (), ra=(key * 37.3) % 360.0)


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(name)
    return pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema)


def annotation(key: int, topic: str) -> dict[str, Any]:
    filled = {field.name: "" for field in arrow_schema("annotations") if pa.types.is_string(field.type)}
    return {**filled, "diaObjectId": key, "topic": topic, "classification": f"{topic}{key}"}


def answers(archive: Archive, text: str) -> tuple[pa.Table, pa.Table]:
    """What the archive finds by the way it chooses, and what the server alone finds."""
    query = parse(text, ARCHIVE)
    return archive.query(query.render), archive.query(query.render("postgresql"))


def in_order(rows: pa.Table) -> list[Any]:
    return sorted(map(repr, zip(*(column.to_pylist() for column in rows.columns), strict=True)))


def same(archive: Archive) -> None:
    for text in QUERIES:
        found, expected = answers(archive, text)
        assert b"answered_by" in (found.schema.metadata or {}), text
        assert found.schema.equals(expected.schema), text
        assert in_order(found) == in_order(expected), text


def test_the_same_rows_before_and_after_each_change(archive: PostgreSQLArchive, place: SnapshotPlace) -> None:
    archive.write([batch_of([curve(key, 1) for key in range(1, 60)])])
    tns = [{"tns_name": name, "ra": 1.0, "decl": 2.0, "z": z} for name, z in (("2026a", 0.2), ("2026b", 0.0))]
    archive.write([], tables={"crossmatch_tns": table("crossmatch_tns", tns)})
    first = archive.refresh_snapshot()
    assert first is not None
    assert (first.anew, first.objects) == (True, 59)
    same(archive)

    dice = random.Random(3)
    for step in range(1, 6):
        packets = [curve(key, step + 1) for key in dice.sample(range(1, 80), 9)]
        archive.write([batch_of(packets)])
        key = dice.randrange(1, 90)  # also of an object that is not there yet
        archive.write([], tables={"annotations": table("annotations", [annotation(key, dice.choice("ab"))])})
        hits = table("watchlist_hits", [{"diaObjectId": key, "wl_id": 7, "cone_id": 1, "arcsec": 0.5}])
        archive.replace_list_hits("watchlist_hits", 7, hits, first=step % 3 == 0)
        areas = table("area_hits", [{"diaObjectId": key, "ar_id": 4}])
        archive.rematch({"area_hits": Rematch("diaObjectId", [key], areas)})
        same(archive)
        if step % 2:
            again = archive.refresh_snapshot()
            assert again is not None
            assert not again.anew
            assert 0 < again.objects < 40
            same(archive)
    kept = {str(path.relative_to(place.folder)) for path in place.folder.glob("*/*.parquet")}
    manifest = _manifest.Manifest.read(place.folder)
    assert manifest is not None
    named = {file for cells in manifest.files.values() for files in cells.values() for file in files}
    assert kept == named | set(manifest.superseded)


def test_never_a_torn_read(archive: PostgreSQLArchive, server: Server) -> None:
    """Two objects always have equally many sources, whatever is written and refreshed meanwhile."""
    archive.write([batch_of([curve(1, 1), curve(2, 1)])])
    assert archive.refresh_snapshot() is not None
    ended = threading.Event()

    def write() -> None:
        try:
            for count in range(2, 25):
                archive.write([batch_of([curve(1, count), curve(2, count)])])
        finally:
            ended.set()

    def refresh() -> None:
        while not ended.is_set():
            archive.refresh_snapshot()

    threads = [threading.Thread(target=work) for work in (write, refresh)]
    for thread in threads:
        thread.start()
    query = parse("SELECT diaObjectId, nDiaSources FROM objects", ARCHIVE)
    seen = []
    last = False
    while not last:
        last = ended.is_set()
        rows = archive.query(query.render)
        assert b"answered_by" in rows.schema.metadata
        assert rows.num_rows == 2
        counts = rows.column("nDiaSources").to_pylist()
        assert counts[0] == counts[1]
        seen.append(counts[0])
    for thread in threads:
        thread.join()
    assert seen == sorted(seen), "what was once seen stays"
    assert seen[-1] == 24


def test_what_a_snapshot_does_not_serve(
    archive: PostgreSQLArchive, place: SnapshotPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write([batch_of([curve(key, 2) for key in range(1, 5)])])
    objects = parse("SELECT diaObjectId FROM objects WHERE nDiaSources > 1", ARCHIVE)
    assert not archive.query(objects.render).schema.metadata, "there is none yet"
    archive.refresh_snapshot()
    assert archive.query(objects.render).schema.metadata
    sources = parse("SELECT o.diaObjectId FROM objects o JOIN diaSources s "
                    "ON o.diaObjectId = s.diaObjectId", ARCHIVE)  # fmt: skip
    found = archive.query(sources.render)
    assert (found.num_rows, found.schema.metadata) == (8, None)
    monkeypatch.setattr(_columnar, "_DEAR", 10_000.0)
    assert not archive.query(objects.render).schema.metadata, "so few are found faster by the server"
    monkeypatch.setattr(_columnar, "_DEAR", -1.0)
    monkeypatch.setattr(_columnar, "LASTS_SECONDS", -1.0)
    assert not archive.query(objects.render).schema.metadata, "it is too old"
    monkeypatch.setattr(_refresh, "LASTS_SECONDS", -1.0)
    again = archive.refresh_snapshot()
    assert again is not None
    assert again.anew


def test_a_snapshot_of_another_archive_or_none(
    archive: PostgreSQLArchive, place: SnapshotPlace, server: Server, tmp_path: Path
) -> None:
    archive.write([batch_of([curve(key, 2) for key in range(1, 5)])])
    archive.refresh_snapshot()
    query = parse("SELECT diaObjectId FROM objects", ARCHIVE)
    places = Places("postgresql", tmp_path / "other", server)
    with PostgreSQLArchive(places.url(), tmp_path / "others", snapshot=place) as other:
        found = other.query(query.render)
        assert (found.num_rows, found.schema.metadata) == (0, None)
    with PostgreSQLArchive(places.url(), tmp_path / "others") as plain:
        assert plain.query(query.render).num_rows == 0
        with pytest.raises(ArchiveError, match=r"archive\.snapshot"):
            plain.refresh_snapshot()
    places.close()


def test_a_refresh_that_was_broken_off_changes_nothing(
    archive: PostgreSQLArchive, place: SnapshotPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write([batch_of([curve(key, 1) for key in range(1, 20)])])
    archive.refresh_snapshot()
    archive.write([batch_of([curve(key, 2) for key in range(1, 9)])])

    def kill(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_refresh.Manifest, "write", kill)
        with pytest.raises(KeyboardInterrupt):
            archive.refresh_snapshot()
    same(archive)
    done = archive.refresh_snapshot()
    assert done is not None
    assert done.objects == 8
    same(archive)


def test_a_full_cell_is_written_in_little_memory(tmp_path: Path) -> None:
    """Three hundred columns of many objects must not be held all at once."""
    count, chance = 130_000, np.random.default_rng(1)
    columns = {"diaObjectId": np.arange(count), "healpix29": chance.integers(0, 1 << 58, count)}
    schema = arrow_schema("objects")
    for field in schema:
        if pa.types.is_floating(field.type):
            columns[field.name] = chance.normal(size=count).astype(field.type.to_pandas_dtype())
    filled = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in schema
    ]
    rows = pa.table(filled, schema=schema)
    place = SnapshotPlace(tmp_path, "270MB", 2)
    with _refresh._Writer(place, None, 0) as writer:
        writer.cell("objects", 0, rows)
        some = rows.slice(0, 5_000)
        ids = some.select(["diaObjectId"])
        cells = ids.append_column("cell", pa.array(np.zeros(len(ids), np.int64)))
        writer.replace("objects", ids, cells, some)
        (file,) = writer.files["objects"][0]
    assert pq.ParquetFile(tmp_path / file).metadata.num_rows == count


def test_files_that_take_long_to_write_end_no_refresh(
    server: Server, tmp_path: Path, place: SnapshotPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server cuts off who is idle in a transaction, as a frozen worker is; a refresh only seems so."""
    monkeypatch.setitem(_committer.WRITING, "idle_in_transaction_session_timeout", "300")
    write = _refresh._Writer.replace

    def slow(writer: Any, *given: Any) -> None:
        time.sleep(0.5)
        write(writer, *given)

    monkeypatch.setattr(_refresh._Writer, "replace", slow)
    places = Places("postgresql", tmp_path, server)
    with PostgreSQLArchive(places.url(), tmp_path / "packs", snapshot=place) as archive:
        archive.write([batch_of([curve(1, 3)])])
        assert archive.refresh_snapshot() is not None
        archive.write([batch_of([curve(2, 3)])])
        again = archive.refresh_snapshot()
    places.close()
    assert again is not None
    assert (again.anew, again.objects) == (False, 1)
