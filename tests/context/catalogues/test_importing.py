"""Importing: every kind of file, real catalogues, and what is told of bad ones."""

from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import ascii as astropy_ascii
from astropy.table import Table
from catalogue_tables import description, sphere, table

from lasair_broker.context.catalogues import (
    Catalogue,
    CatalogueError,
    CatalogueSet,
    Description,
    add_catalogue,
    check_catalogue,
    read_description,
    shipped_descriptions,
    source_columns,
)
from lasair_broker.packets.simulator import Simulation

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[4] / "shared" / "data")) / "catalogues"


def imported(folder: Path, source: str | Path, about: Description, **options: Any) -> Catalogue:
    add_catalogue(folder, "test", str(source), about, **options)
    assert check_catalogue(folder, "test") == []
    return CatalogueSet.open(folder)["test"]


def rows_of(catalogue: Catalogue) -> list[dict[str, Any]]:
    found = catalogue.take(np.arange(len(catalogue))).to_pylist()
    return sorted(found, key=lambda row: str(row["name"]))


ROWS = table(*sphere(np.random.default_rng(7), 500))
EXPECTED = sorted(
    (
        {"ra": row["ra"], "decl": row["decl"], "name": row["name"], "mag_g": row["mag_g"]}
        for row in ROWS.to_pylist()
    ),
    key=lambda row: str(row["name"]),
)
SOURCE = ROWS.rename_columns(["ra", "dec", "name", "g"])
"""As the mapping of `description` expects it."""


def _astropy(path: Path, **options: Any) -> None:
    data = {name: np.array(SOURCE[name].to_pylist()) for name in SOURCE.column_names}
    Table(data).write(path, **options)


def _csv(path: Path) -> None:
    pa.csv.write_csv(SOURCE, path)


def _packed(opener: Callable[..., Any], path: Path) -> None:
    _csv(path.with_suffix(""))
    with opener(path, "wb") as out:
        out.write(path.with_suffix("").read_bytes())
    path.with_suffix("").unlink()


def _zip(path: Path) -> None:
    _csv(path.with_suffix(".csv"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".csv"), "rows.csv")
    path.with_suffix(".csv").unlink()


