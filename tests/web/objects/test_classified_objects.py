"""What the pages show of objects that our classifier has seen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.classify import EARLY, Classifiers, shipped_model
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, run, standard_stages

sys.path.insert(0, str(Path(__file__).parents[2] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    values = [
        bytes(v) for part in Simulation.night(150, seed=4, cutouts="none").alerts() for v in part.values
    ]
    stages = standard_stages(classifiers=Classifiers(shipped_model()))
    with open_archive(tmp_path_factory.mktemp("classified") / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), stages), archive)
        yield archive


@pytest.fixture
def classified(night: Archive) -> Iterator[Archive]:
    """The archive that views read."""
    from lasair_broker.web.archive import use

    use(night)
    yield night
    use(None)


@pytest.mark.parametrize("early", [True, False])
def test_similar_objects_are_the_nearest_in_the_embedding(classified: Archive, early: bool) -> None:
    """Of those seen by the same trees: objects of other ages lie in another space."""
    from lasair_broker.web.objects.similar import similar_to

    rows = classified.query("SELECT * FROM classifications").to_pylist()
    alike = [row for row in rows if (row["age"] <= EARLY) == early]
    found = similar_to(classified.object(alike[0]["diaObjectId"]).to_pylist()[0], count=5)
    names = [f"embedding{k}" for k in range(1, 9)]
    assert found.features == names
    places = np.array([[row[name] for name in names] for row in alike], float)
    distance = np.sqrt(((places - places[0]) ** 2).mean(axis=1))
    order = np.argsort(distance)[1:6]
    assert len(order) == 5
    assert [one["distance"] for one in found.rows] == pytest.approx(distance[order], rel=1e-4)
    assert {one["diaObjectId"] for one in found.rows} == {alike[k]["diaObjectId"] for k in order}


def test_what_makes_an_object_strange_is_told(visitor: Callable[..., Any], classified: Archive) -> None:
    row = classified.query(
        "SELECT diaObjectId, anomalyFeatures, trainedOn FROM classifications ORDER BY anomaly DESC LIMIT 1"
    ).to_pylist()[0]
    text = visitor(htmx=True).get(f"/objects/{row['diaObjectId']}/panels/classes/").content.decode()
    assert row["anomalyFeatures"] in text
    assert "of its training" in text
    if row["trainedOn"]:
        assert row["trainedOn"] in text
