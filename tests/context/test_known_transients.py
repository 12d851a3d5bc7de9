"""Transients that TNS knows: names, rows and redshifts, as its list has them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_up_sky import catalogue, loader, shifted
from test_context_stage import batch_of

from lasair_broker import context
from lasair_broker.context import classify
from lasair_broker.context.catalogues import add_catalogue, read_description
from lasair_broker.schema import arrow_schema

HEADER = (
    '"objid","name_prefix","name","ra","declination","redshift","typeid","type","reporting_groupid",'
    '"reporting_group","source_groupid","source_group","discoverydate","discoverymag","discmagfilter",'
    '"filter","reporters","time_received","internal_names","Discovery_ADS_bibcode","Class_ADS_bibcodes","creationdate",'
    '"lastmodified"'
)
ROWS = (
    '"1","SN","2023abc","30.0","10.0","0.05","3","SN Ia","1","A","1","A","2023-05-19 17:27:15","14.9","1",'
    '"r","somebody","2023-05-19 21:42:21","ZTF23aa","","","2023-05-19 21:43:00","2023-05-20 00:00:00"',
    '"2","AT","2023xyz","32.0","10.0","","","","1","A","1","A","2023-05-18 01:02:03.5","19.9","1",'
    '"r","somebody","2023-05-19 21:42:21","","","","2023-05-19 21:43:00","2023-05-20 00:00:00"',
)
LIST = "\n".join(('"2023-05-20 00:00:00 - 23:59:59"', HEADER, *ROWS, ""))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder, file = tmp_path / "catalogues", tmp_path / "tns_public_objects.csv"
    file.write_text(LIST)
    add_catalogue(folder, "tns", str(file), read_description("tns"))
    return folder


PLACES = [
    shifted(30.0, 10.0, east=2.0),
    (31.0, 10.0),
    shifted(32.0, 10.0, north=-2.5),
    shifted(32.0, 10.0, east=4.0),
]


def test_names_and_rows(folder: Path) -> None:
    out = context.enrich(batch_of(PLACES), loader(folder).current())
    assert out.objects.column("tns_name").to_pylist() == ["2023abc", None, "2023xyz", None]
    rows = out.tables["crossmatch_tns"]
    assert rows.schema == arrow_schema("crossmatch_tns")
    first, second = sorted(rows.to_pylist(), key=lambda row: row["tns_name"])
    assert (first["tns_prefix"], first["type"], first["z"]) == ("SN", "SN Ia", pytest.approx(0.05))
    assert first["disc_date"] == datetime(2023, 5, 19, 17, 27, 15, tzinfo=UTC)
    assert (second["tns_prefix"], second["type"], second["z"]) == ("AT", None, None)
    assert second["disc_date"] == datetime(2023, 5, 18, 1, 2, 3, tzinfo=UTC)
    assert second["healpix29"] is not None


def test_without_a_list_nothing_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    catalogue(folder, "stars", [{"ra": 31.0, "decl": 10.0, "name": "a star"}])
    out = context.enrich(batch_of(PLACES), loader(folder).current())
    assert "tns_name" not in out.objects.column_names
    assert "crossmatch_tns" not in out.tables


def test_its_own_redshift_goes_before_the_host_s(folder: Path) -> None:
    galaxy = {"name": "host", "mag_B": 15.0, "major_axis": 60.0, "minor_axis": 50.0, "redshift": 0.02}
    catalogue(folder, "galaxies", [{"ra": 30.0, "decl": 10.0, **galaxy, "redshift_kind": "spec"}])
    said, _ = classify(*zip(*PLACES, strict=True), None, loader(folder).current())
    first, nothing, named, _ = said.to_pylist()
    assert first["redshiftKind"] == "tns"
    assert first["redshift"] == first["redshiftP50"] == pytest.approx(0.05)
    assert first["redshiftP84"] - first["redshiftP50"] == pytest.approx(0.001, rel=0.01)
    assert first["z"] == pytest.approx(0.02)  # of the galaxy
    assert nothing["redshift"] is named["redshift"] is None


def test_a_changed_entry_reaches_the_next_batch(folder: Path, tmp_path: Path) -> None:
    opened = loader(folder)
    file = tmp_path / "tns_public_objects.csv"
    file.write_text(
        LIST.replace(
            '"AT","2023xyz","32.0","10.0","","",""', '"SN","2023xyz","32.0","10.0","0.1","3","SN II"'
        )
    )
    add_catalogue(folder, "tns", str(file), read_description("tns"))
    out = context.enrich(batch_of(PLACES), opened.current())
    row = next(row for row in out.tables["crossmatch_tns"].to_pylist() if row["tns_name"] == "2023xyz")
    assert (row["tns_prefix"], row["type"]) == ("SN", "SN II")
