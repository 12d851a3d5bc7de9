"""Connections that the server has cut off, as a restart does, are not a reader's trouble once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from archive_places import Places, Server
from asking import ask
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive, ArchiveAwayError
from lasair_broker.archive.postgresql import _session

KEY = 7


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Places]:
    places = Places("postgresql", tmp_path, server)
    yield places
    places.close()


@pytest.fixture
def archive(site: Places) -> Archive:
    found: Archive = site()
    found.write([batch_of([Packet(KEY, 70, 60_000.0, (Row(70, 60_000.0, 1.0),), ())])])
    return found


def cut_off(url: str) -> int:
    """End all other connections of a database, as the server does when it is stopped."""
    with psycopg.connect(url, autocommit=True) as connection:
        sql = (
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        return len(connection.execute(sql).fetchall())


def test_the_first_reading_after_a_restart_succeeds(
    archive: Archive, site: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A restart takes longer than a session is trusted; cutting connections off does not.
    monkeypatch.setattr(_session, "_FRESH_SECONDS", 0.0)

    def read() -> list[object]:
        return [
            archive.object(KEY).num_rows,
            archive.light_curve(KEY).diaSources.num_rows,
            archive.positions(),
            ask(archive, "SELECT diaObjectId FROM objects").column(0).to_pylist(),
        ]

    before = read()
    assert before[0] == before[1] == 1
    for _ in range(2):
        assert cut_off(site.url()) >= 2
        assert read() == before


def test_writing_goes_on_once_it_has_failed(archive: Archive, site: Places) -> None:
    again = batch_of([Packet(KEY, 71, 60_001.0, (Row(70, 60_000.0, 1.0), Row(71, 60_001.0, 2.0)), ())])
    cut_off(site.url())
    with pytest.raises(ArchiveAwayError):
        archive.write([again])
    archive.write([again])
    assert archive.light_curve(KEY).diaSources.num_rows == 2
