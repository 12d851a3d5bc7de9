"""What filters would have found: previews, replays, and why."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from filter_worlds import Wishes, night, wish
from stream_fixtures import ListSource

from lasair_broker.archive import Archive
from lasair_broker.packets import SchemaStore
from lasair_broker.query import ARCHIVE, QueryError, parse
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, Renotify, run
from lasair_broker.stream.filters import FilterStage, hits_by_night, preview, replay_filter, verdict

EVER = (0.0, 1e6)


def hits(archive: Archive, number: int) -> list[dict[str, Any]]:
    found = archive.query(
        f"SELECT * FROM filter_hits WHERE filterId = {number} ORDER BY committedMjdTai, hitId"
    )
    return list(found.to_pylist())


FILTERS = [
    wish(1, "SELECT objectName, nDiaSources, mjdnow() - lastDiaSourceMjdTai AS age FROM objects "
            "WHERE nDiaSources > 1"),
    wish(2, "SELECT nDiaSources FROM objects", rule=Renotify(once=True)),
    wish(3, "SELECT objectName, lastDiaSourceMjdTai FROM objects",
         rule=Renotify(columns=("lastDiaSourceMjdTai",))),
    wish(4, "SELECT o.nDiaSources, COUNT(*) AS n FROM objects o JOIN diaSources s "
            "ON s.diaObjectId = o.diaObjectId WHERE s.psfFlux > 0 GROUP BY o.diaObjectId, o.nDiaSources"),
]  # fmt: skip


def test_replay_finds_what_the_stream_found(
    archive: Archive, pipeline: Pipeline, supernova: list[bytes], visit: list[bytes]
) -> None:
    values = [*supernova[:9], *visit, *supernova[9:]]
    stage = FilterStage(archive, Wishes(FILTERS))
    run(ListSource(values, 7), pipeline, archive, commit_stages=[stage])
    times = archive.query("SELECT DISTINCT arrivedMjdTai AS t FROM alerts ORDER BY t").column(0).to_pylist()
    for each in FILTERS:
        found = hits(archive, each.filter_id)
        assert found
        steps: list[tuple[int, int]] = []
        replayed = replay_filter(
            archive, pipeline, each, *EVER, on_progress=lambda *step, into=steps: into.append(step)
        )
        again = replayed.hits.to_pylist()
        assert (replayed.alerts, replayed.batches, replayed.failures) == (len(values), 6, ())
        assert steps[-1] == (len(values), len(found))
        names = ("hitId", "content", "diaObjectId", "diaSourceId", "arrivedMjdTai", "exposureEndMjdTai")
        by_id = sorted(found, key=lambda hit: hit["hitId"])
        assert [[h[n] for n in names] for h in sorted(again, key=lambda hit: hit["hitId"])] == [
            [h[n] for n in names] for h in by_id
        ]
        # An interval in the midst of it: what was told before counts.
        part = replay_filter(archive, pipeline, each, times[2], times[4]).hits
        wanted = {hit["hitId"] for hit in found if times[2] <= hit["arrivedMjdTai"] < times[4]}
        assert set(part.column("hitId").to_pylist()) == wanted


def test_replay_says_what_it_cannot_know(archive: Archive, pipeline: Pipeline, visit: list[bytes]) -> None:
    run(ListSource(visit, 8), pipeline, archive)
    number = archive.query("SELECT diaObjectId FROM objects LIMIT 1").column(0)[0].as_py()
    later = {"annotationID": 1, "diaObjectId": number, "topic": "a", "classification": "SN"}
    rows = pa.Table.from_pylist([later], schema=arrow_schema("annotations"))
    rows = rows.set_column(
        rows.schema.get_field_index("timestamp"), "timestamp",
        pa.array([4_000_000_000_000_000], rows.schema.field("timestamp").type),
    )  # fmt: skip
    archive.write([], tables={"annotations": rows})
    each = wish(1, "SELECT o.ra FROM objects o JOIN annotations a ON a.diaObjectId = o.diaObjectId "
                   "LEFT JOIN classifications c ON c.diaObjectId = o.diaObjectId")  # fmt: skip
    replayed = replay_filter(archive, pipeline, each, *EVER)
    assert replayed.hits.num_rows == 0, "it was said later"
    assert [note.split(":")[0] for note in replayed.notes] == [
        "features are worked out by this version of the program",
        "annotations are those known then, as far as they have not been replaced since",
        "classifications",
    ]
    with pytest.raises(QueryError, match="groups rows"):
        replay_filter(archive, pipeline, wish(1, "SELECT COUNT(*) AS n FROM objects"), *EVER)
    stopped = replay_filter(archive, pipeline, each, *EVER, stopped=lambda: True)
    assert stopped.batches == 0


def test_preview_counts(archive: Archive, pipeline: Pipeline, schemas: SchemaStore) -> None:
    empty = preview(archive, parse("SELECT ra FROM objects", ARCHIVE))
    assert (empty.count, empty.fraction, empty.per_night, empty.nights) == (0, 0.0, 0.0, ())
    run(ListSource(night(150, 3, schemas), 100), pipeline, archive)
    text = "SELECT objectName, nDiaSources FROM objects WHERE nDiaSources > 5 ORDER BY nDiaSources DESC"
    query = parse(text, ARCHIVE)
    found = preview(archive, query, sample=4)
    objects = archive.query("SELECT * FROM objects").to_pylist()
    passing = [row for row in objects if row["nDiaSources"] > 5]
    assert found.count == len(passing) > 0
    assert found.rows.column("nDiaSources").to_pylist() == sorted(
        (row["nDiaSources"] for row in passing), reverse=True
    )[:4]  # fmt: skip
    (only,) = found.nights
    assert (only.objects, only.passing) == (len(objects), len(passing))
    assert found.fraction == pytest.approx(len(passing) / len(objects))
    assert found.per_night == len(passing)
    soon = parse("SELECT ra FROM objects WHERE mjdnow() < 1", ARCHIVE)
    assert preview(archive, soon).count == 0
    with pytest.raises(QueryError, match="groups rows"):
        preview(archive, parse("SELECT COUNT(*) AS n FROM objects", ARCHIVE))


def test_hits_by_night(archive: Archive, pipeline: Pipeline, visit: list[bytes]) -> None:
    stage = FilterStage(archive, Wishes([wish(5, "SELECT ra FROM objects")]))
    assert hits_by_night(archive, 5) == []
    run(ListSource(visit, 3), pipeline, archive, commit_stages=[stage])
    nights = hits_by_night(archive, 5)
    count = archive.query("SELECT COUNT(DISTINCT diaObjectId) FROM alerts").column(0)[0].as_py()
    assert sum(each.hits for each in nights) == len(hits(archive, 5))
    assert sum(each.alerted for each in nights) >= count
    assert all(each.hits == 0 for each in hits_by_night(archive, 6))


def test_why(archive: Archive, pipeline: Pipeline, supernova: list[bytes]) -> None:
    run(ListSource(supernova, 50), pipeline, archive)
    text = (
        "SELECT o.ra FROM objects o JOIN annotations a ON o.diaObjectId = a.diaObjectId "
        "WHERE o.nDiaSources > 3"
    )
    found = verdict(archive, parse(text, ARCHIVE), "ZTF21abiuvdk")
    assert found is not None
    assert (found.objectName, found.passes) == ("ZTF21abiuvdk", False)
    outcomes = {condition.text: condition.outcome for condition in found.conditions}
    assert outcomes["o.nDiaSources > 3"] is True
    assert [condition.absent for condition in found.conditions if condition.outcome is not True] == [("a",)]
    passing = verdict(archive, parse("SELECT ra FROM objects WHERE nDiaSources > 3", ARCHIVE), "ZTF21abiuvdk")
    assert passing is not None
    assert passing.passes
    assert verdict(archive, parse(text, ARCHIVE), "nobody") is None
