"""Back-up and restore as docs/runbook.md says: what comes back is whole, and the stream goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from private_server import PrivateServer, program
from psycopg.conninfo import conninfo_to_dict

from lasair_broker.archive import Archive
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.packets import AlertBatch, SchemaStore, decode
from lasair_broker.packets.simulator import Simulation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batches() -> list[AlertBatch]:
    """Two visits of one field, in four batches."""
    simulation = Simulation(num_fields=1, num_nights=1, alerts_per_visit=150)
    store = SchemaStore()
    found = [batch for messages in simulation.alerts() for batch in decode(messages, store)[0]]
    assert len(found) >= 2
    return found


def url(conninfo: str, database: str) -> str:
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}@/{database}?host={parts['host']}"


def run(conninfo: str, name: str, *arguments: str) -> None:
    """A program of PostgreSQL's, connected to the server of the test."""
    parts = conninfo_to_dict(conninfo)
    where = {"PGHOST": str(parts["host"]), "PGUSER": str(parts["user"])}
    subprocess.run([program(name), *arguments], check=True, env={**os.environ, **where}, timeout=300)


def told(archive: Archive) -> dict[str, Any]:
    """All that an archive holds, in short."""
    names = ("objects", "diaSources", "diaForcedSources", "alerts", "cutouts", "object_ledger")
    tables = archive.status().tables
    key = archive.query('SELECT "diaSourceId" FROM cutouts ORDER BY 1').column(0)
    images = [archive.cutout(number.as_py(), "Science") for number in key]
    return {
        "rows": {name: tables[name].rows for name in names},
        "positions": archive.positions(),
        "images": images,
    }


def sound(archive: Archive) -> bool:
    return not [finding for finding in archive.check() if finding.severity == "error"]


@pytest.fixture
def source(postgresql: str, tmp_path: Path) -> Iterator[str]:
    """A database of this test."""
    name = f"backup_{tmp_path.name.replace('-', '_')}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield name
        for database in (name, f"{name}_again"):
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def test_a_dump_and_the_packs(
    postgresql: str, source: str, batches: list[AlertBatch], tmp_path: Path
) -> None:
    """The tables first, then the packs, while workers write: whatever the tables point to is in the packs."""
    again = f"{source}_again"
    with PostgreSQLArchive(url(postgresql, source), tmp_path / "packs") as archive:
        archive.write(batches[:1], None, {("alerts", 0): 1})
        saved = told(archive)
        run(postgresql, "pg_dump", "--format=custom", f"--file={tmp_path}/lasair.dump", source)
        archive.write(batches[1:], None, {("alerts", 0): len(batches)})
        shutil.copytree(tmp_path / "packs", tmp_path / "saved-packs")
        whole = told(archive)
        assert whole["rows"]["alerts"] > saved["rows"]["alerts"]

    run(postgresql, "createdb", again)
    run(postgresql, "pg_restore", "--exit-on-error", f"--dbname={again}", f"{tmp_path}/lasair.dump")
    with PostgreSQLArchive(url(postgresql, again), tmp_path / "saved-packs") as restored:
        assert told(restored) == saved
        assert sound(restored)
        (position,) = restored.positions().values()
        restored.write(batches[position:], None, {("alerts", 0): len(batches)})  # Kafka gives them again
        assert told(restored) == whole
        assert sound(restored)


def test_a_base_backup(postgresql: str, source: str, batches: list[AlertBatch], tmp_path: Path) -> None:
    """The files of a whole server, copied while it runs."""
    place = Path(tempfile.mkdtemp(prefix="base-"))
    try:
        with PostgreSQLArchive(url(postgresql, source), tmp_path / "packs") as archive:
            archive.write(batches, None, {("alerts", 0): len(batches)})
            saved = told(archive)
            where = f"--pgdata={place}/data"
            run(postgresql, "pg_basebackup", where, "--checkpoint=fast", "--wal-method=stream")
        with (
            PrivateServer(place / "data") as server,
            PostgreSQLArchive(server.url(source), tmp_path / "packs") as restored,
        ):
            assert told(restored) == saved
            assert sound(restored)
            assert restored.write(batches, None, {}).alerts == 0
    finally:
        shutil.rmtree(place, ignore_errors=True)
