"""The stage: probabilities of a simulated night, in the archive and in queries."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lasair_broker.archive import open_archive
from lasair_broker.classify import (
    UNKNOWN,
    Classifiers,
    Model,
    classify,
    enrich,
    features,
    load_priors,
    taxonomy,
)
from lasair_broker.classify import shipped_model as shipped
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.schema import TABLES
from lasair_broker.stream import Pipeline, run, standard_stages

sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource


@pytest.fixture(scope="module")
def model() -> Model:
    return shipped()


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    return [
        bytes(value)
        for part in Simulation.night(150, seed=6, cutouts="none").alerts()
        for value in part.values
    ]


def test_a_night_in_the_archive(model: Model, values: list[bytes], tmp_path: Path) -> None:
    stages = standard_stages(classifiers=Classifiers(model, load_priors()))
    with open_archive(tmp_path / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), stages), archive)
        objects = archive.query("SELECT count(*) FROM objects").column(0)[0].as_py()
        rows = archive.query("SELECT * FROM classifications")
        assert rows.num_rows == objects > 50
        leaves = np.stack([rows[leaf].to_numpy() for leaf in taxonomy().leaves], axis=1)
        np.testing.assert_allclose(leaves.sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(leaves.max(axis=1), rows["topProbability"].to_numpy())
        assert rows["topClass"].to_pylist() == [taxonomy().leaves[k] for k in leaves.argmax(axis=1)]
        for node in taxonomy().nodes:
            below = [taxonomy().leaves.index(leaf) for leaf in taxonomy().leaves_below(node)]
            np.testing.assert_allclose(rows[node].to_numpy(), leaves[:, below].sum(axis=1), atol=1e-5)
        history = archive.query("SELECT count(*) FROM classification_history").column(0)[0].as_py()
        assert history >= objects
        query = parse(
            "SELECT o.objectName, c.topClass FROM objects o JOIN classifications c "
            "ON o.diaObjectId = c.diaObjectId WHERE c.SN > 0.5 AND c.model = 'lasair'",
            ARCHIVE,
        )
        found = archive.query(query.render("duckdb"))
        assert found.num_rows == (rows["SN"].to_numpy() > 0.5).sum()
        assert rows["trainedOn"].null_count == (rows["topClass"].to_numpy() == UNKNOWN).sum()


def test_an_empty_batch_and_no_model_are_borne(model: Model, values: list[bytes]) -> None:
    pipeline = Pipeline(SchemaStore(), standard_stages())
    (batch,) = pipeline.process(ListSource(values[:5], 5).read_all()).batches
    assert enrich(batch, Classifiers()) is batch
    none = model.head_of("another survey", np.array([1.0]))
    assert none.tolist() == [-1]
    verdict = classify(model, "another survey", features(batch))
    assert (verdict.heads == -1).all()
    said = enrich(batch, Classifiers(model))
    assert said.tables["classifications"].schema.names == [c.name for c in TABLES["classifications"].columns]
    assert pa.types.is_float32(said.tables["classifications"].schema.field("SNIa").type)


def test_early_objects_go_to_the_early_head(model: Model) -> None:
    heads = [model.heads[k].name for k in model.head_of("lsst", np.array([0.0, 2.0, 2.1, 400.0]))]
    assert heads == ["lsst-early", "lsst-early", "lsst-any", "lsst-any"]
    assert model.heads[int(model.head_of("ztf", np.array([1.0]))[0])].name == "ztf-any"
