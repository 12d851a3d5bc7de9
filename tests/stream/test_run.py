"""The loop: what was read is committed with its positions, in order, and nothing else happens."""

from __future__ import annotations

import io
import shutil
import threading
from pathlib import Path

import fastavro
import numpy as np
import pytest
from stream_fixtures import ListSource, assert_same, contents, messages
from structlog.testing import capture_logs

from lasair_broker.archive import Archive, ArchiveError, ArchiveFullError, open_archive
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.settings import StreamSettings
from lasair_broker.stream import (
    FileSource,
    Pipeline,
    Progress,
    Resource,
    SourceError,
    Stage,
    StageBrokenError,
    run,
)

SMALL = StreamSettings(batch_alerts=5)


def test_files_end_up_in_the_archive(data: Path, archive: Archive, pipeline: Pipeline) -> None:
    seen: list[Progress] = []
    paths = [data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz", data / "lsst" / "wire_v10"]
    done = run(FileSource(paths, SMALL), pipeline, archive, on_progress=seen.append)
    assert (done.messages, done.alerts, done.rejected) == (42, 42, 0)
    assert [progress.messages for progress in seen] == sorted(progress.messages for progress in seen)
    assert seen[-1] == done
    assert done.batches == len(seen) == 9
    assert archive.status().tables["alerts"].rows == 42
    assert archive.positions()[f"file:{paths[0].absolute()}", 0] == 34
    supernova = archive.object("ZTF21abiuvdk")
    assert supernova.num_rows == 1
    curve = archive.light_curve(supernova.column("diaObjectId")[0].as_py())
    assert curve.diaSources.num_rows >= 34


def test_an_ingest_goes_on_where_it_stopped(
    data: Path, archive: Archive, pipeline: Pipeline, tmp_path: Path
) -> None:
    path = data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"
    stop = threading.Event()
    first = run(
        FileSource([path], SMALL), pipeline, archive, stop=stop, on_progress=lambda progress: stop.set()
    )
    assert 0 < first.messages < 34
    second = run(FileSource([path], SMALL), pipeline, archive)
    assert first.messages + second.messages == 34
    assert archive.status().tables["alerts"].rows == 34
    third = FileSource([path], SMALL)
    assert run(third, pipeline, archive).messages == 0
    assert third.already_ingested() == [path.absolute()]
    with open_archive(tmp_path / "other") as other:
        run(FileSource([path], SMALL), pipeline, other)
        assert_same(contents(archive), contents(other))


def test_again_means_from_the_beginning_and_stores_nothing_twice(
    data: Path, archive: Archive, pipeline: Pipeline
) -> None:
    path = data / "lsst" / "wire_v10"
    run(FileSource([path]), pipeline, archive)
    before = contents(archive)
    again = FileSource([path], again=True)
    done = run(again, pipeline, archive)
    assert (done.messages, done.alerts, done.duplicates) == (8, 0, 8)
    assert again.already_ingested() == []
    assert_same(contents(archive), before)


def test_a_folder_with_one_new_file(data: Path, archive: Archive, pipeline: Pipeline, tmp_path: Path) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    files = sorted((data / "lsst" / "wire_v10").iterdir())
    for file in files[:-1]:
        shutil.copy(file, folder)
    run(FileSource([folder]), pipeline, archive)
    shutil.copy(files[-1], folder)
    source = FileSource([folder])
    assert run(source, pipeline, archive).messages == 1
    assert source.already_ingested() == [folder / file.name for file in files[:-1]]


def test_what_cannot_be_read_is_an_error_that_names_it(
    data: Path, archive: Archive, pipeline: Pipeline, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"missing\.avro: no such file"):
        run(FileSource([tmp_path / "missing.avro"]), pipeline, archive)
    broken = tmp_path / "broken.avro"
    broken.write_bytes(b"nonsense")
    good = data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"
    with pytest.raises(SourceError, match=r"broken\.avro"):
        run(FileSource([broken, good]), pipeline, archive)
    assert archive.status().tables["alerts"].rows == 34, "the others are stored"
    (tmp_path / "empty.avro").touch()
    with pytest.raises(SourceError, match=r"(?s)broken\.avro.*empty\.avro"):
        run(FileSource([broken, good, tmp_path / "empty.avro"]), pipeline, archive)
    with pytest.raises(SourceError, match="no files"):
        FileSource([])


def test_positions_are_committed_and_told(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    source = ListSource(supernova, size=10)
    steps: list[str] = []
    done = run(source, pipeline, archive, at_step=steps.append)
    assert source.told == [{("alerts", 0): 10}, {("alerts", 0): 20}, {("alerts", 0): 30}, {("alerts", 0): 34}]
    assert archive.positions() == {("alerts", 0): 34}
    assert source.closed
    assert done.lag == {("alerts", 0): 0}
    assert [steps.count(name) for name in ("read", "processed", "committing", "committed", "told")] == [4] * 5


def test_no_more_than_two_batches_are_in_hand(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    source = ListSource(supernova, size=5)
    most = 0

    def step(name: str) -> None:
        nonlocal most
        if name == "committed":
            most = max(most, source.reads - len(source.told))

    run(source, pipeline, archive, at_step=step)
    assert most <= 2


def test_times_are_recorded_in_order(archive: Archive, pipeline: Pipeline, supernova: list[bytes]) -> None:
    run(ListSource(supernova), pipeline, archive)
    rows = archive.query(
        "SELECT count(*) AS n FROM alerts WHERE midpointMjdTai < exposureEndMjdTai "
        "AND exposureEndMjdTai < arrivedMjdTai AND arrivedMjdTai <= decodedMjdTai "
        "AND decodedMjdTai <= committedMjdTai"
    )
    assert rows.column("n").to_pylist() == [34]


class _Faulty:
    """An archive that cannot write for a while."""

    def __init__(self, archive: Archive, failures: list[Exception]) -> None:
        self._archive, self.failures = archive, failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._archive, name)

    def write(self, *batch: object, **named: object) -> object:
        if self.failures:
            raise self.failures.pop()
        return self._archive.write(*batch, **named)  # type: ignore[arg-type]


def test_a_full_disk_is_waited_for(archive: Archive, pipeline: Pipeline, supernova: list[bytes]) -> None:
    faulty = _Faulty(archive, [ArchiveFullError("no room")])
    with capture_logs() as log:
        done = run(ListSource(supernova, size=20), pipeline, faulty)  # type: ignore[arg-type]
    assert done.alerts == 34
    assert [line["event"] for line in log if line.get("what") == "room on the archive's disk"] == [
        "waiting",
        "back",
    ]


def test_stopping_while_the_disk_is_full(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    stop = threading.Event()
    faulty = _Faulty(archive, [ArchiveFullError("no room") for _ in range(100)])
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(ArchiveFullError):
        run(ListSource(supernova, size=5), pipeline, faulty, stop=stop)  # type: ignore[arg-type]
    assert archive.positions() == {}
    run(ListSource(supernova, size=5), pipeline, archive)
    assert archive.status().tables["alerts"].rows == 34


def test_another_error_of_the_archive_ends_the_run_and_loses_nothing(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    source = ListSource(supernova, size=5)
    with pytest.raises(ArchiveError, match="broken"):
        run(source, pipeline, _Faulty(archive, [ArchiveError("broken")]))  # type: ignore[arg-type]
    assert source.abandoned
    assert source.closed
    assert not [t for t in threading.enumerate() if t.name == "lasair-read"]
    assert archive.positions() == {}


def test_a_broken_stage_ends_the_run_after_the_batches_before_it(
    archive: Archive, schemas: SchemaStore, supernova: list[bytes]
) -> None:
    def fail(batch: AlertBatch, resource: list[int]) -> AlertBatch:
        resource.append(batch.alerts.num_rows)
        if len(resource) > 2:
            raise ValueError("broken")
        return batch

    pipeline = Pipeline(schemas, [Stage("fragile", fail, Resource([]))], poison_limit=3)
    source = ListSource(supernova, size=10)
    with pytest.raises(StageBrokenError):
        run(source, pipeline, archive)
    assert archive.positions() == {("alerts", 0): 20}
    assert source.closed


def test_an_error_while_reading_ends_the_run_after_the_batches_before_it(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    class Breaks(ListSource):
        def read(self, stop: threading.Event) -> object:  # type: ignore[override]
            if self.reads == 2:
                raise SourceError("gone")
            return super().read(stop)

    with pytest.raises(SourceError, match="gone"):
        run(Breaks(supernova, size=10), pipeline, archive)  # type: ignore[arg-type]
    assert archive.positions() == {("alerts", 0): 20}


def test_messages_of_a_partition_that_was_taken_away_are_left_to_the_other_worker(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes]
) -> None:
    source = ListSource(supernova, size=10)

    def keep(taken: object) -> np.ndarray | None:
        if len(source.told) != 1:
            return None
        mask = np.zeros(10, np.bool_)
        mask[:4] = True
        return mask

    source.keep = keep  # type: ignore[assignment]
    done = run(source, pipeline, archive)
    assert done.messages == 28
    offsets = archive.query('SELECT "offset" FROM alerts ORDER BY 1', max_rows=None).column(0).to_pylist()
    assert offsets == [*range(14), *range(20, 34)]


def test_alerts_twice_and_out_of_order_make_no_difference(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes], tmp_path: Path
) -> None:
    order = np.random.default_rng(1).permutation(len(supernova))
    shuffled = [supernova[i] for i in order]
    done = run(ListSource(shuffled + shuffled[:7], size=6), pipeline, archive)
    assert (done.alerts, done.duplicates) == (34, 7)
    with open_archive(tmp_path / "other") as other:
        run(ListSource(supernova, size=6), pipeline, other)
        here, there = contents(archive), contents(other)
    # A ZTF packet tells a month, so features depend on what comes together; where an object
    # lies is fixed when it is first seen.
    state = ["diaObjectId", "objectName", "lastDiaSourceMjdTai", "latest_psfFlux"]
    assert here["objects"].select(state).equals(there["objects"].select(state))
    # ZTF rounds the magnitude of a past detection, and tells less of it: what its own packet says stays.
    for table in ("diaSources", "diaForcedSources", "diaNondetectionLimits"):
        assert here[table].drop_columns("healpix29").equals(there[table].drop_columns("healpix29")), table


def test_a_real_full_disk(pipeline: Pipeline, supernova: list[bytes], tmp_path: Path) -> None:
    """A file may grow to a limit and no further, as on a disk without room; then the limit is lifted."""
    import resource as limits

    soft, hard = limits.getrlimit(limits.RLIMIT_FSIZE)
    waited: list[str] = []
    with open_archive(tmp_path / "archive") as archive, capture_logs() as log:
        size = archive.status().database_bytes

        def make_room() -> None:
            waited.extend(line["reason"] for line in log if line["event"] == "waiting")
            limits.setrlimit(limits.RLIMIT_FSIZE, (soft, hard))

        limits.setrlimit(limits.RLIMIT_FSIZE, (size + 200_000, hard))
        room = threading.Timer(3, make_room)
        room.start()
        try:
            done = run(ListSource(supernova, size=17), pipeline, archive)
        finally:
            room.join()
            limits.setrlimit(limits.RLIMIT_FSIZE, (soft, hard))
        assert waited, "there was no room"
        assert (done.alerts, done.messages) == (34, 34)
        assert archive.check() == []
        assert archive.positions() == {("alerts", 0): 34}


def _again_with_its_past_withdrawn(packet: bytes, schema: dict[str, object]) -> bytes:
    """A later alert of the same object, which says that the detection of this one has been withdrawn."""
    parsed = fastavro.parse_schema(schema)
    alert = fastavro.schemaless_reader(io.BytesIO(packet[5:]), parsed, None)
    assert isinstance(alert, dict)
    before = dict(alert["diaSource"])
    withdrawn = {**before, "timeWithdrawnMjdTai": before["midpointMjdTai"] + 0.5}
    now = {**before, "diaSourceId": before["diaSourceId"] + 1, "midpointMjdTai": before["midpointMjdTai"] + 1}
    past = [*(alert["prvDiaSources"] or []), withdrawn]
    later = {**alert, "diaSourceId": now["diaSourceId"], "diaSource": now, "prvDiaSources": past}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, later)
    return packet[:5] + out.getvalue()


def test_a_withdrawn_source_is_marked_and_counts_no_more(
    archive: Archive, pipeline: Pipeline, schemas: SchemaStore, visit: list[bytes]
) -> None:
    (batch,) = pipeline.process(messages(visit)).batches
    with_object = batch.alerts.column("diaObjectId").is_valid().to_pylist().index(True)
    first = visit[with_object]
    second = _again_with_its_past_withdrawn(first, schemas.by_confluent_id(1000))
    key = batch.alerts.column("diaObjectId")[with_object].as_py()
    source = batch.alerts.column("diaSourceId")[with_object].as_py()
    run(ListSource([first]), pipeline, archive)
    before = archive.object(key).to_pylist()[0]
    done = run(ListSource([first, second]), pipeline, archive)
    assert done.alerts == 1
    rows = {row["diaSourceId"]: row for row in archive.light_curve(key).diaSources.to_pylist()}
    assert rows[source]["timeWithdrawnMjdTai"] == pytest.approx(rows[source]["midpointMjdTai"] + 0.5)
    assert rows[source + 1]["timeWithdrawnMjdTai"] is None
    band = rows[source]["band"]
    after = archive.object(key).to_pylist()[0]
    assert after["lastDiaSourceMjdTai"] == pytest.approx(rows[source]["midpointMjdTai"] + 1)
    # One came, one went.
    assert after[f"{band}_psfFluxNdata"] == before[f"{band}_psfFluxNdata"]
    assert archive.check() == []
