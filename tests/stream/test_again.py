"""Rejected messages tried again, and stored alerts replayed."""

from __future__ import annotations

import threading
from dataclasses import replace as replaced
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_fixtures import ListSource, assert_same, contents

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.stream import (
    Pipeline,
    Resource,
    Stage,
    renew,
    replay,
    retry_rejected,
    run,
    standard_stages,
)
from lasair_broker.stream._again import _position


def test_alerts_whose_schema_was_unknown_are_stored_once_it_is_known(
    archive: Archive, pipeline: Pipeline, visit: list[bytes], tmp_path: Path
) -> None:
    ignorant = Pipeline(SchemaStore(use_installed=False), standard_stages())
    done = run(ListSource([*visit, b"never an alert"]), ignorant, archive)
    assert (done.alerts, done.rejected) == (0, 9)
    assert archive.positions() == {("alerts", 0): 9}, "the stream went on"
    reasons = archive.rejected().column("reason").to_pylist()
    assert sum("schema 1000 is unknown" in reason for reason in reasons) == 8

    still = retry_rejected(archive, ignorant)
    assert (still.tried, still.stored, still.rejected) == (9, 0, 9)

    told: list[tuple[int, int]] = []
    report = retry_rejected(archive, pipeline, on_progress=lambda done, all_: told.append((done, all_)))
    assert (report.tried, report.stored, report.rejected) == (9, 8, 1)
    assert told == [(9, 9)]
    assert archive.rejected().column("message").to_pylist() == [b"never an alert"]
    with open_archive(tmp_path / "other") as other:
        run(ListSource([*visit, b"never an alert"]), pipeline, other)
        assert_same(contents(archive), contents(other))


