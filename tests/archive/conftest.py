"""Archives for tests, in either engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_places import Places, Server

from lasair_broker.archive import Archive
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.archive.postgresql import PostgreSQLArchive


@pytest.fixture(scope="session")
def server(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The PostgreSQL of the test run."""
    made = Server(postgresql)
    PostgreSQLArchive(made.url(), tmp_path_factory.mktemp("template")).close()
    yield made
    made.close()


@pytest.fixture(scope="session", params=["duckdb", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engines that must give the same answers."""
    return str(request.param)


def _places(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    places = Places(engine, folder, request.getfixturevalue("server") if engine == "postgresql" else None)
    yield places
    places.close()


@pytest.fixture
def places(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    """Archives of either engine."""
    yield from _places(engine, tmp_path, request)


@pytest.fixture(scope="module")
def lasting_places(
    engine: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Places]:
    """Archives of either engine that last for a module of tests."""
    yield from _places(engine, tmp_path_factory.mktemp("archives"), request)


@pytest.fixture
def archive(places: Places) -> Archive:
    """An empty archive."""
    return places()


@pytest.fixture
def duckdb_archive(tmp_path: Path) -> Iterator[DuckDBArchive]:
    """An empty embedded archive, for tests of how DuckDB keeps it."""
    with DuckDBArchive(tmp_path / "archive", threads=1) as opened:
        yield opened


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real alerts."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("LASAIR_TEST_DATA", default))
    if not folder.is_dir():
        pytest.fail(f"these tests need real alerts in {folder}; LASAIR_TEST_DATA names another folder")
    return folder
