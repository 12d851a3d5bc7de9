"""Filters in the loop: their hits are what the archive finds, are committed with their batch, and one
filter's trouble is its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from filter_worlds import Wishes, night, wish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stream_fixtures import ListSource, messages

from lasair_broker.archive import Archive, ArchiveError, ArchiveFullError, open_archive
from lasair_broker.archive import QueryError as ArchiveQueryError
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.query import ARCHIVE, StreamPlan, of_objects, parse
from lasair_broker.schema import arrow_schema, conform
from lasair_broker.stream import (
    IdleSource,
    Pipeline,
    Renotify,
    Resource,
    Stage,
    run,
    standard_stages,
)
from lasair_broker.stream.filters import ANNOTATIONS, Budget, FilterStage
from lasair_broker.stream.filters._linked import _literal

NIGHT = 150


@pytest.fixture(scope="session")
def alerts(schemas: SchemaStore) -> list[bytes]:
    return night(NIGHT, 3, schemas)


@pytest.fixture
def wishes() -> Wishes:
    return Wishes()


Go = Callable[..., FilterStage]


@pytest.fixture
def go(archive: Archive, pipeline: Pipeline, wishes: Wishes, alerts: list[bytes]) -> Go:
    """Run alerts through the loop, with filters."""

    def take(values: list[bytes] = alerts, size: int = 60, budget: Budget | None = None) -> FilterStage:
        stage = FilterStage(archive, wishes, budget)
        topic = f"alerts-{len(archive.positions())}"
        run(ListSource(values, size, topic), pipeline, archive, commit_stages=[stage])
        return stage

    return take


def hits(archive: Archive, number: int | None = None) -> list[dict[str, Any]]:
    where = "" if number is None else f"WHERE filterId = {number}"
    found = archive.query(f"SELECT * FROM filter_hits {where} ORDER BY filterId, diaObjectId, hitId")
    return list(found.to_pylist())


QUERIES = [
    "SELECT diaObjectId, ra, decl FROM objects WHERE nDiaSources > 3",
    "SELECT objectName, nDiaSources FROM objects WHERE g_psfFlux > r_psfFlux OR i_psfFlux IS NULL",
    "SELECT diaObjectId, UPPER(objectName) AS n, ra/2 AS half FROM objects WHERE decl < -5 AND NOT ra > 180",
    "SELECT o.ra, COUNT(*) AS n FROM objects o JOIN diaSources s ON o.diaObjectId = s.diaObjectId "
    "WHERE s.psfFlux > 1000 GROUP BY o.diaObjectId, o.ra",
    "SELECT o.diaObjectId, s.band, s.midpointMjdTai FROM objects o JOIN diaSources s "
    "ON o.diaObjectId = s.diaObjectId WHERE s.reliability > 0.5",
    "SELECT ra FROM objects WHERE diaObjectId IN "
    "(SELECT diaObjectId FROM diaForcedSources WHERE psfFlux > 0)",
    "SELECT o.ra, a.classification FROM objects o LEFT JOIN annotations a ON o.diaObjectId = a.diaObjectId",
    "SELECT ra, decl FROM objects WHERE 1 = CONTAINS(POINT(ra, decl), CIRCLE(0, 0, 170))",
]


def test_hits_are_what_the_archive_finds(archive: Archive, wishes: Wishes, go: Go) -> None:
    wishes.run(*(wish(number, text) for number, text in enumerate(QUERIES, 1)))
    go()
    assert wishes.failures == []
    for number, text in enumerate(QUERIES, 1):
        sql = of_objects(parse(text, ARCHIVE)).render("duckdb")
        rows = archive.query(sql, max_rows=None).to_pylist()
        expected = sorted((row.pop("lasair object"), list(row.values())) for row in rows)
        found = hits(archive, number)
        contents = sorted((hit["diaObjectId"], list(json.loads(hit["content"]).values())) for hit in found)
        assert len(found) == len(expected) > 0, text
        for (left, values), (right, wanted) in zip(contents, expected, strict=True):
            assert left == right
            assert values == [pytest.approx(w, rel=1e-6) if isinstance(w, float) else w for w in wanted]
        assert len({hit["hitId"] for hit in found}) == len(found)
    compiled = [StreamPlan(of_objects(parse(text, ARCHIVE))).compiled for text in QUERIES]
    assert {True, False} <= set(compiled), "both ways to run are tried"


def test_a_hit_says_where_it_comes_from(archive: Archive, wishes: Wishes, go: Go) -> None:
    wishes.run(wish(7, "SELECT ra, decl FROM objects", version=3))
    go()
    alerts = archive.query("SELECT * FROM alerts WHERE diaObjectId IS NOT NULL").to_pylist()
    newest = {row["diaObjectId"]: row for row in sorted(alerts, key=lambda row: row["midpointMjdTai"])}
    found = hits(archive)
    assert {hit["diaObjectId"] for hit in found} == set(newest)
    for hit in found:
        alert = newest[hit["diaObjectId"]]
        assert (hit["filterId"], hit["filterVersion"], hit["trigger"]) == (7, 3, "alert")
        for name in ("diaSourceId", "arrivedMjdTai", "exposureEndMjdTai"):
            assert hit[name] == alert[name]
        assert hit["committedMjdTai"] >= hit["arrivedMjdTai"]
        assert hit["deliveredMjdTai"] is None


def test_the_same_alerts_again_give_no_new_hits(archive: Archive, wishes: Wishes, go: Go) -> None:
    wishes.run(wish(1, QUERIES[0]), wish(2, QUERIES[0], rule=Renotify(once=True)))
    go()
    before = hits(archive)
    go()
    assert hits(archive) == before
    wishes.run(wish(1, QUERIES[0], version=2), wish(2, QUERIES[0], version=2, rule=Renotify(once=True)))
    go()
    assert len(hits(archive, 1)) == 2 * len([hit for hit in before if hit["filterId"] == 1])
    assert len(hits(archive, 2)) == len([hit for hit in before if hit["filterId"] == 2])


def test_filters_begin_and_end_between_batches(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, alerts: list[bytes]
) -> None:
    stage = FilterStage(archive, wishes)
    sizes = []

    def change(_: object) -> None:
        sizes.append(len(hits(archive)))
        if len(sizes) == 1:
            wishes.run(wish(1, "SELECT ra FROM objects"))
        if len(sizes) == 2:
            wishes.run()

    run(ListSource(alerts, 40), pipeline, archive, commit_stages=[stage], on_progress=change)
    assert sizes[0] == 0
    assert sizes[1] > 0
    assert sizes[2:] == [sizes[1]] * len(sizes[2:])


def test_rules_see_what_the_batch_before_has_committed(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, supernova: list[bytes]
) -> None:
    wishes.run(
        wish(1, "SELECT nDiaSources FROM objects"),
        wish(2, "SELECT nDiaSources FROM objects", rule=Renotify(once=True)),
        wish(3, "SELECT objectName, nDiaSources FROM objects", rule=Renotify(columns=("objectName",))),
        wish(4, "SELECT objectName, lastDiaSourceMjdTai FROM objects",
             rule=Renotify(columns=("lastDiaSourceMjdTai",))),
        wish(5, "SELECT objectName FROM objects", rule=Renotify(days=10.0)),
    )  # fmt: skip
    run(ListSource(supernova, 2), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    assert [len(hits(archive, number)) for number in range(1, 6)] == [17, 1, 1, 17, 1]
    assert wishes.failures == []


def test_trouble_of_one_filter_is_its_own(archive: Archive, wishes: Wishes, go: Go) -> None:
    slow = (
        "SELECT o.ra, (SELECT COUNT(*) FROM diaForcedSources a, diaForcedSources b, diaForcedSources c "
        "WHERE a.diaObjectId = o.diaObjectId AND b.diaObjectId = o.diaObjectId "
        "AND c.diaObjectId = o.diaObjectId AND a.psfFlux + b.psfFlux + c.psfFlux > 1) AS n FROM objects o"
    )
    wishes.run(
        wish(1, slow),
        wish(2, "SELECT COUNT(*) AS n FROM objects"),
        wish(3, QUERIES[0], rule=Renotify(columns=("nothing",))),
        wish(4, QUERIES[0]),
    )
    stage = go(size=30, budget=Budget(seconds=0.05, strikes=2, first_pause=1e6))
    assert len(hits(archive, 4)) > 0
    assert {hit["filterId"] for hit in hits(archive)} <= {1, 4}
    of = {number: [text for f, _, text in wishes.failures if f == number] for number in (1, 2, 3, 4)}
    assert len(of[1]) == 2, "twice, and then it is paused"
    assert "longer than 0.05 seconds" in of[1][0]
    assert "paused" in of[1][1]
    assert ["groups rows of several objects" in text for text in of[2]] == [True]
    assert ["nothing is to be watched" in text for text in of[3]] == [True]
    assert of[4] == []
    assert wishes.recovered == [(4, 1)]
    stage.report()
    ran = {run.filter_id: run for run in wishes.runs}
    assert ran[4].rows == len(hits(archive, 4))
    assert (ran[1].failures, ran[4].failures) == (2, 0)
    assert {sample.labels["kind"] for metric in stage.metrics.collect() for sample in metric.samples} == {
        "compiled",
        "duckdb",
    }


def test_what_the_archive_knows_of_objects_is_seen(archive: Archive, wishes: Wishes, go: Go) -> None:
    go()
    some = archive.query("SELECT diaObjectId, objectName FROM objects ORDER BY diaObjectId LIMIT 3")
    first, second, third = some.column("diaObjectId").to_pylist()
    rows = [
        {"annotationID": 1, "diaObjectId": first, "topic": "a", "classification": "SN"},
        {"annotationID": 2, "diaObjectId": second, "topic": "b", "classification": "SN"},
    ]
    archive.write([], tables={"annotations": pa.Table.from_pylist(rows, schema=arrow_schema("annotations"))})
    wishes.run(
        wish(1, "SELECT o.ra, a.classification FROM objects o JOIN annotations a "
                "ON o.diaObjectId = a.diaObjectId WHERE a.topic = 'a'"),
        wish(2, "SELECT ra FROM objects o WHERE NOT EXISTS "
                "(SELECT 1 FROM annotations a WHERE a.diaObjectId = o.diaObjectId)"),
    )  # fmt: skip
    go()
    assert [hit["diaObjectId"] for hit in hits(archive, 1)] == [first]
    others = {hit["diaObjectId"] for hit in hits(archive, 2)}
    assert third in others
    assert not {first, second} & others


def test_what_is_known_by_name_is_seen(
    archive: Archive,
    schemas: SchemaStore,
    wishes: Wishes,
    visit: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TNS has no number of ours, and events of other messengers are those of the maps an object lies in."""
    pipeline = Pipeline(schemas, [*standard_stages(), Stage("named", named, Resource(None))])
    tns = pa.table({"tns_name": ["2026x'y", "2026zz"], "type": ["SN Ia", "AGN"], "tns_prefix": ["SN", "AT"]})
    tns = tns.append_column("ra", pa.array([1.0, 2.0])).append_column("decl", pa.array([1.0, 2.0]))
    event = {"origin": "LVK", "eventName": "S1", "revision": 1, "mw_id": 5, "kind": "gw"}
    archive.write(
        [],
        tables={
            "crossmatch_tns": conform(tns, "crossmatch_tns"),
            "external_events": pa.Table.from_pylist([event], schema=arrow_schema("external_events")),
        },
    )
    wishes.run(
        wish(1, "SELECT t.type FROM objects o JOIN crossmatch_tns t ON o.tns_name = t.tns_name"),
        wish(2, "SELECT e.kind FROM objects o JOIN mma_hits m ON o.diaObjectId = m.diaObjectId "
                "JOIN external_events e ON m.mw_id = e.mw_id WHERE e.origin = 'LVK'"),
    )  # fmt: skip
    run(ListSource(visit, 8), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    assert wishes.failures == []
    assert [hit["content"] for hit in hits(archive, 1)] == ['{"type":"SN Ia"}']
    assert [hit["content"] for hit in hits(archive, 2)] == ['{"kind":"gw"}']

    def short_of_memory(*_: object, **__: object) -> pa.Table:
        raise ArchiveQueryError("the query needs more memory than it may use")

    monkeypatch.setattr(archive, "query", short_of_memory)
    wishes.run(*wishes.active.filters, wish(3, "SELECT ra FROM objects"))
    run(ListSource(visit, 8, "again"), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    monkeypatch.undo()
    assert [(number, text) for number, _, text in wishes.failures] == [
        (1, "crossmatch_tns could not be read in the archive"),
        (2, "external_events could not be read in the archive"),
    ]
    assert hits(archive, 3), "others go on"


def named(batch: AlertBatch, _: None) -> AlertBatch:
    """The first object is in TNS, the last in the map of a gravitational wave."""
    ids = batch.objects.column("diaObjectId").to_pylist()
    names = pa.array(["2026x'y", *[None] * (len(ids) - 1)], pa.string())
    hit = {"diaObjectId": ids[-1], "mw_id": 5}
    return batch.with_object_columns({"tns_name": names}).with_table(
        "mma_hits", pa.Table.from_pylist([hit], schema=arrow_schema("mma_hits"))
    )


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(max_size=12), max_size=4))
def test_words_of_packets_stay_words(archive: Archive, words: list[str]) -> None:
    said = ", ".join(map(_literal, words)) or "NULL"
    (row,) = archive.query(f"SELECT [{said}] AS said").to_pylist()
    assert row["said"] == [None if "\x00" in word else word for word in words or ["\x00"]]


