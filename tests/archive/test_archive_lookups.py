"""Looking up: against brute force over everything that was written."""

from __future__ import annotations

import gzip
import io
import struct
import threading
import time
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asking import ask
from astropy.io import fits
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import (
    CONE_COLUMNS,
    ArchiveCorruptError,
    QueryCancelledError,
    QueryError,
    QueryTimeoutError,
)
from lasair_broker.archive._images import fits_bytes, png_of_fits
from lasair_broker.schema import TABLES, SchemaError
from lasair_broker.sky import separation_arcsec

OBJECTS = 120


@pytest.fixture(scope="module")
def sky() -> list[Packet]:
    """Objects in clumps, among them one at a pole and some on either side of the meridian."""
    random = np.random.default_rng(4)
    centres = [(0.0, 0.0), (359.9999, 20.0), (77.0, 90.0), (200.0, -45.0)]
    out = []
    for key in range(1, OBJECTS + 1):
        ra, decl = centres[key % 4]
        ra = (ra + random.normal(0, 0.001)) % 360
        decl = float(np.clip(decl + random.normal(0, 0.001), -90, 90))
        times = np.sort(random.uniform(60_000, 60_300, int(random.integers(1, 30))))
        rows = tuple(Row(key * 1000 + n, float(t), float(n), "ugrizy"[n % 6]) for n, t in enumerate(times, 1))
        limits = tuple(Row(0, float(t) + 0.5, 3.0, "g") for t in times[:3])
        out.append(Packet(key, rows[-1].id, rows[-1].time, rows, rows[1:], limits, ra=ra, decl=decl))
    return out


@pytest.fixture(scope="module")
def filled(lasting_places, sky):
    """A third of the objects sorted in, a third in a run of their own, a third recent."""
    with lasting_places() as archive:
        archive.write([batch_of(sky[:40], arrived=61_000.0)])
        archive.compact()
        archive._settle_bytes = 0
        archive.write([batch_of(sky[40:80], first_offset=40, arrived=61_001.0)])
        archive._settle_bytes = 1 << 40
        archive.write([batch_of(sky[80:], first_offset=80, arrived=61_002.0)], None, {("alerts", 0): OBJECTS})
        yield archive


def test_objects_by_number_and_by_name(filled, sky):
    for packet in sky[::7]:
        for key in (packet.diaObjectId, f"name{packet.diaObjectId}", str(packet.diaObjectId)):
            found = filled.object(key).to_pylist()
            assert [(row["diaObjectId"], row["ra"], row["decl"]) for row in found] == [
                (packet.diaObjectId, packet.ra, packet.decl)
            ]
    for key in (0, -5, 10**18, "nobody", "name", "'; DROP TABLE objects; --"):
        assert filled.object(key).num_rows == 0
    assert filled.object(3, ["decl", "objectName"]).to_pylist() == [
        {"decl": sky[2].decl, "objectName": "name3"}
    ]
    assert filled.object(0, ["decl"]).column_names == ["decl"]
    assert filled.object(1).column_names == [column.name for column in TABLES["objects"].columns]


def test_light_curves_one_by_one_and_all_at_once(filled, sky):
    wanted = [packet.diaObjectId for packet in sky]
    for ids in (wanted[:3], wanted[::3], [5, 5, 10**9], []):
        together = filled.light_curves(ids)
        for name, kind in (
            ("diaSources", "sources"), ("diaForcedSources", "forced"), ("diaNondetectionLimits", "limits")
        ):  # fmt: skip
            expected = [
                (packet.diaObjectId, row.time, row.band)
                for packet in sky
                if packet.diaObjectId in ids
                for row in getattr(packet, kind)
            ]
            rows = getattr(together, name)
            assert rows.column_names == [column.name for column in TABLES[name].columns]
            found = list(
                zip(
                    *(rows.column(n).to_pylist() for n in ("diaObjectId", "midpointMjdTai", "band")),
                    strict=True,
                )
            )
            assert found == expected
            single = pa.concat_tables(
                [getattr(filled.light_curve(key), name) for key in sorted({*ids} or {-1})]
            )
            assert single == rows


def test_columns_of_light_curves(filled):
    curve = filled.light_curve(1, {"diaSources": ["psfFlux", "band"]})
    assert curve.diaSources.column_names == ["psfFlux", "band"]
    assert curve.diaSources.column("psfFlux").to_pylist() == [
        float(n) for n in range(1, len(curve.diaSources) + 1)
    ]
    assert len(curve.diaForcedSources.column_names) == len(TABLES["diaForcedSources"].columns)
    with pytest.raises(SchemaError, match="psfFlux"):
        filled.light_curve(1, {"diaSources": ["psfFlx"]})
    with pytest.raises(ValueError, match="diaSources"):
        filled.light_curve(1, {"objects": ["ra"]})


