"""Features are of the whole light curve, however much of it a packet tells and whatever came together."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from stream_fixtures import ListSource, contents, messages, messages_of

from lasair_broker.archive import Archive, open_archive
from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.packets import SchemaStore, with_known
from lasair_broker.stream import Pipeline, renew, run, standard_stages

# An object lies where the first batch saw it.
BY_BATCH = {"healpix29"}


def states(archive: Archive) -> pa.Table:
    return contents(archive)["objects"].drop_columns(list(BY_BATCH))


def ingested(folder: Path, pipeline: Pipeline, cuts: list[list[bytes]]) -> pa.Table:
    """The states of objects after batches, each given to a run of its own or all to one."""
    with open_archive(folder) as archive:
        for number, values in enumerate(cuts):
            run(ListSource(values, size=len(values), topic=f"topic {number}"), pipeline, archive)
        assert archive.check() == []
        return states(archive)


@pytest.fixture(scope="module")
def whole(supernova: list[bytes], schemas: SchemaStore, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """The supernova's state if all its packets come at once."""
    folder = tmp_path_factory.mktemp("whole") / "archive"
    return ingested(folder, Pipeline(schemas, standard_stages()), [supernova])


def test_the_supernova_outlasts_what_a_packet_tells(
    whole: pa.Table, supernova: list[bytes], schemas: SchemaStore
) -> None:
    """Or these tests would say nothing."""
    alone = Pipeline(schemas, standard_stages()).process(messages(supernova[-1:])).batches[0].objects
    assert whole.column("nDiaSources")[0].as_py() > alone.column("nDiaSources")[0].as_py()
    assert (
        whole.column("firstDiaSourceMjdTai")[0].as_py() < alone.column("firstDiaSourceMjdTai")[0].as_py() - 20
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_same_features_in_any_batching(
    seed: int, whole: pa.Table, supernova: list[bytes], pipeline: Pipeline, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    cuts = sorted(dice.sample(range(1, len(supernova)), (3, 8, 15)[seed]))
    batches = [supernova[a:b] for a, b in itertools.pairwise([0, *cuts, len(supernova)])]
    assert ingested(tmp_path / "apart", pipeline, batches).equals(whole)


@pytest.mark.parametrize("size", [1, 7])
def test_the_same_features_in_a_run_that_reads_ahead(
    size: int, whole: pa.Table, supernova: list[bytes], pipeline: Pipeline, archive: Archive
) -> None:
    """A batch is processed while the one before it is being committed."""
    run(ListSource(supernova, size=size), pipeline, archive)
    assert states(archive).equals(whole)


def test_computed_anew_they_are_the_same(
    whole: pa.Table, supernova: list[bytes], pipeline: Pipeline, archive: Archive
) -> None:
    run(ListSource(supernova, size=5), pipeline, archive)
    archive.compact()
    assert renew(archive, pipeline).renewed == 1
    assert states(archive).equals(whole)


def test_a_packet_that_comes_late_is_seen_as_it_was_then(
    supernova: list[bytes], pipeline: Pipeline, archive: Archive
) -> None:
    run(ListSource(supernova[:20], size=20), pipeline, archive)
    then = states(archive)
    run(ListSource(supernova[20:], size=20, topic="more"), pipeline, archive)
    pipeline.read_known(archive)
    seen = pipeline.process(messages(supernova[19:20])).batches[0].objects
    for name in ("nDiaSources", "ra", "g_psfFluxMean", "lastDiaSourceMjdTai", "BBBRiseRate"):
        assert seen.column(name).to_pylist() == then.column(name).to_pylist(), name


def test_forced_photometry_and_limits_too(data: Path, schemas: SchemaStore, tmp_path: Path) -> None:
    """Of real ZTF alerts with forced photometry, each packet a batch, and all of them at once."""
    values = [
        value for file in sorted((data / "ztf").glob("forced_v4_*.tar.xz")) for value in messages_of([file])
    ]
    pipeline = Pipeline(schemas, standard_stages())
    (together, *more) = pipeline.process(messages(values)).batches
    ids = np.concatenate([batch.objects.column("diaObjectId").to_numpy() for batch in (together, *more)])
    ordered = []
    for batch in (together, *more):
        rows = np.argsort(batch.alerts.column("midpointMjdTai").to_numpy(), kind="stable")
        ordered += [values[int(batch.alerts.column("offset")[int(row)].as_py())] for row in rows]
    one = ingested(tmp_path / "one", pipeline, [ordered])
    many = ingested(tmp_path / "many", pipeline, [ordered[n : n + 5] for n in range(0, len(ordered), 5)])
    assert one.num_rows == len(set(ids.tolist()))
    assert many.equals(one)


def test_a_light_curve_in_two_parts_is_that_of_one(supernova: list[bytes], schemas: SchemaStore) -> None:
    """Without an archive: the rows of all packets as known ones beside the newest packet."""
    bare = Pipeline(schemas, [])
    (everything,) = bare.process(messages(supernova)).batches
    (newest,) = bare.process(messages(supernova[-1:])).batches
    known = {
        name: getattr(everything, name).take()
        for name in ("diaSources", "diaForcedSources", "diaNondetectionLimits")
    }
    united = enrich(with_known(newest, known), FeatureResources())
    expected = enrich(everything, FeatureResources())
    for name in expected.objects.column_names:
        if name not in BY_BATCH:
            assert united.objects.column(name).equals(expected.objects.column(name)), name
