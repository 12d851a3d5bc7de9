"""A site to be asked: in this process, and as a server of its own with a simulated night in its archive."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context import ContextLoader
from lasair_broker.context.catalogues import add_catalogue, read_description
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, run, standard_stages

sys.path.insert(0, str(Path(__file__).parents[2] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource

sys.path.insert(0, str(Path(__file__).parent))
from site_under_test import Site, serving


@pytest.fixture(scope="session")
def night_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a simulated night, open nowhere."""
    folder = tmp_path_factory.mktemp("site") / "archive"
    simulation = Simulation.night(120, seed=9)
    pq.write_table(simulation.catalogue(), folder.with_name("sky.parquet"))
    catalogues = folder.with_name("catalogues")
    add_catalogue(
        catalogues, "simulated", str(folder.with_name("sky.parquet")), read_description("simulated")
    )
    values = [bytes(value) for part in simulation.alerts() for value in part.values]
    stages = standard_stages(catalogues=ContextLoader(catalogues))
    with open_archive(folder) as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), stages), archive)
    return folder


@pytest.fixture(scope="session")
def site(night_folder: Path) -> Iterator[Site]:
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(night_folder),
        "LASAIR_CONTEXT__CATALOGUES": str(night_folder.parent / "catalogues"),
        "COLUMNS": "200",
    }
    environment.pop("LASAIR_USER_DATABASE", None)
    with serving(night_folder, environment) as started:
        yield started


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A simulated night in an archive that this process has open."""
    values = [bytes(value) for part in Simulation.night(60, seed=4).alerts() for value in part.values]
    with open_archive(tmp_path_factory.mktemp("night") / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), standard_stages()), archive)
        yield archive


@pytest.fixture
def archive(night: Archive) -> Iterator[Archive]:
    """The archive that views read; requests are counted anew."""
    from lasair_broker.web.api.throttles import forget
    from lasair_broker.web.archive import use

    use(night)
    forget()
    yield night
    use(None)


@pytest.fixture
def empty_archive(archive: Archive, tmp_path: Path) -> Iterator[Archive]:
    """An archive to write hits into: in the shared one they would be seen by a later test's filter 1."""
    from lasair_broker.web.archive import use

    with open_archive(tmp_path / "archive") as empty:
        use(empty)
        yield empty
    use(archive)


@pytest.fixture
def client_of() -> Any:
    """A client that acts for a user (None: for nobody) with a new token."""
    from rest_framework.test import APIClient

    from lasair_broker.web.api import tokens

    def make(user: Any, *scopes: str) -> APIClient:
        client = APIClient(SERVER_NAME="localhost")
        if user is not None:
            text = tokens.create(user, "test", *([scopes] if scopes else []))[1]
            client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
        return client

    return make