@pytest.mark.parametrize("radius", [0.0, 0.5, 5.0, 60.0, 3600.0, 200_000.0, 648_000.0])
def test_cones_against_brute_force(filled, sky, radius):
    ra = np.array([packet.ra for packet in sky])
    decl = np.array([packet.decl for packet in sky])
    for centre in (
        (sky[0].ra, sky[0].decl),
        (sky[2].ra, sky[2].decl),
        (0.0, 0.0),
        (359.9999, 20.0),
        (10.0, 90.0),
    ):
        separation = separation_arcsec(ra, decl, *centre)
        inside = np.flatnonzero(separation <= radius)
        inside = inside[np.argsort(separation[inside], kind="stable")]
        found = filled.cone(*centre, radius, ["diaObjectId", "ra"])
        assert found.column_names == ["diaObjectId", "ra", "separationArcsec"]
        assert sorted(found.column("diaObjectId").to_pylist()) == sorted(sky[n].diaObjectId for n in inside)
        np.testing.assert_allclose(found.column("separationArcsec"), separation[inside], atol=1e-9)
        for row in found.to_pylist():
            assert row["ra"] == sky[row["diaObjectId"] - 1].ra
    assert filled.cone(sky[0].ra, sky[0].decl, 1.0).column_names == [*CONE_COLUMNS, "separationArcsec"]
    everything = [column.name for column in TABLES["objects"].columns]
    (row,) = filled.object(sky[0].diaObjectId).to_pylist()
    found = filled.cone(sky[0].ra, sky[0].decl, 1.0, everything).drop_columns(["separationArcsec"])
    assert row in found.to_pylist()


def test_alerts_and_their_images(filled, sky):
    for packet in sky[::11]:
        datum, schema_json = filled.alert_bytes(packet.diaSourceId)
        assert datum == packet.datum()
        assert schema_json == '{"type": "string"}'
        for which in ("Difference", "Science", "Template"):
            assert filled.cutout(packet.diaSourceId, which) == packet.image(which)
    assert filled.cutout(5, "Science") is None
    assert filled.cutout_png(5, "Science") is None
    assert filled.alert_bytes(5) is None
    with pytest.raises(ValueError, match="Difference"):
        filled.cutout(sky[0].diaSourceId, "Sciense")


def replayed(batches) -> list[tuple[int, bytes]]:
    return [
        (key, batch.payloads.bytes(n))
        for batch in batches
        for n, key in enumerate(batch.alerts.column("diaSourceId").to_pylist())
    ]


def test_replay_gives_what_was_asked_for(filled, sky):
    def expected(packets):
        return [(packet.diaSourceId, packet.datum()) for packet in packets]

    assert replayed(filled.replay()) == expected(sky)
    assert [len(batch.payloads) for batch in filled.replay(batch_alerts=50)] == [50, 50, 20]
    assert replayed(filled.replay(arrivedMjdTai=(61_001.0, 61_002.0))) == expected(sky[40:80])
    late = [packet for packet in sky if packet.time >= 60_200]
    assert replayed(filled.replay(midpointMjdTai=(60_200.0, 60_300.0))) == expected(late)
    assert replayed(filled.replay(diaObjectIds=[3, 100, 10**9])) == expected([sky[2], sky[99]])
    assert replayed(filled.replay(diaSourceIds=[sky[7].diaSourceId])) == expected([sky[7]])
    assert list(filled.replay(diaSourceIds=[])) == []
    (batch,) = filled.replay(diaObjectIds=[50])
    assert batch.alerts.column("offset").to_pylist() == [49]
    assert batch.payloads.schema_json == '{"type": "string"}'


def test_replay_from_a_torn_pack_is_refused(places, sky):
    with places() as archive:
        archive.write([batch_of(sky)])
        (pack,) = (places.folder / "archive" / "packs").glob("*.pack")
        with pack.open("r+b") as file:
            file.truncate(10_000)
        with pytest.raises(ArchiveCorruptError, match="lost its end"):
            list(archive.replay())
        with pytest.raises(ArchiveCorruptError):
            archive.cutout(sky[-1].diaSourceId, "Template")
        assert any("lost its end" in finding.message for finding in archive.check())
        # An alert whose bytes are lost is stored again when it comes again.
        assert archive.write([batch_of(sky[-1:])]).alerts == 1
        assert archive.alert_bytes(sky[-1].diaSourceId)[0] == sky[-1].datum()
        pack.unlink()
        with pytest.raises(ArchiveCorruptError, match="cannot be read"):
            list(archive.replay(diaObjectIds=[1]))


