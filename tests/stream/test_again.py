"""Rejected messages tried again, and stored alerts replayed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from stream_fixtures import ListSource, assert_same, contents

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.stream import Pipeline, Resource, Stage, replay, retry_rejected, run, standard_stages


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
