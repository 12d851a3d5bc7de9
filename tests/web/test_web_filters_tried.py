"""Filters and the archive: previews, health, why, hits and replays, for whom they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore, mjd_tai_now
from lasair_broker.packets.simulator import Simulation
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.filters import FilterStage
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.filters import running, services, trying
from lasair_broker.web.filters.services import ActivationRefused
from lasair_broker.web.filters.wording import Wording
from lasair_broker.web.subscriptions import UserSubscriptions

sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource

FEW = Wording(adql="SELECT objectName, nDiaSources FROM objects WHERE nDiaSources > 40")
ALL = Wording(adql="SELECT objectName FROM objects")


class AtOnce:
    def put(self, report: Any) -> None:
        report()


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(SchemaStore(), standard_stages())


@pytest.fixture(scope="module")
def night(
    pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory, _database: None
) -> Iterator[tuple[Archive, list[bytes]]]:
    """An archive with a simulated night; one for each user database, since hits know filters by number."""
    values = [bytes(value) for part in Simulation.night(120, seed=9).alerts() for value in part.values]
    with open_archive(tmp_path_factory.mktemp("tried") / "archive") as archive:
        run(ListSource(values, 60), pipeline, archive)
        yield archive, values


@pytest.fixture
def archive(night: tuple[Archive, list[bytes]]) -> Archive:
    return night[0]


def test_from_a_preview_to_hits(
    people: Any, night: tuple[Archive, list[bytes]], pipeline: Pipeline, team: Any
) -> None:
    archive, values = night
    made = services.create(people.ann, "few", FEW)
    version, found = trying.try_version(people.ann, made.pk, None, archive)
    passing = archive.query("SELECT count(*) FROM objects WHERE nDiaSources > 40").column(0)[0].as_py()
    assert (version.number, version.state, version.preview_count) == (1, "previewed", passing)
    assert version.preview_fraction == found.fraction
    services.activate(people.ann, made.pk, 1, max_fraction=1.0)
    before = mjd_tai_now()
    stage = FilterStage(archive, UserSubscriptions(AtOnce()))
    run(ListSource(values, 60, "again"), pipeline, archive, commit_stages=[stage])
    hits = trying.hits(people.ann, made.pk, archive, (before, ""))
    assert len(set(hits.column("diaObjectId").to_pylist())) == passing > 0
    assert trying.hits(people.ann, made.pk, archive, (mjd_tai_now(), "")).num_rows == 0
    stage.report()
    running.record_failure(running.version_ids([(made.pk, 1)])[0], "it broke")
    health = trying.health(people.ann, made.pk, archive)
    assert health.version == 1
    assert health.expected_fraction == found.fraction
    assert sum(night.hits for night in health.nights) == hits.num_rows
    assert [s.rows for s in health.statistics] == [hits.num_rows]
    assert [f.message for f in health.failures] == ["it broke"]
    services.share(people.ann, made.pk, "public")
    seen = trying.health(people.bob, made.pk, archive)
    assert seen.nights == health.nights
    assert seen.failures == [], "what is wrong is told to who may change it"
    now = mjd_tai_now()
    replayed = trying.replay(people.ann, made.pk, None, archive, pipeline, now - 1.0, now)
    assert set(hits.column("hitId").to_pylist()) <= set(replayed.hits.column("hitId").to_pylist())


def test_too_much_is_refused_with_what_the_preview_said(people: Any, archive: Archive) -> None:
    made = services.create(people.ann, "all", ALL)
    trying.try_version(people.ann, made.pk, 1, archive)
    with pytest.raises(ActivationRefused, match="100 % of the alerts; at most 10 %"):
        services.activate(people.ann, made.pk, 1)


def test_who_only_sees_a_filter(people: Any, archive: Archive) -> None:
    made = services.create(people.ann, "few", FEW)
    for ask in (
        lambda user: trying.try_version(user, made.pk, None, archive),
        lambda user: trying.health(user, made.pk, archive),
        lambda user: trying.hits(user, made.pk, archive, (0.0, "")),
        lambda user: trying.why(user, made.pk, None, 1, archive),
    ):
        with pytest.raises(NotFound, match=f"no filter {made.pk}"):
            ask(people.bob)
    trying.try_version(people.ann, made.pk, None, archive)
    services.activate(people.ann, made.pk, 1, max_fraction=1.0)
    services.share(people.ann, made.pk, "public")
    services.save_version(people.ann, made.pk, ALL)
    version, found = trying.try_version(people.bob, made.pk, None, archive)
    assert version.number == 1, "the draft is ann's"
    assert found.count == version.preview_count
    with pytest.raises(NotFound, match="no version 2"):
        trying.try_version(people.bob, made.pk, 2, archive)
    with pytest.raises(NotAllowed):
        services.activate(people.bob, made.pk, 1)


def test_a_shared_filter_shows_each_viewer_what_is_his(people: Any, archive: Archive) -> None:
    number = archive.query("SELECT min(diaObjectId) FROM objects").column(0)[0].as_py()
    row = {"annotationID": 1, "diaObjectId": number, "topic": "hers", "classification": "secret"}
    archive.write([], tables={"annotations": pa.Table.from_pylist([row], schema=arrow_schema("annotations"))})
    Annotator.objects.create(owner=people.ann, topic="hers", visibility="private")
    wording = Wording(
        adql="SELECT o.objectName, a.classification FROM objects o "
        "JOIN annotations a ON o.diaObjectId = a.diaObjectId"
    )
    made = services.create(people.ann, "secrets", wording)
    _, hers = trying.try_version(people.ann, made.pk, None, archive)
    assert hers.rows.column("classification").to_pylist() == ["secret"]
    assert trying.why(people.ann, made.pk, None, number, archive).passes
    services.activate(people.ann, made.pk, 1, max_fraction=1.0)
    services.share(people.ann, made.pk, "public")
    _, his = trying.try_version(people.bob, made.pk, None, archive)
    assert (his.count, his.rows.num_rows) == (0, 0)
    verdict = trying.why(people.bob, made.pk, None, number, archive)
    assert not verdict.passes
    assert "secret" not in str(verdict)


def test_why_and_its_faults(people: Any, archive: Archive) -> None:
    made = services.create(people.ann, "few", FEW)
    name = (
        archive.query("SELECT objectName FROM objects WHERE nDiaSources <= 40 LIMIT 1").column(0)[0].as_py()
    )
    found = trying.why(people.ann, made.pk, 1, name, archive)
    assert not found.passes
    (condition,) = found.conditions
    assert (condition.text, condition.outcome) == ("nDiaSources > 40", False)
    with pytest.raises(NotFound, match="no object 12345 in the archive"):
        trying.why(people.ann, made.pk, 1, 12345, archive)
    grouped = Wording(adql="SELECT diaObjectId, COUNT(*) AS n FROM diaSources GROUP BY diaObjectId")
    services.save_version(people.ann, made.pk, grouped)
    with pytest.raises(Invalid):
        trying.why(people.ann, made.pk, 2, name, archive)


def test_replays_that_make_no_sense(people: Any, archive: Archive, pipeline: Pipeline) -> None:
    made = services.create(people.ann, "said", Wording(adql=FEW.adql, trigger="annotation"))
    for since, until in ((61000.0, 61000.0), (61001.0, 61000.0), (0.0, 61000.0)):
        with pytest.raises(Invalid, match="since"):
            trying.replay(people.ann, made.pk, None, archive, pipeline, since, until)
    with pytest.raises(Invalid, match="annotations only"):
        trying.replay(people.ann, made.pk, None, archive, pipeline, 61000.0, 61001.0)
