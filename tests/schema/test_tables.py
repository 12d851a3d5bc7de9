"""The tables are what Felis, Lasair's users and the engines expect."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

import duckdb
import felis.datamodel
import psycopg
import pytest
import yaml

from lasair_broker.schema import TABLES, SchemaError, arrow_schema, ddl, table

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
LSST = DATA / "lsst" / "schemas" / "11" / "1"
BANDS = "ugrizy"

PROMISED_TABLES = """
    objects diaSources diaForcedSources diaNondetectionLimits ssSources ssObjects mpc_orbits alerts
    cutouts avro_schemas rejected stream_positions object_ledger sherlock_classifications
    sherlock_crossmatches crossmatch_tns external_events classifications classification_history
    annotations watchlist_hits
    area_hits mma_hits filter_hits watchlist_events watchlist_trigger_states event_hits partners chores
    event_versions stage_nights
"""

# What users' saved queries name, with the type they expect. Times and positions are the exception: see below.
PUBLIC_OBJECTS = {
    "diaObjectId": "long",
    "ra": "double",
    "decl": "double",
    "lastDiaSourceMjdTai": "double",
    "firstDiaSourceMjdTai": "double",
    "latest_psfFlux": "float",
    "medianR": "float",
    "latestR": "float",
    "nDiaSources": "int",
    "nPosDiaSources": "int",
    "nPosDiaSourcesNights": "int",
    "nSourcesGood": "int",
    "tns_name": "string",
    "absMag": "float",
    "absMagMJD": "double",
    "BBBRiseRate": "float",
    "BBBFallRate": "float",
    "BBBTemp": "float",
    "BBBPeakFlux": "float",
    "BBBPeakMJD": "double",
    "BBBPeakAbsMag": "float",
    "glat": "float",
    "ebv": "float",
    "jump1": "float",
    "jump2": "float",
    "latestPairMJD": "double",
    "latestPairColourMag": "float",
    "latestPairColourBands": "string",
    "latestPairColourTemp": "float",
    "penultimatePairMJD": "double",
    "penultimatePairColourMag": "float",
    "penultimatePairColourBands": "string",
    "penultimatePairColourTemp": "float",
    "htm16": "long",
    "timestamp": "timestamp",
    "validityStartMjdTai": "double",
    "raErr": "float",
    "decErr": "float",
    "ra_dec_Cov": "float",
}
PUBLIC_BY_BAND = """
    psfFluxMean psfFluxMeanErr psfFluxSigma fpFluxMean fpFluxMeanErr scienceFluxMean scienceFluxMeanErr
    psfFluxMin psfFluxMax psfFluxMaxSlope psfFluxErrMean