def test_queries_are_one_select(filled):
    assert filled.query("SELECT count(*) AS n FROM objects").to_pylist() == [{"n": OBJECTS}]
    named = 'WITH o AS (SELECT * FROM objects) SELECT max("diaObjectId") AS n FROM o'
    assert filled.query(named).to_pylist() == [{"n": 120}]
    for sql in (
        "DELETE FROM objects", "SELECT 1; SELECT 2", "", "DROP VIEW objects", "ATTACH '/tmp/other.duckdb'",
        "COPY objects TO '/tmp/objects.csv'", "SET threads = 1", "PRAGMA enable_profiling", "CHECKPOINT",
        "SELEC 1", "SELECT * FROM nothing", "SELECT nosuch FROM objects", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')", "INSTALL httpfs", "CREATE TABLE t (a INT)", "SELECT 1 / 'a'",
        "SELECT 1) AS a; DELETE FROM objects; SELECT (1", "SELECT 1; SELECT 2; --",
        "WITH gone AS (DELETE FROM objects RETURNING 1) SELECT * FROM gone", "VALUES (1); COMMIT",
        "SELECT pg_read_file('/etc/passwd')", "SELECT * FROM pg_authid", "TABLE pg_shadow",
        "SELECT setval('objects', 1)", "COPY objects TO PROGRAM 'id'",
    ):  # fmt: skip
        with pytest.raises(QueryError):
            filled.query(sql)
    assert filled.query("SELECT count(*) AS n FROM objects").to_pylist() == [{"n": OBJECTS}]


def test_queries_are_bounded(filled):
    numbers = "range(0, %d) r(n)" if filled.engine == "duckdb" else "generate_series(1, %d) r(n)"
    assert filled.query(f"SELECT * FROM {numbers % 100_000}", max_rows=10).num_rows == 10
    assert filled.query(f"SELECT * FROM {numbers % 123_456}", max_rows=None).num_rows == 123_456
    assert filled.query("SELECT * FROM objects", max_rows=0).num_rows == 0
    assert filled.query("SELECT ra FROM objects WHERE FALSE").column_names == ["ra"]
    million = f"(SELECT * FROM {numbers % 1_000_000})"
    long = f"SELECT count(*) FROM {million} a, {million} b WHERE a.n * b.n % 1000003 = 7"
    started = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"0\.3 seconds"):
        filled.query(long, timeout=0.3)
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    with pytest.raises(QueryCancelledError):
        filled.query(long, timeout=60, cancelled=cancelled)
    assert time.monotonic() - started < 20
    # The connection is as good as before.
    for _ in range(3):
        assert filled.query("SELECT 1 AS n", timeout=5).to_pylist() == [{"n": 1}]


def test_status(filled, sky):
    status = filled.status()
    assert status.engine == filled.engine
    assert status.tables["objects"].rows == OBJECTS
    assert status.tables["diaSources"].rows == sum(len(packet.sources) for packet in sky)
    unsorted = sum(len(packet.sources) for packet in sky[80:])
    assert status.tables["diaSources"].recent_rows == (unsorted if filled.engine == "duckdb" else 0)
    assert status.positions == {("alerts", 0): OBJECTS}
    assert status.newestSourceMjdTai == max(packet.time for packet in sky)
    assert status.newestAlertMjdTai == 61_002.0
    assert status.packs == 1
    assert status.pack_bytes >= sum(len(packet.datum()) for packet in sky)
    assert status.bytes_per_alert == (status.pack_bytes + status.database_bytes) / OBJECTS
    assert status.tables["objects"].bytes > 0


def test_status_of_nothing(archive):
    status = archive.status()
    assert status.bytes_per_alert == 0.0
    assert (status.newestSourceMjdTai, status.newestAlertMjdTai, status.packs) == (None, None, 0)


