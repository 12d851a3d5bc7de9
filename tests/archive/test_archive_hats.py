"""Exports in HATS layout, read by LSDB as their users do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lsdb
import numpy as np
import pyarrow.dataset as ds
import pytest
from asking import ask
from packets_model import Packet, Row, batch_of
from typer.testing import CliRunner

from lasair_broker.archive import Archive, ArchiveError
from lasair_broker.archive._hats import export_hats
from lasair_broker.cli._app import app
from lasair_broker.sky import healpix29

NIGHT = 61_000  # 2025-11-21
OBJECTS = 400


def packets() -> list[Packet]:
    """Objects all over the sky and in one crowded field, some seen in two nights."""
    random = np.random.default_rng(8)
    ra = np.concatenate(
        [random.uniform(0, 360, OBJECTS // 2), random.normal(359.99, 0.02, OBJECTS // 2) % 360]
    )
    decl = np.concatenate(
        [np.degrees(np.arcsin(random.uniform(-1, 1, OBJECTS // 2))), random.normal(0, 0.02, OBJECTS // 2)]
    )
    out = []
    for number in range(1, OBJECTS + 1):
        rows = [Row(number * 10, NIGHT + 0.7, flux=float(number))]
        if number % 3 == 0:
            rows.append(Row(number * 10 + 1, NIGHT + 1.8))
        out.append(
            Packet(
                number,
                rows[-1].id,
                rows[-1].time,
                tuple(rows),
                ra=float(ra[number - 1]),
                decl=float(decl[number - 1]),
            )
        )
    return out


@pytest.fixture
def filled(places: Any) -> Iterator[Archive]:
    with places() as archive:
        archive.write([batch_of(packets())])
        yield archive


def test_lsdb_reads_what_was_exported(filled: Archive, tmp_path: Path) -> None:
    written = filled.export_hats(tmp_path / "hats")
    assert written["objects"] == OBJECTS
    assert written["diaSources"] == OBJECTS + OBJECTS // 3
    objects = lsdb.open_catalog(tmp_path / "hats" / "objects")
    frame = objects.compute()
    stored = ask(filled, "SELECT diaObjectId, ra, decl FROM objects ORDER BY diaObjectId")
    frame = frame.sort_values("diaObjectId")
    for name in ("diaObjectId", "ra", "decl"):
        np.testing.assert_array_equal(frame[name].to_numpy(), stored.column(name).to_numpy())
    near = objects.cone_search(ra=0.0, dec=0.0, radius_arcsec=180.0).compute()
    expected = {row["diaObjectId"] for row in filled.cone(0.0, 0.0, 180.0, ["diaObjectId"]).to_pylist()}
    assert set(near["diaObjectId"].tolist()) == expected
    assert 0 < len(expected) < OBJECTS
    sources = lsdb.open_catalog(tmp_path / "hats" / "diaSources")
    held = ask(filled, "SELECT diaSourceId FROM diaSources ORDER BY diaSourceId").column(0).to_pylist()
    assert sorted(sources.compute()["diaSourceId"].tolist()) == held


def test_cells_are_as_small_as_they_must_be(filled: Archive, tmp_path: Path) -> None:
    from lasair_broker.archive.duckdb import DuckDBArchive

    if not isinstance(filled, DuckDBArchive):
        reading: Any = filled._pool.snapshot  # type: ignore[attr-defined]  # the session of a reader
        with reading() as session:
            export_hats(session, tmp_path, None, None, partition_rows=50)
    else:
        from lasair_broker.archive.duckdb._rows import DuckDBReading

        with filled._database.reader() as connection:
            export_hats(DuckDBReading(connection), tmp_path, None, None, partition_rows=50)
    lines = (tmp_path / "objects" / "partition_info.csv").read_text().split()[1:]
    cells = [tuple(map(int, line.split(","))) for line in lines]
    assert sum(rows for _, _, rows in cells) == OBJECTS
    assert all(rows <= 50 or order == 8 for order, _, rows in cells)
    assert len({order for order, _, _ in cells}) > 2
    for order, cell, rows in cells:
        path = tmp_path / "objects" / "dataset" / f"Norder={order}" / "Dir=0" / f"Npix={cell}.parquet"
        if cell >= 10_000:
            path = path.parent.parent / f"Dir={cell // 10_000 * 10_000}" / path.name
        table = ds.dataset(path).to_table()
        own = healpix29(table.column("ra").to_numpy(), table.column("decl").to_numpy())
        np.testing.assert_array_equal(own, table.column("_healpix_29").to_numpy())
        assert table.num_rows == rows
        assert np.all(np.diff(own) >= 0)
        assert set((own >> (2 * (29 - order))).tolist()) == {cell}
    found = lsdb.open_catalog(tmp_path / "objects").cone_search(ra=0.0, dec=0.0, radius_arcsec=60).compute()
    near = filled.cone(0.0, 0.0, 60.0, ["diaObjectId"]).column(0).to_pylist()
    assert sorted(found["diaObjectId"].tolist()) == sorted(near)


def test_a_night(filled: Archive, places: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.close()
    if places.engine == "postgresql":
        monkeypatch.setenv("LASAIR_ARCHIVE__PACKS", str(places.folder / "archive" / "packs"))
    command = ["archive", "export", str(tmp_path / "out"), "--archive", places.url()]
    done = CliRunner().invoke(app, [*command, "--hats", "--night", "2025-11-22"])
    assert done.exit_code == 0, done.output
    night = tmp_path / "out" / "2025-11-22"
    for name, expected in (("diaSources", OBJECTS // 3), ("objects", OBJECTS // 3)):
        frame = lsdb.open_catalog(night / name).compute()
        assert len(frame) == expected
        assert set(frame["diaObjectId"].to_numpy() % 3) == {0}
    assert not list(night.glob("*.partial"))
    again = CliRunner().invoke(app, [*command, "--hats", "--night", "2025-11-22"])
    assert isinstance(again.exception, ArchiveError) or "is there already" in again.output
    assert CliRunner().invoke(app, [*command, "--night", "2025-11-22"]).exit_code == 2