def test_a_retry_that_was_killed_before_it_had_tidied_up_stores_nothing_twice(
    archive: Archive, pipeline: Pipeline, visit: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ignorant = Pipeline(SchemaStore(use_installed=False), standard_stages())
    run(ListSource(visit), ignorant, archive)

    class KilledError(Exception):
        pass

    def killed(keys: object) -> pa.Table:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(archive, "take_rejected", killed)
        with pytest.raises(KilledError):
            retry_rejected(archive, pipeline)
    assert archive.status().tables["alerts"].rows == 8
    report = retry_rejected(archive, pipeline)
    assert report.stored == 8
    assert archive.status().tables["alerts"].rows == 8
    assert archive.rejected().num_rows == 0


def test_nothing_rejected_is_nothing_to_do(archive: Archive, pipeline: Pipeline) -> None:
    assert retry_rejected(archive, pipeline).tried == 0


def _rows(batches: list[AlertBatch], column: str) -> list[object]:
    return [value for batch in batches for value in batch.alerts.column(column).to_pylist()]


def test_stored_alerts_go_through_the_stages_again(
    archive: Archive, pipeline: Pipeline, visit: list[bytes], supernova: list[bytes]
) -> None:
    run(ListSource([*supernova[:6], *visit, *supernova[6:]], size=12), pipeline, archive)
    before = archive.query('SELECT * FROM alerts ORDER BY "offset"', max_rows=None)
    batches = list(replay(archive, pipeline))
    assert _rows(batches, "offset") == list(range(42))
    assert _rows(batches, "diaSourceId") == before.column("diaSourceId").to_pylist()
    for column in ("topic", "partition", "arrivedMjdTai", "schemaFingerprint"):
        assert _rows(batches, column) == before.column(column).to_pylist(), column
    fresh = pipeline.process(ListSource(visit).read_all())
    again = [batch for batch in batches if batch.survey == "lsst"]
    assert again[0].objects.equals(fresh.batches[0].objects)


def _wrong(batch: AlertBatch, hits: bool) -> AlertBatch:
    """A stage with a mistake: everything is bright, lies in area 1, and passes a filter."""
    ids = batch.objects.column("diaObjectId").combine_chunks()
    areas = pa.table({"diaObjectId": ids, "ar_id": pa.array([1] * len(ids), pa.int32())})
    passed = pa.table(
        {
            "hitId": [f"hit {key}" for key in ids.to_pylist()],
            "filterId": pa.array([1] * len(ids), pa.int64()),
            "filterVersion": pa.array([1] * len(ids), pa.int32()),
            "diaObjectId": ids,
        }
    )
    batch = batch.with_object_columns({"g_psfFluxMean": pa.array([1e9] * len(ids), pa.float32())})
    batch = batch.with_table("area_hits", areas)
    return batch.with_table("filter_hits", passed) if hits else batch


def _corrected(batch: AlertBatch, area: int) -> AlertBatch:
    wrong = _wrong(batch, True)
    areas = wrong.tables["area_hits"].set_column(
        1, "ar_id", pa.array([area] * batch.objects.num_rows, pa.int32())
    )
    return replaced(batch, tables={**wrong.tables, "area_hits": areas})


def test_states_are_computed_anew_after_a_stage_was_corrected(
    archive: Archive, schemas: SchemaStore, visit: list[bytes], supernova: list[bytes], tmp_path: Path
) -> None:
    values = [*supernova[:12], *visit, *supernova[12:]]
    stages = standard_stages()
    mistaken = Pipeline(schemas, [*stages, Stage("wrong", _wrong, Resource(False))])
    right = Pipeline(schemas, [*stages, Stage("corrected", _corrected, Resource(2))])
    run(ListSource(values, size=6), mistaken, archive)
    assert archive.query("SELECT max(g_psfFluxMean) AS g FROM objects").to_pylist() == [{"g": 1e9}]
    before = contents(archive)

    told: list[tuple[int, int]] = []
    report = renew(archive, right, on_progress=lambda done, of: told.append((done, of)), batch_alerts=5)
    assert (report.objects, report.renewed, report.complete) == (9, 9, True)
    assert told[-1] == (9, 9)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    after = contents(archive)
    with open_archive(tmp_path / "other") as other:
        run(ListSource(values, size=6), right, other)
        expected = contents(other)
    assert_same({"objects": after["objects"]}, {"objects": expected["objects"]})
    for name in before:
        if name not in ("objects", "stream_positions"):
            assert after[name].equals(before[name]), name
    areas = archive.query("SELECT DISTINCT ar_id, count(*) AS n FROM area_hits GROUP BY 1").to_pylist()
    assert areas == [{"ar_id": 2, "n": 9}]
    assert archive.query("SELECT * FROM filter_hits").num_rows == 0, "nobody is told of it"
    assert archive.check() == []
    # Again it finds the same.
    assert renew(archive, right).renewed == 9
    assert_same({"objects": after["objects"]}, {"objects": contents(archive)["objects"]})
    assert renew(archive, right, diaObjectIds=[1]).objects == 0


def test_a_renewal_that_was_killed_goes_on(
    archive: Archive, schemas: SchemaStore, visit: list[bytes], supernova: list[bytes]
) -> None:
    stages = standard_stages()
    run(ListSource([*visit, *supernova], size=4), Pipeline(schemas, stages), archive)
    before = contents(archive)["objects"]
    seen: list[int] = []

    def count(batch: AlertBatch, kept: list[int]) -> AlertBatch:
        kept.extend(batch.objects.column("diaObjectId").to_pylist())
        return _wrong(batch, False)

    counting = Pipeline(schemas, [*stages, Stage("count", count, Resource(seen))])

    class KilledError(Exception):
        pass

    def kill(done: int, of: int) -> None:
        if done == 6:
            raise KilledError

    with pytest.raises(KilledError):
        renew(archive, counting, on_progress=kill, batch_alerts=2)
    first = set(seen)
    stop = threading.Event()
    stop.set()
    assert not renew(archive, counting, resume=True, stop=stop).complete
    seen.clear()
    assert renew(archive, counting, resume=True, batch_alerts=2).complete
    assert first | set(seen) == set(before.column("diaObjectId").to_pylist())
    assert len(seen) < 9, "what was done is not done again, but for alerts of the same moment"
    found = contents(archive)["objects"].column("g_psfFluxMean").to_pylist()
    assert found == [1e9] * 9
    seen.clear()
    assert renew(archive, counting, resume=True).objects == 9, "the finished one is not resumed"


@given(st.floats(50_000.0, 80_000.0))
def test_a_renewal_goes_on_before_the_last_moment(arrivedMjdTai: float) -> None:
    resumed = _position(arrivedMjdTai) / 86_400_000_000
    assert resumed <= arrivedMjdTai, "another alert of that moment is not left out"
    assert arrivedMjdTai - resumed < 3e-6 / 86400.0


def test_some_of_them(archive: Archive, pipeline: Pipeline, supernova: list[bytes]) -> None:
    run(ListSource(supernova, size=12), pipeline, archive)
    rows = archive.query('SELECT diaSourceId, midpointMjdTai FROM alerts ORDER BY "offset"')
    ids = rows.column("diaSourceId").to_pylist()
    times = rows.column("midpointMjdTai").to_pylist()
    assert _rows(list(replay(archive, pipeline, diaSourceIds=ids[3:5])), "diaSourceId") == ids[3:5]
    middle = _rows(list(replay(archive, pipeline, midpointMjdTai=(times[10], times[20]))), "diaSourceId")
    assert middle == ids[10:20]
    assert list(replay(archive, pipeline, diaObjectIds=[1])) == []


def test_an_alert_a_stage_fails_on_does_not_end_the_replay(
    archive: Archive, pipeline: Pipeline, schemas: SchemaStore, supernova: list[bytes]
) -> None:
    run(ListSource(supernova, size=12), pipeline, archive)
    ids = archive.query('SELECT diaSourceId FROM alerts ORDER BY "offset"').column(0).to_pylist()

    def fail(batch: AlertBatch, poison: int) -> AlertBatch:
        if poison in batch.alerts.column("diaSourceId").to_pylist():
            raise ValueError("cannot bear it")
        return batch

    fragile = Pipeline(schemas, [Stage("fragile", fail, Resource(ids[7]))])
    assert _rows(list(replay(archive, fragile)), "diaSourceId") == ids[:7] + ids[8:]
