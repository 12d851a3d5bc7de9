"""Pages asked in this process, of a simulated night whose surroundings are known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
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


@pytest.fixture(scope="session")
def object_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A simulated night in an archive that this process has open."""
    folder = tmp_path_factory.mktemp("objects")
    simulation = Simulation.night(120, seed=9)
    pq.write_table(simulation.catalogue(), folder / "sky.parquet")
    add_catalogue(
        folder / "catalogues", "simulated", str(folder / "sky.parquet"), read_description("simulated")
    )
    values = [bytes(value) for part in simulation.alerts() for value in part.values]
    stages = standard_stages(catalogues=ContextLoader(folder / "catalogues"))
    with open_archive(folder / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), stages), archive)
        yield archive


@pytest.fixture
def archive(object_night: Archive) -> Iterator[Archive]:
    """The archive that views read."""
    from lasair_broker.web.archive import use
    from lasair_broker.web.objects.similar import forget

    use(object_night)
    forget()
    yield object_night
    use(None)


@pytest.fixture(scope="session")
def key(object_night: Archive) -> int:
    """The object with the longest light curve that has a host or a match."""
    objects = object_night.query(
        "SELECT o.diaObjectId FROM objects o JOIN sherlock_crossmatches s USING (diaObjectId) "
        "ORDER BY o.nDiaSources DESC, o.diaObjectId LIMIT 1"
    )
    return int(objects["diaObjectId"][0].as_py())


@pytest.fixture(scope="session")
def with_image(object_night: Archive, key: int) -> int:
    """A detection of it that has images."""
    sources = object_night.light_curve(key, {"diaSources": ["diaSourceId"]}).diaSources["diaSourceId"]
    held = object_night.query("SELECT diaSourceId FROM cutouts")["diaSourceId"]
    found = pc.filter(sources, pc.is_in(sources, held.combine_chunks()))
    return int(found[len(found) - 1].as_py())


@pytest.fixture
def visitor(archive: Archive) -> Callable[..., Any]:
    """A browser without scripts, in which somebody (None: nobody) is logged in."""
    from django.test import Client

    def make(user: Any = None, *, htmx: bool = False) -> Any:
        client = Client(SERVER_NAME="localhost", headers={"HX-Request": "true"} if htmx else {})
        if user is not None:
            client.force_login(user)
        return client

    return make