"""
for band in BANDS:
    PUBLIC_OBJECTS |= {
        f"{band}_psfFlux": "float",
        f"{band}_latestMJD": "double",
        f"n{band}Sources": "int",
        f"{band}_psfFluxNdata": "int",
    }
    for column in PUBLIC_BY_BAND.split():
        PUBLIC_OBJECTS[f"{band}_{column}"] = "float"

PUBLIC_OTHERS = {
    "sherlock_classifications": """
        diaObjectId classification association_type catalogue_table_name catalogue_object_id
        catalogue_object_type raDeg decDeg separationArcsec northSeparationArcsec
        eastSeparationArcsec physical_separation_kpc direct_distance distance best_distance
        best_distance_flag best_distance_source z photoZ photoZErr Mag MagFilter MagErr
        classificationReliability major_axis_arcsec annotator additional_output description
        summary
    """,
    "crossmatch_tns": """
        ra decl tns_name tns_prefix disc_mag disc_mag_filter type z hostz host_name ext_catalogs
        disc_int_name disc_date lastmodified_date sender reporters source_group htm16
        lasairmodified_date
    """,
    "annotations": """
        annotationID diaObjectId topic version timestamp classification explanation classdict
        url
    """,
    "watchlist_hits": """
        diaObjectId wl_id cone_id arcsec name
    """,
    "area_hits": """
        diaObjectId ar_id
    """,
    "mma_hits": """
        diaObjectId mw_id contour distance probdens2 probdens3
    """,
}


def felis_schema() -> felis.datamodel.Schema:
    folder = files("lasair_broker.schema")
    schema = yaml.safe_load(folder.joinpath("lasair.yaml").read_text())
    schema["tables"] = [
        yaml.safe_load(folder.joinpath("tables", f"{name}.yaml").read_text()) for name in schema["tables"]
    ]
    checks = ("id_generation", "check_description", "check_tap_table_indexes")
    return felis.datamodel.Schema.model_validate(schema, context=dict.fromkeys(checks, True))


def test_felis_reads_our_files_and_sees_the_same_tables() -> None:
    theirs = felis_schema()
    assert [t.name for t in theirs.tables] == list(TABLES)
    for felis_table in theirs.tables:
        ours = TABLES[felis_table.name]
        for felis_column, column in zip(felis_table.columns, ours.columns, strict=True):
            assert felis_column.name == column.name
            assert felis_column.datatype.value == column.datatype
            assert felis_column.nullable == column.nullable
            assert felis_column.ivoa_unit == column.unit
            assert felis_column.ivoa_ucd == column.ucd
            assert bool(felis_column.tap_principal) == column.principal
        key = (
            [felis_table.primary_key] if isinstance(felis_table.primary_key, str) else felis_table.primary_key
        )
        assert key == [f"#{ours.name}.{name}" for name in ours.primary_key]


def test_every_file_is_listed() -> None:
    listed = {f"{name}.yaml" for name in TABLES}
    assert {path.name for path in files("lasair_broker.schema").joinpath("tables").iterdir()} == listed
    assert set(PROMISED_TABLES.split()) == set(TABLES)


def test_keys_are_columns_with_values() -> None:
    for definition in TABLES.values():
        assert definition.primary_key
        for name in definition.primary_key:
            assert not definition.column(name).nullable, (definition.name, name)
        for index in definition.indexes:
            assert all(name in definition.by_name for name in index.columns)


def test_objects_has_every_public_column() -> None:
    assert len(PUBLIC_OBJECTS) == 65 + 64
    columns = TABLES["objects"].by_name
    assert {name: columns[name].datatype for name in PUBLIC_OBJECTS} == PUBLIC_OBJECTS


@pytest.mark.parametrize("name", PUBLIC_OTHERS)
def test_other_public_tables_have_every_public_column(name: str) -> None:
    assert set(PUBLIC_OTHERS[name].split()) <= set(TABLES[name].by_name)


def test_an_object_may_be_in_many_lists_maps_and_events() -> None:
    for name in ("watchlist_hits", "area_hits", "mma_hits", "event_hits", "partners"):
        assert len(TABLES[name].primary_key) > 1


AVRO = {"long": "long", "int": "int", "float": "float", "double": "double", "boolean": "boolean"}


def avro_columns(record: str) -> dict[str, str]:
    fields = json.loads((LSST / f"lsst.v11_1.{record}.avsc").read_text())["fields"]
    columns = {}
    for avro_field in fields:
        kind = avro_field["type"]
        if isinstance(kind, list):
            (kind,) = (k for k in kind if k != "null")
        if isinstance(kind, dict):
            assert kind["logicalType"] == "timestamp-micros"
            kind = "timestamp"
        columns["decl" if avro_field["name"] == "dec" else avro_field["name"]] = kind
    return columns


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("diaSources", "diaSource"),
        ("ssSources", "diaSource"),
        ("ssSources", "ssSource"),
        ("diaForcedSources", "diaForcedSource"),
        ("ssObjects", "ssObject"),
        ("mpc_orbits", "mpc_orbits"),
        ("objects", "diaObject"),
    ],
)
def test_every_field_of_lsst_is_a_column_of_its_type(name: str, record: str) -> None:
    columns = TABLES[name].by_name
    for field_name, kind in avro_columns(record).items():
        datatype = columns[field_name].datatype
        assert datatype in ("string", "text") if kind == "string" else datatype == kind, field_name


def test_every_column_is_described() -> None:
    for definition in TABLES.values():
        assert definition.description.endswith(".")
        for column in definition.columns:
            assert column.description.endswith("."), (definition.name, column.name)
            assert len(column.description) > 10
            assert column.ucd or column.name == "survey", (definition.name, column.name)


def test_no_description_is_lsst_s() -> None:
    """Rubin's words are under another licence."""

    def words(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.casefold()))

    theirs = {
        words(f.get("doc", ""))
        for path in LSST.glob("*.avsc")
        for f in json.loads(path.read_text())["fields"]
    }
    for definition in TABLES.values():
        for column in definition.columns:
            assert words(column.description) not in theirs, (definition.name, column.name)


