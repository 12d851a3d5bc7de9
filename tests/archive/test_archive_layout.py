"""Layout: migrations, columns that come later, sorting and compaction that change nothing but the speed."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import numpy as np
import pytest
from packets_model import Model, Packet, Row, agree, batch_of

from lasair_broker import schema
from lasair_broker.archive import ArchiveError, ArchiveVersionError, open_archive
from lasair_broker.archive.duckdb import DuckDBArchive, _migrations, _tables, _upkeep
from lasair_broker.schema import TABLES
from lasair_broker.settings import ArchiveSettings


def some(objects: int, count: int, seed: int = 0) -> list[Packet]:
    random = np.random.default_rng(seed)
    out = []
    for key in range(1, objects + 1):
        rows = tuple(Row(key * 1000 + n, 60_000.0 + n, float(n), "gri"[n % 3]) for n in range(1, count + 1))
        place = {"ra": float(random.uniform(0, 360)), "decl": float(random.uniform(-80, 80))}
        out.append(Packet(key, rows[-1].id, rows[-1].time, rows, rows, **place))
    return out


def all_rows(archive: DuckDBArchive, *names: str):
    return {
        name: archive.query(f"SELECT * FROM {name} ORDER BY ALL", max_rows=None) for name in names or TABLES
    }


def grown(monkeypatch, table: str, **column) -> None:
    """Let the schema have one more column in a table."""
    old = TABLES[table]
    more = schema.Column(description="A column that came later.", **column)
    new = old.model_copy(update={"columns": (*old.columns, more)})
    new.__dict__.pop("by_name", None)
    tables = MappingProxyType({**schema._model.TABLES, table: new})
    for module in ("_model", "_ddl", "_arrow"):
        target = getattr(schema, module)
        if hasattr(target, "TABLES"):
            monkeypatch.setattr(target, "TABLES", tables)
    for module in (_tables, _migrations):
        monkeypatch.setattr(module, "TABLES", tables)
    schema.arrow_schema.cache_clear()


def test_a_column_that_came_later_is_added(tmp_path, monkeypatch):
    with DuckDBArchive(tmp_path) as archive:
        archive.write([batch_of(some(3, 4))])
        archive.compact()
        archive.write([batch_of(some(4, 5))])
        before = all_rows(archive, "diaSources")["diaSources"]
    grown(monkeypatch, "diaSources", name="brandNew", datatype="float")
    grown(monkeypatch, "ssObjects", name="brandNew", datatype="long")
    try:
        with DuckDBArchive(tmp_path) as archive:
            after = all_rows(archive, "diaSources")["diaSources"]
            assert after.column_names == [*before.column_names, "brandNew"]
            assert after.column("brandNew").null_count == len(after)
            assert after.select(before.column_names) == before
            archive.write([batch_of(some(4, 6))])
            archive.compact()
            assert len(archive.light_curve(4).diaSources) == 6
            assert archive.check() == []
    finally:
        monkeypatch.undo()
        schema.arrow_schema.cache_clear()
    # A program that does not know the column yet still reads and writes the archive.
    with DuckDBArchive(tmp_path) as archive:
        archive.write([batch_of(some(4, 7))])
        archive.compact()
        assert len(archive.light_curve(4).diaSources) == 7
        assert "brandNew" not in archive.light_curve(4).diaSources.column_names


def test_migrations_run_once_in_order(tmp_path):
    with DuckDBArchive(tmp_path) as archive:
        archive.write([batch_of(some(2, 3))])
        run = []
        now = _tables.VERSION
        steps = {
            now + 1: lambda c: run.append(1),
            now + 2: lambda c: (run.append(2), c.execute("CREATE TABLE later (a INT)")),
        }
        connection = archive._database.writer
        _migrations.migrate(connection, now + 2, steps)
        _migrations.migrate(connection, now + 2, steps)
        assert run == [1, 2]
        assert archive.query("SELECT * FROM later").num_rows == 0

        def failing(connection):
            connection.execute("CREATE TABLE half (a INT)")
            raise ArchiveError("half way")

        steps = {now + 3: lambda c: c.execute("DROP TABLE later"), now + 4: failing}
        with pytest.raises(ArchiveError, match="half way"):
            _migrations.migrate(connection, now + 4, steps)
        assert connection.execute("SELECT version FROM archive_layout").fetchall() == [(now + 2,)]
        assert archive.query("SELECT * FROM later").num_rows == 0
        with pytest.raises(ArchiveError):
            archive.query("SELECT * FROM half")


def test_an_archive_of_a_newer_program_is_refused(tmp_path):
    with DuckDBArchive(tmp_path) as archive:
        archive._database.writer.execute("UPDATE archive_layout SET version = 99")
    with pytest.raises(ArchiveVersionError, match=r"layout 99.*newer version"):
        DuckDBArchive(tmp_path)
    # It was let go again, not left locked.
    with pytest.raises(ArchiveVersionError):
        DuckDBArchive(tmp_path)


def test_a_column_of_another_type_is_refused(tmp_path):
    with DuckDBArchive(tmp_path) as archive:
        archive._database.writer.execute("ALTER TABLE ssObjects ALTER COLUMN nObs TYPE VARCHAR")
    with pytest.raises(ArchiveError, match="nObs of ssObjects is VARCHAR"):
        DuckDBArchive(tmp_path)


def test_sorting_and_compaction_change_no_row(duckdb_archive, monkeypatch):
    monkeypatch.setattr(_upkeep, "_SLICE_VALUES", 4000)  # many slices
    model = Model()
    for count in (2, 3, 5, 6):
        packets = some(40, count)
        duckdb_archive.write([batch_of(packets)])
        model.write(packets)
        if count == 5:
            _upkeep.settle(duckdb_archive._database.writer)
    duckdb_archive.write(
        [batch_of([Packet(None, 10**6 + n, 60_000.0 + n, ssObjectId=n % 3 or None) for n in range(9)])]
    )
    before = all_rows(duckdb_archive)
    seen: list[tuple[str, float]] = []
    duckdb_archive.compact(lambda what, share: seen.append((what, share)))
    assert all_rows(duckdb_archive) == before
    assert [share for _, share in seen] == sorted(share for _, share in seen)
    assert seen[-1] == ("done", 1.0)
    assert duckdb_archive.check() == []
    agree(duckdb_archive, model, (1, 30, 40))
    for table, order in _tables.SORTED.items():
        rows = duckdb_archive.query(f"SELECT {', '.join(order)} FROM {table}_sorted", max_rows=None)
        assert duckdb_archive.query(f"SELECT * FROM {table}_recent").num_rows == 0
        ordered = sorted(zip(*(column.to_pylist() for column in rows.columns), strict=True), key=none_last)
        assert list(zip(*(column.to_pylist() for column in rows.columns), strict=True)) == ordered, table
    # What is sorted is left alone.
    where = "SELECT max(rowid) AS n FROM diaSources_sorted"
    places = duckdb_archive.query(where).to_pylist()
    duckdb_archive.compact()
    assert duckdb_archive.query(where).to_pylist() == places


def none_last(row):
    return [(value is None, value) for value in row]


def test_batches_are_written_between_the_slices_of_a_compaction(duckdb_archive, monkeypatch):
    monkeypatch.setattr(_upkeep, "_SLICE_VALUES", 10_000)
    duckdb_archive.write([batch_of(some(50, 4))])
    model = Model()
    model.write(some(50, 4))
    counts = iter(range(5, 100))

    def write_more(what: str, share: float) -> None:
        if share < 1.0:
            packets = some(50, next(counts))
            duckdb_archive.write([batch_of(packets)])
            model.write(packets)

    duckdb_archive.compact(write_more)
    assert duckdb_archive.check() == []
    agree(duckdb_archive, model, (1, 25, 50))


def test_an_interrupted_compaction_goes_on(duckdb_archive, monkeypatch):
    monkeypatch.setattr(_upkeep, "_SLICE_VALUES", 2000)
    duckdb_archive.write([batch_of(some(60, 5))])
    before = all_rows(duckdb_archive)
    first: list[str] = []

    class Stop(Exception):  # noqa: N818 - an interruption, no error
        pass

    def stop(what: str, share: float) -> None:
        first.append(what)
        if len(first) == 25:
            raise Stop

    with pytest.raises(Stop):
        duckdb_archive.compact(stop)
    second: list[str] = []
    duckdb_archive.compact(lambda what, share: second.append(what))
    assert first[0] not in second, "a finished table was begun again"
    assert all_rows(duckdb_archive) == before
    third: list[str] = []
    duckdb_archive.compact(lambda what, share: third.append(what))
    assert first[0] in third


def test_opening_by_url_and_settings(tmp_path):
    with open_archive(
        ArchiveSettings(url=f"duckdb://{tmp_path}/a", pack_bytes=1 << 20, threads=1)
    ) as archive:
        archive.write([batch_of(some(1, 1))])
    with open_archive(tmp_path / "a") as archive:
        assert archive.status().tables["objects"].rows == 1
    with pytest.raises(ArchiveError, match="no archive engine for mysql"):
        open_archive("mysql://somewhere/archive")
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ArchiveError):
        open_archive(tmp_path / "file")


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "archive.duckdb").write_bytes(b"nonsense" * 5000)
    with pytest.raises(ArchiveError, match=r"archive\.duckdb"):
        DuckDBArchive(tmp_path)


def test_check_finds_what_is_wrong(duckdb_archive):
    duckdb_archive.write([batch_of(some(5, 4))])
    connection = duckdb_archive._database.writer
    assert duckdb_archive.check() == []

    def finds(*words: str) -> bool:
        found = [dataclasses.astuple(finding) for finding in duckdb_archive.check()]
        return any(all(word in " ".join(finding) for word in words) for finding in found)

    for statement, words in (
        (
            "INSERT INTO diaSources_recent SELECT * FROM diaSources WHERE diaSourceId = 1002",
            ("diaSources", "once"),
        ),
        ("DELETE FROM diaForcedSources_recent WHERE diaObjectId = 2", ("diaForcedSources", "not as many")),
        ("UPDATE diaSources_recent SET diaSourceId = 7 WHERE diaSourceId = 3003", ("other rows", "3")),
        ("DELETE FROM object_ledger_recent WHERE diaObjectId = 4", ("does not know",)),
        ("DELETE FROM objects_recent WHERE diaObjectId = 5", ("object_ledger", "not in objects")),
        ("UPDATE alerts_recent SET packOffset = packOffset + 1 WHERE diaObjectId = 1", ("no datum",)),
        ("UPDATE alerts_recent SET schemaFingerprint = 1", ("schema that is not there",)),
        ("UPDATE cutouts_recent SET pack = 'other.pack'", ("no alert around them",)),
        ("UPDATE diaSources_recent SET healpix29 = 5 WHERE diaObjectId = 1", ("another cell",)),
        ("UPDATE archive_packs SET length = length + 4096", ("lost its end",)),
    ):
        assert not finds(*words), words
        connection.begin()
        connection.execute(statement)
        connection.commit()
        assert finds(*words), words