def test_export(filled, tmp_path):
    seen = []
    written = filled.export_parquet(tmp_path / "out", progress=lambda what, share: seen.append(share))
    assert set(written) == set(TABLES)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    for name, rows in written.items():
        files = sorted((tmp_path / "out" / name).rglob("*.parquet"))
        tables = [pq.read_table(file, partitioning=None) for file in files]
        assert sum(map(len, tables)) == rows
        if rows:
            found = pa.concat_tables(tables)
            expected = ask(filled, f"SELECT * FROM {name} ORDER BY ALL")
            key = [(column, "ascending") for column in TABLES[name].primary_key]
            for column in expected.column_names:
                assert found.sort_by(key).column(column) == expected.sort_by(key).column(column), (
                    name,
                    column,
                )
    assert not list((tmp_path / "out").rglob("*.partial"))
    cell = next((tmp_path / "out" / "objects" / "Norder=1").iterdir())
    for file in cell.glob("*.parquet"):
        cells = pq.read_table(file, partitioning=None).column("healpix29").to_numpy()
        assert {int(c) >> 56 for c in cells} == {int(cell.name.removeprefix("Npix="))}
        assert (np.diff(cells) >= 0).all()
    assert filled.export_parquet(tmp_path / "one", ["cutouts"]) == {"cutouts": OBJECTS}
    with pytest.raises(SchemaError, match="cutouts"):
        filled.export_parquet(tmp_path / "two", ["cutout"])


def test_readers_see_whole_batches_while_one_writes(archive):
    """Every batch adds one detection to each object: a reader never sees them differ."""
    stop = threading.Event()
    wrong: list[object] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            rows = ask(
                archive,
                "SELECT min(n) AS low, max(n) AS high, (SELECT max(nDiaSources) FROM objects) AS said FROM "
                "(SELECT diaObjectId, count(*) AS n FROM diaSources GROUP BY diaObjectId) c",
            ).to_pylist()[0]
            if len({*rows.values()}) > 1:
                wrong.append(rows)
            archive.object(3)
            archive.light_curve(3)
            reads += 1

    threads = [threading.Thread(target=read) for _ in range(2)]
    archive.write([batch_of(grow(1))])
    for thread in threads:
        thread.start()
    for count in range(2, 12):
        archive.write([batch_of(grow(count))])
        if count == 6:
            archive.compact()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert reads > 0


def grow(count: int) -> list[Packet]:
    out = []
    for key in range(1, 30):
        rows = tuple(Row(key * 100 + n, 60_000.0 + n) for n in range(1, count + 1))
        out.append(Packet(key, rows[-1].id, rows[-1].time, rows))
    return out


def fits_file(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    fits.PrimaryHDU(pixels).writeto(file)
    return file.getvalue()


def grey_of(png: bytes) -> np.ndarray:
    """A reader of 8-bit grey PNG, which checks every checksum."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, shape = 8, b"", (0, 0)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + content)
        if kind == b"IHDR":
            width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", content)
            assert (depth, colour) == (8, 0)
            shape = (height, width)
        data += content if kind == b"IDAT" else b""
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape[0], shape[1] + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


def test_pictures():
    random = np.random.default_rng(1)
    pixels = random.normal(0, 1, (30, 20)).astype(np.float32)
    pixels[2, 3] = 500.0
    pixels[29, 19] = np.nan
    grey = grey_of(png_of_fits(fits_file(pixels), 60))
    assert grey.shape == (60, 40)
    # The first row of FITS is at the bottom.
    assert (grey[60 - 6 : 60 - 4, 6:8] == 255).all()
    assert (grey[0:2, 38:40] == 128).all()
    assert grey_of(png_of_fits(fits_file(np.full((5, 5), 3.0)), 5)).shape == (5, 5)
    assert (grey_of(png_of_fits(fits_file(np.full((4, 4), np.nan)), 8)) == 128).all()
    assert grey_of(png_of_fits(fits_file(np.zeros((2, 7, 9))), 9)).shape == (7, 9)
    with pytest.raises(ValueError, match="pixel"):
        png_of_fits(fits_file(pixels), 0)


def test_images_that_are_none():
    whole = fits_file(np.zeros((4, 4)))
    assert fits_bytes(gzip.compress(whole)) == whole == fits_bytes(whole)
    for damaged in (
        b"",
        b"GIF89a",
        gzip.compress(whole)[:-20],
        gzip.compress(b"no"),
        gzip.compress(whole)[:30],
    ):
        with pytest.raises(ArchiveCorruptError):
            fits_bytes(damaged)
    for damaged in (whole[:100], b"SIMPLE  = nonsense", fits_file(np.zeros(0))):
        with pytest.raises(ArchiveCorruptError):
            png_of_fits(damaged, 10)