PHYSICAL = (
    (r"MjdTai$|MJD$", {"d"}),
    (r"Flux(Err|Mean|MeanErr|Min|Max|Sigma|ErrMean|Diff|DiffErr)?$", {"nJy"}),
    (r"MaxSlope$", {"nJy/d"}),
    (r"^(ra|decl|raErr|decErr|raDeg|decDeg|glat|trailRa|trailDec|ephRa|ephDec|galLon|galLat)$", {"deg"}),
    (r"Arcsec$|_arcsec$|^arcsec$", {"arcsec"}),
    (r"^Mag(Err)?$|[aA]bsMag$|ColourMag$|_H(Err)?$|disc_mag$|^ebv$", {"mag"}),
    (r"Temp$", {"kK"}),
    (r"^helio_v|^topo_v|RangeRate$", {"km/s"}),
    (r"Rate$", {"1/d", "km/s", "deg/d", "1/yr"}),
    (r"_kpc$", {"kpc"}),
    (r"distance$", {"Mpc"}),
    (r"^(helio|topo)_[xyz]$", {"AU"}),
)


def test_physical_columns_have_the_unit_their_name_says() -> None:
    met = set()
    for definition in TABLES.values():
        for column in definition.columns:
            for pattern, units in PHYSICAL:
                if re.search(pattern, column.name):
                    met.add(pattern)
                    assert column.unit in units, (definition.name, column.name)
                    break
    assert met == {pattern for pattern, _ in PHYSICAL}


def test_times_keep_their_precision() -> None:
    """Lasair stores some in single precision, which is six minutes at MJD 61000."""
    for definition in TABLES.values():
        for column in definition.columns:
            if re.search(r"MjdTai$|MJD$|^epoch_mjd$", column.name):
                assert column.datatype == "double", (definition.name, column.name)


def test_duckdb_makes_every_table() -> None:
    connection = duckdb.connect()
    for name in TABLES:
        connection.execute(ddl(name, "duckdb"))
        connection.execute(ddl(name, "duckdb", f"{name} copy"))
        made = connection.execute(f'SELECT * FROM "{name}"').to_arrow_table()
        assert made.schema.names == arrow_schema(name).names
        for theirs, ours in zip(made.schema, arrow_schema(name), strict=True):
            assert theirs.type == ours.type or str(ours.type).startswith("timestamp[us"), theirs
    assert not connection.execute("SELECT * FROM duckdb_indexes()").fetchall()
    assert not connection.execute(
        "SELECT * FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY'"
    ).fetchall()


def test_postgresql_makes_every_table(postgresql: str) -> None:
    with psycopg.connect(postgresql) as connection:
        connection.execute("CREATE SCHEMA schema_test")
        connection.execute("SET search_path = schema_test")
        for name, definition in TABLES.items():
            connection.execute(ddl(name, "postgresql"))
            connection.execute(ddl(name, "postgresql", f"{name} copy"))
            columns = connection.execute(
                """SELECT attname, attnotnull, col_description(attrelid, attnum) FROM pg_attribute
                WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum""",
                [f'"{name}"'],
            ).fetchall()
            assert columns == [(c.name, not c.nullable, c.description) for c in definition.columns]
            key = connection.execute(
                """SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid
                WHERE indrelid = %s::regclass AND indisprimary AND attnum = ANY(indkey)
                ORDER BY array_position(indkey::int2[], attnum)""",
                [f'"{name}"'],
            ).fetchall()
            assert tuple(k for (k,) in key) == definition.primary_key
        connection.rollback()


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(SchemaError, match="no table 'object'; did you mean 'objects'"):
        table("object")
    with pytest.raises(SchemaError, match="no column 'diaobjectid'; did you mean 'diaObjectId'"):
        table("objects").column("diaobjectid")
    with pytest.raises(SchemaError, match=r"no table 'zzzzzz'$"):
        arrow_schema("zzzzzz")
