"""The mappings that come with Lasair, on made-up rows in the form of the archives' files."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lasair_broker.context.catalogues import (
    CatalogueError,
    CatalogueSet,
    add_catalogue,
    column_of,
    read_description,
    shipped_descriptions,
)
from lasair_broker.context.catalogues._expressions import Expression


def only_row(folder: Path, name: str, source: Path) -> dict[str, Any]:
    add_catalogue(folder, name, str(source), read_description(name))
    catalogue = CatalogueSet.open(folder)[name]
    assert len(catalogue) == 1
    row: dict[str, Any] = catalogue.take([0]).to_pylist()[0]
    return row


def _columns_named(text: str) -> set[str]:
    """Names in an expression, found by asking for one after the other."""
    known: list[str] = []
    while True:
        try:
            Expression(text).columns(known)
        except ValueError as error:
            message = str(error)
            if not message.startswith("there is no column"):
                return {text}
            known.append(message.split("'")[1] if "'" in message else text)
        else:
            return set(known)


@pytest.mark.parametrize("name", shipped_descriptions())
def test_every_expression_computes_what_its_column_holds(name: str, tmp_path: Path) -> None:
    about = read_description(name)
    numbers: set[str] = set()
    texts: set[str] = set()
    for column, mapping in about.mappings().items():
        known = column_of(column)
        is_text = mapping.type == "text" if known is None else pa.types.is_string(known.type)
        text = mapping.value[0]
        of_text = Expression(text).text_columns(wanted=is_text)
        for source in _columns_named(text):
            (texts if source in of_text else numbers).add(source)
    for text in (about.where or ())[:1]:
        of_text = Expression(text).text_columns(wanted=False)
        for source in _columns_named(text):
            (texts if source in of_text else numbers).add(source)
    # Where a column is asked for as text and as number, a number serves both.
    rows = {source: ["1"] for source in texts - numbers} | {source: [1.0] for source in numbers}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    everything = about.model_copy(update={"where": None})
    version = add_catalogue(tmp_path / "c", "all", str(tmp_path / "rows.parquet"), everything)
    assert version.rows == 1
    assert version.absent == ()
    row = CatalogueSet.open(tmp_path / "c")["all"].take([0]).to_pylist()[0]
    assert row["ra"] == pytest.approx(1.0) or row["ra"] == pytest.approx(15.0)
    for column in ("mag_g", "mag_B", "mag_J", "name", "parallax"):
        assert column not in row or row[column] is not None
    try:
        add_catalogue(tmp_path / "c", "some", str(tmp_path / "rows.parquet"), about)
    except CatalogueError as error:
        # The mapping's own `where` can be computed, and leaves the made-up row out.
        assert "no row that can be used" in str(error)  # noqa: PT017 - not each mapping has such a `where`


def test_gaia_as_the_archive_packs_it(tmp_path: Path) -> None:
    columns = {
        "solution_id": "1636148068921376768", "source_id": "4472832130942575872", "ref_epoch": "2016.0",
        "ra": "269.44850252543836", "ra_error": "0.026239678", "dec": "4.739420051112412",
        "dec_error": "0.029397074", "parallax": "546.975939730948", "parallax_error": "0.040116355",
        "pmra": "-801.5509783684709", "pmra_error": "0.03163", "pmdec": "10362.394206546573",
        "pmdec_error": "0.036091", "phot_g_mean_mag": "8.193974", "phot_bp_mean_mag": "9.794146",
        "phot_rp_mean_mag": "6.958375", "ruwe": "1.1458", "in_qso_candidates": '"False"',
        "classprob_dsc_combmod_quasar": "null", "classprob_dsc_combmod_galaxy": "null",
        "classprob_dsc_combmod_star": "0.99",
    }  # fmt: skip
    text = f"# %ECSV 1.0\n# ---\n# delimiter: ','\n{','.join(columns)}\n{','.join(columns.values())}\n"
    (tmp_path / "GaiaSource_000000-003111.csv.gz").write_bytes(gzip.compress(text.encode()))
    row = only_row(tmp_path / "c", "gaia_dr3", tmp_path / "GaiaSource_*.csv.gz")
    assert row["name"] == "4472832130942575872"
    assert row["pmdec"] == pytest.approx(10362.394, rel=1e-6)
    assert row["epoch"] == 2016.0
    assert row["position_error"] == pytest.approx(0.029397e-3, rel=1e-4)
    assert row["quasar_probability"] is None


def test_glade_plus_in_its_own_text(tmp_path: Path) -> None:
    values = (
        "589447 43495 NGC4736 NGC4736 12505314+4107125 null null G 192.721451 41.120152 8.5420 0.07 0 null "
        "6.03 0.017 5.35 0.018 5.11 0.015 6.1 0.02 6.0 0.02 1 null null 0.001027 0.00162 1 0.0005 0.00012 "
        "4.59 0.3 2 1.5 0.4 0 null null"
    )
    (tmp_path / "GLADE+.txt").write_text(values + "\n")
    row = only_row(tmp_path / "c", "glade_plus", tmp_path / "GLADE+.txt")
    assert (row["name"], row["type"], row["redshift_kind"]) == ("NGC4736", "G", "distance")
    assert row["distance"] == pytest.approx(4.59)
    assert row["redshift"] == pytest.approx(0.001027)
    assert row["mag_B"] == pytest.approx(8.542)
    assert row["major_axis"] is None


def test_two_micron_sources_without_a_header(tmp_path: Path) -> None:
    values = ["\\N"] * 60
    values[:8] = ["10.68", "41.27", "0.06", "0.06", "90", "00424433+4116085", "9.453", "0.026"]
    values[8], values[27], values[35] = "0.052", "0", "2450789.5"
    (tmp_path / "psc_aaa").write_text("|".join(values) + "\n")
    row = only_row(tmp_path / "c", "twomass_psc", tmp_path / "psc_aaa")
    assert row["mag_J"] == pytest.approx(9.453)
    assert row["mag_J_error"] == pytest.approx(0.052)
    assert row["mag_H"] is None
    assert row["name"] == "00424433+4116085"
    assert row["position_error"] == pytest.approx(0.06)


def test_the_transient_name_server_with_its_line_of_the_date(tmp_path: Path) -> None:
    header = (
        "objid,name_prefix,name,ra,declination,redshift,typeid,type,reporting_groupid,reporting_group,"
        "source_groupid,source_group,discoverydate,discoverymag,discmagfilter,filter,reporters,time_received,"
        "internal_names,Discovery_ADS_bibcode,Class_ADS_bibcodes,creationdate,lastmodified"
    )
    row = (
        '"1","SN","2023ixf","210.910674637","54.3116510708","0.000804","13","SN II","1","a","1","a",'
        '"2023-05-19 17:27:15","14.9","22","Clear","K. Itagaki","x","ZTF23aaklqou, ATLAS23ouh","","","x","x"'
    )
    with zipfile.ZipFile(tmp_path / "tns_public_objects.csv.zip", "w") as archive:
        archive.writestr("tns_public_objects.csv", f'"2026-11-26 00:00:00"\n{header}\n{row}\n')
    found = only_row(tmp_path / "c", "tns", tmp_path / "tns_public_objects.csv.zip")
    assert found["name"] == "2023ixf"
    assert found["type"] == "SN II"
    assert found["redshift_kind"] == "spec"
    assert found["internal_names"] == "ZTF23aaklqou, ATLAS23ouh"


def test_shapes_of_the_legacy_surveys(tmp_path: Path) -> None:
    about = read_description("desi_legacy_dr10")
    e1, e2 = 0.2 * np.cos(np.radians(2 * 30.0)), 0.2 * np.sin(np.radians(2 * 30.0))
    rows: dict[str, list[Any]] = {
        "TYPE": ["EXP", "PSF"], "RA": [10.0, 20.0], "DEC": [0.0, 0.0], "RA_IVAR": [1e14, 1e14],
        "DEC_IVAR": [1e14, 1e14], "REF_EPOCH": [0.0, 2015.5], "PMRA": [0.0, 3.0], "PMDEC": [0.0, -4.0],
        "PARALLAX": [0.0, 1.0], "BRICKNAME": ["0001m002", "0001m002"], "OBJID": [1, 2], "BRICKID": [3, 3],
        "SHAPE_R": [5.0, 0.0], "SHAPE_E1": [e1, 0.0], "SHAPE_E2": [e2, 0.0],
    }  # fmt: skip
    for band in "GRZ":
        rows |= {f"FLUX_{band}": [100.0, -1.0], f"FLUX_IVAR_{band}": [1.0, 1.0]}
    rows["FLUX_W1"] = [1.0, 1.0]
    pq.write_table(pa.table(rows), tmp_path / "sweep.parquet")
    version = add_catalogue(tmp_path / "c", "ls", str(tmp_path / "sweep.parquet"), about)
    assert set(version.absent) == {"mag_i", "mag_i_error", "maskbits"}
    found = CatalogueSet.open(tmp_path / "c")["ls"].take([0, 1]).to_pylist()
    galaxy, star = sorted(found, key=lambda row: str(row["type"]))
    assert galaxy["major_axis"] == pytest.approx(10.0)
    assert galaxy["minor_axis"] == pytest.approx(10.0 * 0.8 / 1.2)
    assert galaxy["position_angle"] == pytest.approx(30.0)
    assert galaxy["mag_g"] == pytest.approx(17.5)
    assert galaxy["position_error"] == pytest.approx(3600e-7)
    assert (galaxy["pmra"], galaxy["epoch"]) == (None, 2016.0)
    assert (star["major_axis"], star["minor_axis"], star["mag_g"]) == (None, None, None)
    assert (star["pmra"], star["epoch"]) == (3.0, 2015.5)
