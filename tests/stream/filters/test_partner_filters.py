"""Filters read the columns of an object's partner in another survey, and of events at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from filter_worlds import Wishes, wish
from stream_fixtures import ListSource

from lasair_broker.archive import Archive
from lasair_broker.context.events import EventLoader, update_events
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, Resource, Stage, run, standard_stages
from lasair_broker.stream.filters import FilterStage

PLACE = (150.0, 2.0)

PARTNER = (
    "SELECT o.objectName, p.partnerName, p.partnerNDiaSources FROM objects o "
    "JOIN partners p ON o.diaObjectId = p.diaObjectId WHERE p.partnerRank = 1"
)
EVENT = (
    "SELECT o.objectName, e.eventName, e.offsetSigma FROM objects o "
    "JOIN event_hits e ON o.diaObjectId = e.diaObjectId WHERE e.kind = 'grb'"
)


def gathered(batch: AlertBatch, _: None) -> AlertBatch:
    """The first object of each batch is at one place."""
    columns = {}
    for name, value in zip(("ra", "decl"), PLACE, strict=True):
        values = batch.objects[name].to_numpy().copy()
        values[0] = value
        columns[name] = pa.array(values)
    return batch.with_object_columns(columns)


def test_filters_find_what_the_archive_finds(
    archive: Archive, schemas: SchemaStore, supernova: list[bytes], visit: list[bytes], tmp_path: Path
) -> None:
    event = {
        "origin": "X", "eventName": "GRB 1", "revision": 0, "kind": "grb", "role": "observation",
        "retracted": False, "ra": PLACE[0], "decl": PLACE[1], "errorRadius": 1.0 / 3600.0,
    }  # fmt: skip
    update_events(tmp_path / "events", pa.Table.from_pylist([event], arrow_schema("external_events")))
    known, *stages = standard_stages(events=EventLoader(tmp_path / "events"))
    pipeline = Pipeline(schemas, [known, Stage("gathered", gathered, Resource(None)), *stages])
    wishes = Wishes()
    wishes.run(wish(1, PARTNER), wish(2, EVENT))
    # The ZTF object comes in a commit of its own, then once more in one with the LSST objects.
    values = [supernova[-2], supernova[-1], *visit[:4]]
    run(ListSource(values[:1], 1, "ztf"), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    run(ListSource(values[1:], 9, "both"), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    assert wishes.failures == []
    for number, text in ((1, PARTNER), (2, EVENT)):
        found = archive.query(f"SELECT content FROM filter_hits WHERE filterId = {number}").to_pylist()
        contents = {tuple(json.loads(row["content"]).values())[:2] for row in found}
        stored = archive.query(parse(text, ARCHIVE).render("duckdb")).to_pylist()
        assert contents == {tuple(row.values())[:2] for row in stored}
        assert len(contents) == 2
    # Later LSST objects come alone, and the ZTF object has no hit though its pairs are written anew.
    wishes.run(wish(3, "SELECT partnerName FROM partners"))
    run(ListSource(visit[4:], 9, "lsst"), pipeline, archive, commit_stages=[FilterStage(archive, wishes)])
    alone = archive.query(
        "SELECT o.survey FROM filter_hits h JOIN objects o USING (diaObjectId) WHERE filterId = 3"
    )
    assert alone["survey"].to_pylist() == ["lsst"]