def test_light_curves_are_seen_as_far_back_as_the_archive_knows(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, supernova: list[bytes]
) -> None:
    """A ZTF packet tells of a month; the archive has more."""
    text = (
        "SELECT o.objectName, COUNT(*) AS n, MIN(s.midpointMjdTai) AS since, COUNT(s.ssObjectId) AS others, "
        "COUNT(s.reliability) AS scored FROM objects o JOIN diaSources s ON s.diaObjectId = o.diaObjectId "
        "GROUP BY o.diaObjectId, o.objectName"
    )
    wishes.run(wish(1, text))
    for upto in (10, 34):
        source = ListSource(supernova[:upto], 6)
        run(source, pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    (row,) = archive.query(parse(text, ARCHIVE).render("duckdb")).to_pylist()
    newest = max(hits(archive), key=lambda hit: hit["committedMjdTai"])
    assert json.loads(newest["content"]) == row
    assert row["n"] >= 34
    assert wishes.failures == []


def test_what_the_archive_fills_in_is_there_before(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, supernova: list[bytes]
) -> None:
    """The cell is that of the place where the object was seen first, though it is measured elsewhere now."""
    wishes.run(wish(1, "SELECT healpix29, ra, timestamp FROM objects WHERE timestamp > '2026-01-01'"))
    run(ListSource(supernova, 5), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    contents = [json.loads(hit["content"]) for hit in hits(archive)]
    (state,) = archive.query("SELECT healpix29, timestamp FROM objects").to_pylist()
    assert len(contents) == 7
    assert {content["healpix29"] for content in contents} == {state["healpix29"]}
    assert len({content["ra"] for content in contents}) > 1
    stated = datetime.fromisoformat(max(content["timestamp"] for content in contents)).replace(tzinfo=UTC)
    assert stated <= state["timestamp"], "the time at which the alert arrived"


def test_annotations_run_filters_on_just_their_objects(archive: Archive, wishes: Wishes, go: Go) -> None:
    go()
    first, second = archive.query("SELECT diaObjectId FROM objects LIMIT 2").column(0).to_pylist()
    query = "SELECT o.ra, a.classification FROM objects o JOIN annotations a ON o.diaObjectId = a.diaObjectId"
    wishes.run(
        wish(1, query, on="annotation"),
        wish(2, query, on="both", topics=frozenset({"mine"})),
        wish(3, query, on="alert"),
        wish(4, query + " WHERE a.classification = 'SN'", on="annotation", rule=Renotify(once=True)),
    )
    stage = FilterStage(archive, wishes)
    stage.idle()
    assert hits(archive) == []
    wishes.annotate({"diaObjectId": first, "topic": "theirs", "classification": "AGN"})
    stage.idle()
    assert archive.positions()[ANNOTATIONS] == 1
    (hit,) = hits(archive)
    assert (hit["filterId"], hit["diaObjectId"], hit["trigger"], hit["diaSourceId"]) == (
        1,
        first,
        "annotation",
        None,
    )
    wishes.annotate(
        {"diaObjectId": first, "topic": "theirs", "classification": "SN"},
        {"diaObjectId": second, "topic": "mine", "classification": "SN"},
    )
    stage.idle()
    assert [(h["filterId"], h["diaObjectId"]) for h in hits(archive) if h["filterId"] != 1] == [
        (2, second), *sorted([(4, first), (4, second)]),
    ]  # fmt: skip
    assert len(hits(archive, 1)) == 3
    stage.idle()
    assert len(hits(archive)) == 6
    held = archive.query("SELECT topic, classification FROM annotations ORDER BY topic").to_pylist()
    assert held == [{"topic": "mine", "classification": "SN"}, {"topic": "theirs", "classification": "SN"}]


def test_annotations_are_taken_while_no_alerts_come(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, go: Go
) -> None:
    go()
    number = archive.query("SELECT max(diaObjectId) FROM objects").column(0)[0].as_py()
    wishes.run(wish(1, "SELECT ra FROM objects", on="annotation"))
    told: list[int] = []
    stop = threading.Event()
    stage = FilterStage(archive, wishes, on_hits=lambda: (told.append(len(hits(archive))), stop.set()))
    wishes.annotate({"diaObjectId": number, "topic": "a", "classification": "SN"})
    done = run(IdleSource(), pipeline, archive, commit_stages=[stage], stop=stop)
    assert (done.messages, told) == (0, [1])


def test_on_a_full_disk_nothing_is_told_and_all_is_tried_again(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, alerts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes.run(wish(1, "SELECT ra FROM objects"))
    told: list[int] = []
    stage = FilterStage(archive, wishes, on_hits=lambda: told.append(len(hits(archive))))
    written, tries = archive.write, []

    def write(*arguments: Any, **named: Any) -> Any:
        tries.append(len(told))
        if len(tries) in (1, 3):
            raise ArchiveFullError("no room")
        return written(*arguments, **named)

    monkeypatch.setattr(archive, "write", write)
    wishes.annotate({"diaObjectId": 1, "topic": "a"})
    run(ListSource(alerts[:60], 60), pipeline, archive, commit_stages=[stage])
    assert tries[:2] == [0, 0], "the batch, and once more"
    assert told[0] > 0
    assert archive.positions().get(ANNOTATIONS, 0) == 1, "the annotation waited for room, too"


def test_reading_that_is_broken_off_is_tried_again(
    archive: Archive, wishes: Wishes, go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    go()
    wishes.run(wish(1, QUERIES[6], rule=Renotify(once=True)), wish(2, QUERIES[0]))
    broken = []
    for name in ("rows_of_objects", "newest_hits"):
        method = getattr(archive, name)

        def once_broken(*arguments: Any, method: Any = method, name: str = name) -> Any:
            if name not in broken:
                broken.append(name)
                raise ArchiveError("the archive was opened anew")
            return method(*arguments)

        monkeypatch.setattr(archive, name, once_broken)
    go()
    assert broken == ["rows_of_objects", "newest_hits"]
    assert {hit["filterId"] for hit in hits(archive)} == {1, 2}
    assert wishes.failures == []


def test_a_commit_that_fails_leaves_no_hits(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, alerts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes.run(wish(1, "SELECT ra FROM objects"))
    written = archive.write

    def write(*arguments: Any, **named: Any) -> Any:
        if len(hits(archive)):
            raise ArchiveError("it broke")
        return written(*arguments, **named)

    monkeypatch.setattr(archive, "write", write)
    stage = FilterStage(archive, wishes)
    with pytest.raises(ArchiveError, match="it broke"):
        run(ListSource(alerts, 50), pipeline, archive, commit_stages=[stage])
    once = {hit["diaObjectId"] for hit in hits(archive)}
    monkeypatch.undo()
    run(ListSource(alerts, 50), pipeline, archive, commit_stages=[stage])
    assert len(hits(archive)) > len(once)
    assert len({hit["hitId"] for hit in hits(archive)}) == len(hits(archive))


def test_batches_of_several_schemas_are_looked_at_together(
    archive: Archive, pipeline: Pipeline, wishes: Wishes, visit: list[bytes], supernova: list[bytes]
) -> None:
    wishes.run(wish(1, "SELECT objectName, survey FROM objects"), wish(2, QUERIES[4]))
    mixed = [value for pair in zip(visit, supernova[:8], strict=True) for value in pair]
    stage = FilterStage(archive, wishes)
    processed = pipeline.process(messages(mixed))
    assert len(processed.batches) == 2
    run(ListSource(mixed, 100), pipeline, archive, commit_stages=[stage])
    objects = archive.query("SELECT diaObjectId FROM objects ORDER BY diaObjectId").column(0).to_pylist()
    assert [hit["diaObjectId"] for hit in hits(archive, 1)] == objects
    (ran,) = [run for run in (stage.report(), wishes.runs)[1] if run.filter_id == 1]
    assert ran.batches == 1


def test_an_interrupted_stream_goes_on_with_the_same_hits(
    pipeline: Pipeline, alerts: list[bytes], tmp_path: Path
) -> None:
    filters = [wish(number, text) for number, text in enumerate(QUERIES[:3], 1)]
    found = []
    for name, cuts in (("whole", [NIGHT * 2]), ("cut", [37, 90, NIGHT * 2])):
        with open_archive(tmp_path / name) as archive:
            for cut in cuts:
                wishes = Wishes(filters)
                source = ListSource(alerts[:cut], 10)
                run(source, pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
            found.append([(h["hitId"], h["content"]) for h in hits(archive)])
    assert found[0] == found[1]
