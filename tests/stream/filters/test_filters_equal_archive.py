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
    for name in (
        "annotations",
        "classifications",
        "watchlist_hits",
        "diaSources",
        "crossmatch_tns",
        "event_hits",
        "objects",
        "external_events",
        "partners",
    )
}


@dataclass
class World:
    """A night that has been committed, and what filters could see of it just before."""

    archive: Archive
    frame: BatchFrame
    columns: list[str]
    ids: frozenset[int]


def _state(ids: list[int], others: list[int]) -> dict[str, pa.Table]:
    """Things that the archive knew of some objects before the night, and of their partners."""
    rng = np.random.default_rng(5)
    rows: dict[str, list[dict[str, Any]]] = {
        "annotations": [
            {"annotationID": n, "diaObjectId": i, "topic": str(rng.choice(["a", "b"])),
             "classification": str(rng.choice(["SN", "AGN"]))}
            for n, i in enumerate(ids[::3])
        ],
        "classifications": [
            {"diaObjectId": i, "model": "m", "version": "1", "topClass": str(rng.choice(["SNIa", "AGN"])),
             "topProbability": float(rng.random()), "SN": float(rng.random())}
            for i in ids[::2]
        ],
        "watchlist_hits": [{"diaObjectId": i, "wl_id": 1, "cone_id": n, "arcsec": float(n % 7)}
                           for n, i in enumerate(ids[::4])],
        "external_events": [
            {"origin": "X", "eventName": f"E{n}", "mw_id": n, "revision": 0, "ra": 10.0 * n,
             "kind": str(rng.choice(["grb", "neutrino"]))}
            for n in range(1, 6)
        ],
        "event_hits": [{"diaObjectId": i, "mw_id": 1 + (n + k) % 5, "separationArcsec": float(n)}
                       for n, i in enumerate(ids[::3]) for k in range(1 + n % 2)],
        "partners": [{"diaObjectId": i, "partnerDiaObjectId": (others * 2)[n % 30 + k], "partnerRank": 1 + k}
                     for n, i in enumerate(ids[::2]) for k in range(1 + n % 2)],
    }  # fmt: skip
    return {name: pa.Table.from_pylist(some, schema=arrow_schema(name)) for name, some in rows.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, schemas: SchemaStore) -> Any:
    values = night(150, 8, schemas)
    pipeline = Pipeline(schemas, standard_stages())
    folder: Path = tmp_path_factory.mktemp("equal") / "archive"
    with open_archive(folder) as archive:
        earlier, batches = (pipeline.process(messages(some)).batches for some in (values[:40], values[40:]))
        archive.write(earlier)
        others, ids = (
            [i for batch in some for i in batch.objects.column("diaObjectId").to_pylist()]
            for some in (earlier, batches)
        )
        archive.write([], tables=_state(ids, others))
        frame = BatchFrame(tables_of_batches(archive, batches, {}, READ, mjd_now()), mjd_now())
        archive.write(batches)
        objects = archive.query("SELECT * FROM objects", max_rows=None)
        columns = [
            field.name
            for field in objects.schema
            if pa.types.is_floating(field.type) and objects.column(field.name).null_count < len(ids) / 2
        ]
        yield World(archive, frame, columns, frozenset(ids))


JOINS = {
    "": ["1 = 1"],
    "JOIN annotations a ON o.diaObjectId = a.diaObjectId": ["a.topic = 'a'", "a.classification <> 'SN'"],
    "LEFT JOIN annotations a ON o.diaObjectId = a.diaObjectId AND a.topic = 'b'": [
        "a.classification IS NULL", "a.classification = 'AGN' OR o.decl < -30",
    ],
    "JOIN classifications c ON o.diaObjectId = c.diaObjectId": ["c.topClass = 'SNIa'", "NOT c.SN > 0.5"],
    "JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId": ["w.wl_id = 1 AND w.arcsec < 4"],
    "JOIN event_hits h ON o.diaObjectId = h.diaObjectId JOIN external_events e ON e.mw_id = h.mw_id": [
        "e.kind = 'grb'", "e.ra > 25 OR h.separationArcsec < 9",
    ],
    "JOIN partners p ON o.diaObjectId = p.diaObjectId "
    "JOIN objects b ON b.diaObjectId = p.partnerDiaObjectId": [
        "b.nDiaSources > 2", "b.decl < o.decl AND p.partnerRank = 1", "b.g_psfFlux IS NULL",
    ],
    "JOIN partners p ON o.diaObjectId = p.diaObjectId "
    "LEFT JOIN objects b ON b.diaObjectId = p.partnerDiaObjectId AND b.decl > -30": ["b.objectName IS NULL"],
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
        mine = (row for row in found if row[OBJECT] in world.ids)
        return sorted((row[OBJECT], row["objectName"], _comparable(row["x"])) for row in mine)

    assert rows(on_stream) == rows(in_archive), text


def _comparable(value: float | None) -> float:
    return -math.inf if value is None else float(value)