WRITERS: dict[str, Callable[[Path], None]] = {
    "rows.csv": _csv,
    "rows.csv.gz": functools.partial(_packed, gzip.open),
    "rows.csv.bz2": functools.partial(_packed, bz2.open),
    "rows.zip": _zip,
    "rows.parquet": lambda path: pq.write_table(SOURCE, path, row_group_size=90),
    "rows.fits": lambda path: _astropy(path, format="fits"),
    "rows.vot": lambda path: _astropy(path, format="votable"),
    "binary.vot": lambda path: _astropy(path, format="votable", tabledata_format="binary"),
    "binary2.vot": lambda path: _astropy(path, format="votable", tabledata_format="binary2"),
    "rows.tsv": lambda path: _astropy(path, format="ascii.tab"),
    "rows.bar": lambda path: _astropy(path, format="ascii.basic", delimiter="|"),
    "rows.ecsv": lambda path: _astropy(path, format="ascii.ecsv", delimiter=","),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_catalogue(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    catalogue = imported(tmp_path / "catalogues", tmp_path / name, description())
    assert rows_of(catalogue) == EXPECTED
    assert list(source_columns(str(tmp_path / name))) == ["ra", "dec", "name", "g"]


def test_a_packed_fits_file(tmp_path: Path) -> None:
    _astropy(tmp_path / "rows.fits", format="fits")
    (tmp_path / "rows.fits.gz").write_bytes(gzip.compress((tmp_path / "rows.fits").read_bytes()))
    assert rows_of(imported(tmp_path / "c", tmp_path / "rows.fits.gz", description())) == EXPECTED


def _hats(folder: Path, *, listed: bool) -> None:
    """A catalogue in HATS layout: two cells of order 0 and one folder of files."""
    for pixel, rows in ((4, SOURCE.slice(0, 200)), (20_011, SOURCE.slice(200, 100))):
        place = folder / "dataset" / "Norder=1" / f"Dir={pixel // 10_000 * 10_000}"
        place.mkdir(parents=True)
        pq.write_table(rows, place / f"Npix={pixel}.parquet")
    place = folder / "dataset" / "Norder=2" / "Dir=0" / "Npix=7"
    place.mkdir(parents=True)
    pq.write_table(SOURCE.slice(300, 50), place / "a.parquet")
    pq.write_table(SOURCE.slice(350), place / "b.parquet")
    (folder / "dataset" / "_metadata").write_bytes(b"not data")
    (folder / "hats.properties").write_text(
        "#HATS catalog\nhats_col_ra=ra\nhats_col_dec=dec\nhats_nrows=500\n"
    )
    if listed:
        (folder / "partition_info.csv").write_text("Norder,Npix\n1,4\n1,20011\n2,7\n")


@pytest.mark.parametrize("listed", [True, False])
def test_hats_with_and_without_a_list_of_its_partitions(tmp_path: Path, listed: bool) -> None:
    _hats(tmp_path / "hats", listed=listed)
    assert rows_of(imported(tmp_path / "c", tmp_path / "hats", description())) == EXPECTED


def test_a_collection_of_hats_catalogues(tmp_path: Path) -> None:
    _hats(tmp_path / "all" / "main", listed=True)
    (tmp_path / "all" / "collection.properties").write_text("hats_primary_table_url=main\n")
    assert rows_of(imported(tmp_path / "c", tmp_path / "all", description())) == EXPECTED


def test_a_folder_and_a_pattern_of_files(tmp_path: Path) -> None:
    for k in range(5):
        pa.csv.write_csv(SOURCE.slice(100 * k, 100), tmp_path / f"part-{k}.csv")
    assert rows_of(imported(tmp_path / "c", f"{tmp_path}/part-*.csv", description())) == EXPECTED
    (tmp_path / "folder").mkdir()
    for k in range(5):
        (tmp_path / f"part-{k}.csv").rename(tmp_path / "folder" / f"part-{k}.csv")
    assert rows_of(imported(tmp_path / "c2", tmp_path / "folder", description())) == EXPECTED


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server."""
    folder = tmp_path / "www"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet", "rows.fits", "rows.vot"])
def test_a_file_on_a_web_server(name: str, web_server: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = web_server
    WRITERS[name](folder / name)
    assert rows_of(imported(tmp_path / "c", f"{url}/{name}", description())) == EXPECTED


def test_hats_on_a_web_server(web_server: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = web_server
    _hats(folder / "hats", listed=True)
    assert rows_of(imported(tmp_path / "c", f"{url}/hats", description())) == EXPECTED


def test_what_is_not_there_is_said(web_server: tuple[str, Path], tmp_path: Path) -> None:
    for source in (f"{web_server[0]}/no.csv", str(tmp_path / "no.csv"), str(tmp_path / "*.nothing")):
        with pytest.raises(CatalogueError, match=r"no|holds no files"):
            add_catalogue(tmp_path / "c", "test", source, description())
    with pytest.raises(CatalogueError, match="klingon"):
        add_catalogue(tmp_path / "c", "test", "klingon://somewhere", description())
    assert not CatalogueSet.open(tmp_path / "c").states


def test_units_expressions_sexagesimal_positions_and_missing_values(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "# a comment\n"
        '"Name" | RA J2000 | DE(J2000) | logD | err | mag | cls | z\n'
        '"A" | 12 34 56.7 | -01 02 03 | 1.5 | 30 | 17.5j | G | 0.1\n'
        "\n"
        '"B" | 0:00:00 | +89:59:59.9 | -99.9 | | >18.25: | S | \n'
        "# another\n"
        '"C" | 23h59m59s | -0 30 00 | 0 | 6 | none | G | -9\n'
    )
    about = Description.model_validate(
        {
            "title": "t", "source": "s", "licence": "l", "citation": "c",
            "axes": "isophote", "missing": [-99.9],
            "columns": {
                "ra": "RA J2000", "decl": "DE(J2000)", "name": "Name", "mag_B": "number(mag)",
                "position_error": {"value": "err", "unit": "mas"},
                "major_axis": {"value": "10 ** logD", "unit": "0.1 arcmin"},
                "type": "where(cls == 'G', 'galaxy', 'star')",
                "redshift": {"value": "z", "missing": [-9]},
                "redshift_kind": "where(missing(z), '', 'spec')",
            },
            "extra": {"both": "log10(logD) + 1", "raw": {"value": "cls", "type": "text"}},
        }
    )  # fmt: skip
    a, b, c = rows_of(imported(tmp_path / "c", tmp_path / "rows.csv", about))
    assert a["ra"] == pytest.approx(15 * (12 + 34 / 60 + 56.7 / 3600), abs=1e-12)
    assert a["decl"] == pytest.approx(-(1 + 2 / 60 + 3 / 3600), abs=1e-12)
    assert a["major_axis"] == pytest.approx(6 * 10**1.5, rel=1e-6)
    assert a["position_error"] == pytest.approx(0.03, rel=1e-6)
    assert (a["mag_B"], b["mag_B"], c["mag_B"]) == (17.5, 18.25, None)
    assert (a["type"], b["type"]) == ("galaxy", "star")
    assert (b["major_axis"], b["position_error"], b["redshift"], b["redshift_kind"]) == (
        None,
        None,
        None,
        None,
    )
    assert b["decl"] == pytest.approx(89 + 59 / 60 + 59.9 / 3600, abs=1e-12)
    assert (c["redshift"], c["both"], c["raw"]) == (None, None, "G")
    assert c["decl"] == -0.5


def test_several_names_for_a_column_and_columns_that_need_not_be_there(tmp_path: Path) -> None:
    pa.csv.write_csv(SOURCE, tmp_path / "rows.csv")
    columns = {
        "ra": ["RAJ2000", "ra"],
        "redshift": {"value": ["z", "zhelio"], "optional": True},
        "mag_g": {"value": ["Gmag", "g"], "optional": True},
    }
    version = add_catalogue(tmp_path / "c", "test", str(tmp_path / "rows.csv"), description(columns=columns))
    assert version.absent == ("redshift",)
    catalogue = CatalogueSet.open(tmp_path / "c")["test"]
    assert catalogue.take([0], ["redshift"])["redshift"].to_pylist() == [None]
    assert catalogue.take(np.arange(500), ["mag_g"])["mag_g"].null_count == 0


def test_only_chosen_rows(tmp_path: Path) -> None:
    pq.write_table(SOURCE, tmp_path / "rows.parquet")
    for where in ("g >= 100 and g < 103", "name in ('source 100', 'source 101', 'source 102')"):
        found = rows_of(imported(tmp_path / "c", tmp_path / "rows.parquet", description(where=where)))
        assert [row["mag_g"] for row in found] == [100.0, 101.0, 102.0]


BAD_FILES = {
    "a column is missing": ("ra,name,g\n1,a,2\n", ["column decl", "'dec'", "the source has ra, name, g"]),
    "declination out of range": ("ra,dec,name,g\n1,2,a,3\n4,95.5,b,3\n", ["line 3", "column dec", "95.5"]),
    "right ascension out of range": ("ra,dec,name,g\n-1,2,a,3\n", ["line 2", "column ra", "right ascension"]),
    "no position": ("ra,dec,name,g\n,2,a,3\n", ["line 2", "column ra", "is missing"]),
    "no angle": ("ra,dec,name,g\nabc,2,a,3\n", ["line 2", "column ra", "abc", "no angle"]),
    "no number": ("ra,dec,name,g\n1,2,a,3\n1,2,a,x9\n", ["line 3", "column g", "x9", "no number"]),
    "cut off": ("ra,dec,name,g\n1,2,a,3\n1,2", ["line 3", "2 fields where 4 are expected"]),
    "too many fields": ("ra,dec,name,g\n1,2,a,b,3\n", ["line 2", "5 fields where 4"]),
    "empty": ("", ["is empty"]),
    "no rows": ("ra,dec,name,g\n", ["no row that can be used"]),
    "only comments": ("# nothing\n#\n", ["no line of column names"]),
    "a name twice": ("ra,dec,ra,g\n1,2,3,4\n", ["two columns ra"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_wrong_with_a_text_file_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    text, expected = BAD_FILES[case]
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(CatalogueError) as error:
        add_catalogue(tmp_path / "c", "test", str(path), description())
    for words in ["rows.csv", *expected]:
        assert words in str(error.value)
    assert not CatalogueSet.open(tmp_path / "c").states


def test_an_empty_source_takes_no_catalogue_out_of_use(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ra,dec,name,g\n1,2,a,3\n")
    version = add_catalogue(tmp_path / "c", "test", str(path), description()).version
    for text, told in (("ra,dec,name,g\n", "no row"), ("ra,dec,name,g\n,2,a,3\n", "1 faults were found")):
        path.write_text(text)
        with pytest.raises(CatalogueError, match=told):
            add_catalogue(tmp_path / "c", "test", str(path), description(), skip_bad_rows=True)
        assert CatalogueSet.open(tmp_path / "c")["test"].version == version
    path.write_text("ra,dec,name,g\n1,2,a,3\n5,6,b,4\n")
    assert add_catalogue(tmp_path / "c", "test", str(path), description()).rows == 2


@pytest.mark.parametrize("name", ["rows.parquet", "rows.fits", "rows.vot", "rows.csv.gz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files_are_refused(name: str, share: float, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    # A FITS file ends with padding: cut the data.
    end = len(whole) - 2880 if name.endswith("fits") else len(whole)
    (tmp_path / name).write_bytes(whole[: int(share * end)])
    with pytest.raises(CatalogueError, match=name):
        add_catalogue(tmp_path / "c", "test", str(tmp_path / name), description())
    assert not CatalogueSet.open(tmp_path / "c").states


def test_bad_rows_can_be_left_out_and_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ra,dec,name,g\n1,2,a,3\n1,95,b,3\n\n370,1,c,4\n5,6,d,bright\n")
    version = add_catalogue(tmp_path / "c", "test", str(path), description(), skip_bad_rows=True)
    catalogue = CatalogueSet.open(tmp_path / "c")["test"]
    assert [(row["name"], row["mag_g"]) for row in rows_of(catalogue)] == [("a", 3.0), ("d", None)]
    assert version.rejected == 3
    listed = pa.csv.read_csv(tmp_path / "c" / "test" / f"v-{version.version}" / "rejected.csv").to_pylist()
    assert [
        (row["place"], row["column"], row["value"]) for row in sorted(listed, key=lambda r: r["place"])
    ] == [
        ("line 3", "dec", "95"),
        ("line 5", "ra", "370"),
        ("line 6", "g", "bright"),
    ]


def test_nan_and_infinity_are_null(tmp_path: Path) -> None:
    rows = pa.table({"ra": [1.0, 2.0], "dec": [0.0, 0.0], "name": ["a", "b"], "g": [np.nan, -np.inf]})
    pq.write_table(rows, tmp_path / "rows.parquet")
    found = rows_of(imported(tmp_path / "c", tmp_path / "rows.parquet", description()))
    assert [row["mag_g"] for row in found] == [None, None]


def test_bad_names_and_mappings_are_refused(tmp_path: Path) -> None:
    for name in ("", "../evil", "Gaia", "a b", "9x"):
        with pytest.raises(CatalogueError, match="no name for a catalogue"):
            add_catalogue(tmp_path / "c", name, "nothing.csv", description())
    for text, words in {
        "- a": "no YAML mapping",
        "title: [": "not valid YAML",
        "title: t": "licence",
        "columns: {ra: ra}": "decl is needed",
        "columns: {ra: a, decl: b, colour: c}": "colour: there is no such canonical column",
        "columns: {ra: a, decl: b, mag_g: '__import__(1)'}": "not allowed",
        "columns: {ra: a, decl: b, mag_g: 'a.b + 1'}": "not allowed",
        "columns: {ra: a, decl: b, mag_g: {value: g, unit: furlong}}": "no unit",
        "columns: {ra: a, decl: b, major_axis: d}": "axes",
        "columns: {ra: a, decl: b, pmra: d}": "belong together",
    }.items():
        path = tmp_path / "mapping.yaml"
        head = "" if text[0] in "-t" else "title: t\nsource: s\nlicence: l\ncitation: c\n"
        path.write_text(head + text)
        with pytest.raises(CatalogueError, match=r"mapping\.yaml") as error:
            read_description(path)
        assert words in str(error.value)


def test_every_catalogue_of_the_issue_has_a_mapping() -> None:
    wanted = [
        "gaia_dr3",
        "pan_starrs1",
        "desi_legacy_dr10",
        "sdss",
        "twomass_psc",
        "twomass_xsc",
        "allwise",
        "milliquas",
        "glade_plus",
        "ned_d",
        "ned_lvs",
        "lasr",
        "vsx",
        "gcvs",
        "downes",
        "ritter",
        "fermi_4fgl",
        "rosat",
        "erass1",
        "xmm",
        "chandra_csc",
        "first",
        "nvss",
        "vlass",
        "lotss",
        "desi_dr1",
        "tns",
    ]
    assert set(wanted) <= set(shipped_descriptions())
    for name in shipped_descriptions():
        about = read_description(name)
        assert about.source
        assert about.licence
        assert about.citation


REAL = {
    "glade_plus": ("glade_plus.parquet", 791_643),
    "vsx": ("vsx.parquet", 1_933_544),
    "gcvs": ("gcvs.parquet", 59_099),
}


@pytest.mark.parametrize("name", REAL)
def test_real_catalogues_by_the_mappings_that_come_with_lasair(name: str, tmp_path: Path) -> None:
    file, rows = REAL[name]
    version = add_catalogue(tmp_path, name, str(DATA / file), read_description(name))
    assert version.rows == rows
    assert version.rejected == 0
    catalogue = CatalogueSet.open(tmp_path)[name]
    given = pq.read_table(DATA / file)
    lon = next(c for c in given.column_names if c in ("ra", "RAJ2000"))
    lat = next(c for c in given.column_names if c in ("dec", "DEJ2000"))
    some = np.random.default_rng(1).integers(0, rows, 300)
    ra, decl = given[lon].to_numpy()[some], given[lat].to_numpy()[some]
    found = catalogue.match(ra, decl, 0.0)
    assert set(found.position.tolist()) == set(range(300))
    if name == "glade_plus":
        taken = catalogue.take(found.row, ["major_axis", "redshift", "mag_B"])
        log_d25 = given["logd25Hyp"].to_numpy()[some][found.position]
        axis = taken["major_axis"].to_numpy(zero_copy_only=False)
        assert np.nanmedian(np.abs(axis / (6.0 * 10.0**log_d25) - 1.0)) < 1e-6
        assert np.isfinite(axis).sum() > 100


def test_openngc_by_its_mapping(tmp_path: Path) -> None:
    add_catalogue(tmp_path, "openngc", str(DATA / "openngc.csv"), read_description("openngc"))
    catalogue = CatalogueSet.open(tmp_path)["openngc"]
    found = catalogue.match([10.6847], [41.2688], 60.0)
    assert catalogue.take(found.row, ["name"])["name"].to_pylist() == ["NGC0224"]
    assert catalogue.take(found.row, ["major_axis"])["major_axis"][0].as_py() == pytest.approx(
        177.83 * 60, rel=0.1
    )


OTHERS: dict[str, tuple[dict[str, Any], int]] = {
    "3hsp_blazars.csv": ({"ra": "R.A.", "decl": "Dec", "name": "3HSP Source name"}, 2013),
    "4lac_dr3_highlat.fits": (
        {"ra": "RAJ2000", "decl": "DEJ2000", "name": "Source_Name", "type": "CLASS"},
        3407,
    ),
    "symbiotic_and_cv.parquet": (
        {"ra": "RA(J2000)", "decl": "DEC(J2000)", "name": "Name", "mag_V": "number(magnitude)"},
        2857,
    ),
    "known_transients.parquet": (
        {"ra": "ra_deg", "decl": "dec_deg", "name": "name", "redshift": "z"},
        41_849,
    ),
}


@pytest.mark.parametrize("file", OTHERS)
def test_other_real_catalogues(file: str, tmp_path: Path) -> None:
    columns, rows = OTHERS[file]
    facts = {"title": file, "source": "data", "licence": "as there", "citation": "as there"}
    catalogue = imported(tmp_path, DATA / file, Description.model_validate(facts | {"columns": columns}))
    assert len(catalogue) == rows
    assert all(row["name"] for row in rows_of(catalogue))


def test_a_real_row_with_sixty_seconds_is_told_and_can_be_left_out(tmp_path: Path) -> None:
    columns = {"ra": "RA(J2000)", "decl": "DEC(J2000)", "name": "Name", "mag_g": "number(magnitude)"}
    about = description(columns=columns)
    source = str(DATA / "magnetic_cv.csv")
    with pytest.raises(CatalogueError, match=r"line 181, column RA\(J2000\): “14 46 60.0”"):
        add_catalogue(tmp_path, "test", source, about)
    version = add_catalogue(tmp_path, "test", source, about, skip_bad_rows=True)
    assert (version.rows, version.rejected) == (244, 1)


def test_the_simulated_sky_by_its_mapping(tmp_path: Path) -> None:
    simulation = Simulation.night(200, seed=5)
    sky = simulation.catalogue()
    pq.write_table(sky, tmp_path / "catalogue.parquet")
    add_catalogue(tmp_path, "simulated", str(tmp_path / "catalogue.parquet"), read_description("simulated"))
    catalogue = CatalogueSet.open(tmp_path)["simulated"]
    assert len(catalogue) == sky.num_rows
    some = sky.slice(0, 200)
    mjd = 51_544.5 + 365.25 * 26.0
    found = catalogue.match(some["ra"].to_numpy(), some["decl"].to_numpy(), 0.001, mjd=mjd)
    names = catalogue.take(found.row, ["name"])["name"].to_pylist()
    wanted = some["sourceId"].cast(pa.string()).to_pylist()
    assert {(i, name) for i, name in zip(found.position.tolist(), names, strict=True)} >= set(
        enumerate(wanted)
    )


def test_astropy_reads_our_text_as_we_do(tmp_path: Path) -> None:
    """Quotes, spaces and delimiters inside quotes, against another reader."""
    path = tmp_path / "rows.csv"
    path.write_text('ra , dec , name , g\n1 , 2 , "a, b" , 3\n4,5,"say ""x""",6\n')
    expected = astropy_ascii.read(path, format="csv")
    found = rows_of(imported(tmp_path / "c", path, description()))
    assert [row["name"] for row in found] == [str(name) for name in expected["name"]]
    assert [row["mag_g"] for row in found] == [float(g) for g in expected["g"]]
