"""Whatever a filter asks, it finds on the stream what the archive finds once the batch is committed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from filter_worlds import night
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stream_fixtures import messages

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.query import (
    ARCHIVE,
    OBJECT,
    BatchFrame,
    StreamPlan,
    columns_read,
    mjd_now,
    of_objects,
    parse,
)
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, standard_stages
from lasair_broker.stream.filters._tables import tables_of_batches

READ = {
    name: frozenset(arrow_schema(name).names)
    for name in ("annotations", "classifications", "watchlist_hits", "diaSources", "crossmatch_tns")
}


@dataclass
class World:
    """A night that has been committed, and what filters could see of it just before."""

    archive: Archive
    frame: BatchFrame
    columns: list[str]


def _state(ids: list[int]) -> dict[str, pa.Table]:
    """Things that the archive knew of some objects before the night."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[dict[str, Any]]] = {
        "annotations": [
            {"annotationID": n, "diaObjectId": i, "topic": str(rng.choice(["a", "b"])),
             "classification": str(rng.choice(["SN", "AGN"]))}
            for n, i in enumerate(ids[::3])
        ],
        "classifications": [
            {"diaObjectId": i, "model": "m", "version": "1", "node": str(rng.choice(["SN", "AGN"])),
             "probability": float(rng.random())}
            for i in ids[::2]
        ],
        "watchlist_hits": [{"diaObjectId": i, "wl_id": 1, "cone_id": n, "arcsec": float(n % 7)}
                           for n, i in enumerate(ids[::4])],
    }  # fmt: skip
    return {name: pa.Table.from_pylist(some, schema=arrow_schema(name)) for name, some in rows.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, schemas: SchemaStore) -> Any:
    values = night(150, 8, schemas)
    pipeline = Pipeline(schemas, standard_stages())
    folder: Path = tmp_path_factory.mktemp("equal") / "archive"
    with open_archive(folder) as archive:
        batches = pipeline.process(messages(values)).batches
        ids = [i for batch in batches for i in batch.objects.column("diaObjectId").to_pylist()]
        archive.write([], tables=_state(ids))
        frame = BatchFrame(tables_of_batches(archive, batches, {}, READ, mjd_now()), mjd_now())
        archive.write(batches)
        objects = archive.query("SELECT * FROM objects", max_rows=None)
        columns = [
            field.name
            for field in objects.schema
            if pa.types.is_floating(field.type) and objects.column(field.name).null_count < len(ids) / 2
        ]
        yield World(archive, frame, columns)


JOINS = {
    "": ["1 = 1"],
    "JOIN annotations a ON o.diaObjectId = a.diaObjectId": ["a.topic = 'a'", "a.classification <> 'SN'"],
    "LEFT JOIN annotations a ON o.diaObjectId = a.diaObjectId AND a.topic = 'b'": [
        "a.classification IS NULL", "a.classification = 'AGN' OR o.decl < -30",
    ],
    "JOIN classifications c ON o.diaObjectId = c.diaObjectId": ["c.node = 'SN'", "NOT c.probability > 0.5"],
    "JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId": ["w.wl_id = 1 AND w.arcsec < 4"],
    "JOIN diaSources s ON o.diaObjectId = s.diaObjectId": ["s.psfFlux > 500", "s.band IN ('g', 'r')"],
}  # fmt: skip
EXISTS = [
    "",
    "AND EXISTS (SELECT 1 FROM diaSources d WHERE d.diaObjectId = o.diaObjectId AND d.psfFlux < 0)",
    "AND o.diaObjectId NOT IN (SELECT n.diaObjectId FROM annotations n WHERE n.topic = 'a')",
    "AND (SELECT COUNT(*) FROM diaSources d WHERE d.diaObjectId = o.diaObjectId) > 2",
]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_stream_and_archive_agree(world: World, data: st.DataObject) -> None:
    column = st.sampled_from(world.columns)
    number = st.floats(-1e4, 1e4, allow_nan=False).map(lambda x: f"{x:.4g}")
    term = st.one_of(
        st.builds("o.{} {} {}".format, column, st.sampled_from(["<", ">=", "<>"]), number),
        st.builds("o.{} - o.{} > {}".format, column, column, number),
        st.builds("o.{} BETWEEN {} AND 1e4".format, column, number),
        st.builds("o.{} IS {} NULL".format, column, st.sampled_from(["", "NOT"])),
        st.builds("ABS(o.{}) / 3 < {}".format, column, number),
        st.just("o.nDiaSources > 2"),
    )
    join = data.draw(st.sampled_from(sorted(JOINS)))
    parts = data.draw(st.lists(term, min_size=1, max_size=4))
    glue = data.draw(st.sampled_from([" AND ", " OR ", " AND NOT "]))
    where = f"({glue.join(parts)}) AND ({data.draw(st.sampled_from(JOINS[join]))})"
    shown = data.draw(column)
    exists = data.draw(st.sampled_from(EXISTS))
    text = f"SELECT o.objectName, o.{shown} AS x FROM objects o {join} WHERE {where} {exists}"
    query = of_objects(parse(text, ARCHIVE))
    assert set(columns_read(query)) <= {"objects", *READ}
    on_stream = StreamPlan(query).run(world.frame).rows
    in_archive = world.archive.query(query.render("duckdb", world.frame.now), max_rows=None)

    def rows(table: pa.Table) -> list[tuple[Any, ...]]:
        found = table.select([OBJECT, "objectName", "x"]).to_pylist()
        return sorted((row[OBJECT], row["objectName"], _comparable(row["x"])) for row in found)

    assert rows(on_stream) == rows(in_archive), text


def _comparable(value: float | None) -> float:
    return -math.inf if value is None else float(value)
