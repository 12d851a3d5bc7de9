"""Objects of LSST and ZTF find each other on the stream and in the archive, whichever comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stream_fixtures import messages

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch, SchemaStore, decode
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import KnownObjects, Pipeline, match_partners, standard_stages


@pytest.fixture(scope="module")
def batches(
    schemas: SchemaStore, supernova: list[bytes], visit: list[bytes]
) -> tuple[AlertBatch, AlertBatch]:
    """A ZTF object, and LSST objects of which the first has been moved to within 0.2 arcseconds of it."""
    (ztf,), _ = decode(messages(supernova[-1:]), schemas)
    (lsst,), _ = decode(messages(visit), schemas)
    return ztf, moved(lsst, ztf, 0.2)


def moved(lsst: AlertBatch, ztf: AlertBatch, arcsec: float) -> AlertBatch:
    columns = {}
    for name, shift in (("ra", 0.0), ("decl", arcsec / 3600.0)):
        values = lsst.objects[name].to_numpy().copy()
        values[0] = ztf.objects[name][0].as_py() + shift
        columns[name] = pa.array(values)
    return lsst.with_object_columns(columns)


def pairs(archive: Archive) -> list[dict[str, Any]]:
    found = archive.query("SELECT * FROM partners ORDER BY diaObjectId, partnerDiaObjectId", max_rows=None)
    return list(found.to_pylist())


@pytest.mark.parametrize("ztf_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("restarted", [True, False])
def test_whichever_comes_first(
    archive: Archive,
    batches: tuple[AlertBatch, AlertBatch],
    ztf_first: bool,
    together: bool,
    restarted: bool,
) -> None:
    known = KnownObjects(archive)
    written = []
    for batch in batches if ztf_first else batches[::-1]:
        written.append(match_partners(batch, known))
        if not together:
            archive.write([written.pop()])
            known = KnownObjects(archive) if restarted else known
    if written:
        archive.write(written)
    ztf, lsst = (batch.objects["diaObjectId"][0].as_py() for batch in batches)
    found = {(row["diaObjectId"], row["partnerDiaObjectId"]): row for row in pairs(archive)}
    assert set(found) == {(ztf, lsst), (lsst, ztf)}
    row = found[lsst, ztf]
    assert (row["partnerSurvey"], row["partnerRank"], row["isMutual"]) == ("ztf", 1, True)
    assert row["separationArcsec"] == pytest.approx(0.2, abs=1e-3)
    assert row["partnerName"] == batches[0].objects["objectName"][0].as_py()
    # With the partner's columns, in our language.
    query = parse(
        "SELECT o.diaObjectId, b.objectName, b.nDiaSources FROM objects o "
        "JOIN partners p ON p.diaObjectId = o.diaObjectId "
        "JOIN objects b ON b.diaObjectId = p.partnerDiaObjectId "
        "WHERE p.partnerRank = 1 AND o.survey = 'lsst'",
        ARCHIVE,
    )
    (joined,) = archive.query(query.render("duckdb")).to_pylist()
    assert joined["nDiaSources"] == row["partnerNDiaSources"]


def test_a_partner_that_moves_away_is_none_any_more(
    archive: Archive, batches: tuple[AlertBatch, AlertBatch]
) -> None:
    known = KnownObjects(archive)
    ztf, lsst = batches
    for batch in (ztf, lsst):
        archive.write([match_partners(batch, known)])
    assert len(pairs(archive)) == 2
    away = moved(lsst, ztf, 5.0)
    archive.write([match_partners(away, known)], renew=True)
    assert pairs(archive) == []


def test_a_rival_is_ranked_anew(archive: Archive, batches: tuple[AlertBatch, AlertBatch]) -> None:
    """The LSST object at 0.2 arcseconds gets second place when one comes that is nearer."""
    known = KnownObjects(archive)
    ztf, lsst = batches
    for batch in (ztf, lsst):
        archive.write([match_partners(batch, known)])
    ids = lsst.objects["diaObjectId"].to_pylist()
    place = lsst.objects.schema.get_field_index("diaObjectId")
    first = lsst.objects.slice(0, 1)
    nearer = first.set_column(place, "diaObjectId", pa.array([max(ids) + 1], pa.int64()))
    nearer = nearer.set_column(
        nearer.schema.get_field_index("decl"), "decl", pa.array([ztf.objects["decl"][0].as_py()])
    )
    rows = match_partners(replace(lsst, objects=nearer), known).tables["partners"]
    ranks = {
        (row["diaObjectId"], row["partnerDiaObjectId"]): (row["partnerRank"], row["isMutual"])
        for row in rows.to_pylist()
    }
    z = ztf.objects["diaObjectId"][0].as_py()
    new = max(ids) + 1
    assert ranks == {
        (z, new): (1, True), (new, z): (1, True), (z, ids[0]): (2, False), (ids[0], z): (1, False),
    }  # fmt: skip


def test_without_an_archive_nothing_is_said(batches: tuple[AlertBatch, AlertBatch]) -> None:
    assert "partners" not in match_partners(batches[0], KnownObjects()).tables


def test_the_pipeline_has_both_tables(schemas: SchemaStore, archive: Archive, visit: list[bytes]) -> None:
    pipeline = Pipeline(schemas, standard_stages())
    pipeline.read_known(archive)
    (batch,) = pipeline.process(messages(visit)).batches
    assert batch.tables["partners"].schema.equals(arrow_schema("partners"))
    assert "event_hits" not in batch.tables  # no events were ever added
    assert np.all(batch.objects["diaObjectId"].to_numpy() > 0)
