"""Notices, VOEvents and tables as they come, whole, changed, broken and hostile."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.context.events import (
    EventError,
    EventFile,
    read_events,
    read_gcn,
    read_mapping,
    read_voevent,
    shipped_mappings,
)

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
NOTICES = sorted((DATA / "messengers" / "gcn_notices").glob("*.json"))

P90_OF_68 = math.sqrt(math.log(0.1) / math.log(0.32))
"""90 per cent radius of a round Gaussian by its 68 per cent radius."""


def places(value: Any) -> list[tuple[float, float]]:
    """Every ra and dec in a notice, wherever it stands."""
    found = []
    if isinstance(value, dict):
        if "ra" in value and "dec" in value:
            found.append((value["ra"], value["dec"]))
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            found += places(inner)
    return found


def test_every_notice_is_read() -> None:
    assert len(NOTICES) > 40
    for path in NOTICES:
        notice = json.loads(path.read_text())
        stated = places(notice)
        found = read_events(path)
        rows = found.rows.to_pylist()
        assert rows
        # The examples have words where a map would be.
        assert bool(found.problems) == ("healpix_file" in notice)
        for row in rows:
            assert row["origin"]
            assert row["eventName"]
            assert (row["ra"] is None) == (not stated)
            if stated:
                assert (row["ra"], row["decl"]) in stated
            if "trigger_time" in notice:
                truth = Time(notice["trigger_time"].removesuffix("Z"), scale="utc").tai.mjd
                assert row["eventMjdTai"] == pytest.approx(truth, abs=1e-8)


def read_one(**changed: Any) -> Any:
    notice = {"mission": "X", "id": "1", "ra": 10.0, "dec": -5.0, "ra_dec_error": 1.0} | changed
    (event,) = read_gcn(json.dumps(notice).encode())
    return event


def test_error_regions() -> None:
    assert read_one().errorRadius == pytest.approx(1.0)
    assert read_one(containment_probability=0.68).errorRadius == pytest.approx(P90_OF_68)
    ellipse = read_one(ra_dec_error=[0.2, 0.5, 30.0])
    assert (ellipse.errorRadius, ellipse.errorMinor, ellipse.errorAngle) == pytest.approx((0.5, 0.2, 120.0))
    beside = read_one(ra_dec_error=[0.2, 0.1])
    assert (beside.errorRadius, beside.errorMinor, beside.errorAngle) == pytest.approx((0.2, 0.1, 90.0))
    gbm = read_one(
        **{"$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/fermi/gbm/alert.schema.json"},
        containment_probability=0.68,
    )
    assert gbm.errorRadius == pytest.approx(P90_OF_68 * math.hypot(1.0, 1.86))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"dec": 91.0}, "no position in degrees"),
        ({"ra": "ten"}, "ra='ten' is no number"),
        ({"ra_dec_error": "wide"}, "ra_dec_error='wide'"),
        ({"ra_dec_error": -1.0}, "no error region"),
        ({"containment_probability": 90}, "probability 90"),
        ({"trigger_time": "yesterday"}, "trigger_time: 'yesterday' is no time"),
        ({"trigger_time": 5}, "trigger_time=5"),
        ({"id": []}, "names no event"),
        ({"rectangular_error_corners": [1], "ra_dec_error": None}, "rectangular_error_corners"),
    ],
)
def test_wrong_fields_are_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(EventError) as error:
        read_one(**changed)
    assert told in str(error.value)


@given(
    junk=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=8,
    ),
    field=st.sampled_from(
        [
            "$schema",
            "mission",
            "id",
            "event_name",
            "ra",
            "dec",
            "ra_dec_error",
            "containment_probability",
            "alert_type",
            "alert_tense",
            "trigger_time",
            "alert_datetime",
            "flux",
            "flux_error",
            "flux_unit",
            "photometry",
            "classification",
            "record_number",
            "spectral_band",
            "rectangular_error_corners",
            "data",
            "systematic_included",
            "luminosity_distance",
        ]
    ),
)
def test_whatever_a_mission_changes_is_told_in_a_line(junk: Any, field: str) -> None:
    with contextlib.suppress(EventError):
        assert read_one(**{field: junk}).eventName


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "[" * 100_000, "\x00", "{}"])
def test_what_is_no_notice(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notice.json"
    path.write_text(text)
    with pytest.raises(EventError) as error:
        read_events(path)
    assert str(error.value).startswith(str(path))


VOEVENT = """<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" version="2.0" role="observation"
 ivorn="ivo://some.observatory/radio#burst-1">
<Who><AuthorIVORN>ivo://some.observatory</AuthorIVORN><Date>2026-03-01T01:00:00</Date></Who>
<What><Group name="g">
<Param name="flux" value="1.5" unit="Jy" ucd="phot.flux;em.radio.750-1500MHz"/></Group></What>
<WhereWhen><ObsDataLocation><ObservatoryLocation/><ObservationLocation>
<AstroCoordSystem id="UTC-ICRS-TOPO"/><AstroCoords coord_system_id="UTC-ICRS-TOPO">
<Time><TimeInstant><ISOTime>2026-03-01T00:00:00</ISOTime></TimeInstant></Time>
<Position2D unit="deg"><Name1>RA</Name1><Name2>Dec</Name2><Value2><C1>150.5</C1><C2>2.25</C2></Value2>
<Error2Radius>0.1</Error2Radius></Position2D></AstroCoords></ObservationLocation></ObsDataLocation></WhereWhen>
<Why><Concept>http://ivoat.ivoa.net/process.burst</Concept><Name>FRB</Name></Why>
<Reference uri="https://some.observatory/1"/>
</voe:VOEvent>"""


def test_a_voevent() -> None:
    (event,) = read_voevent(VOEVENT.encode())
    assert (event.origin, event.eventName) == ("some.observatory/radio", "some.observatory/radio#burst-1")
    assert (event.ra, event.decl, event.flux, event.fluxUnit) == (150.5, 2.25, 1.5, "Jy")
    assert event.errorRadius == pytest.approx(0.1 * P90_OF_68)
    assert event.eventMjdTai == pytest.approx(Time("2026-03-01", scale="utc").tai.mjd, abs=1e-9)
    assert (event.regime, event.kind, event.eventClass) == ("radio", "process.burst", "FRB")
    assert event.url == "https://some.observatory/1"


@pytest.mark.parametrize(("scale", "name"), [("TT", "tt"), ("TDB", "tdb"), ("TAI", "tai")])
def test_time_scales_of_voevents(scale: str, name: str) -> None:
    (event,) = read_voevent(VOEVENT.replace('coord_system_id="UTC', f'coord_system_id="{scale}').encode())
    assert event.eventMjdTai == pytest.approx(Time("2026-03-01", scale=name).tai.mjd, abs=1e-7)


def test_a_voevent_may_take_another_back() -> None:
    cite = '<Citations><EventIVORN cite="retraction">ivo://some.observatory/radio#burst-0</EventIVORN></Citations>'
    start, rest = VOEVENT.split("<WhereWhen>")
    (event,) = read_voevent((start + cite + rest.split("</WhereWhen>")[1]).encode())
    assert (event.eventName, event.retracted, event.ra) == ("some.observatory/radio#burst-0", True, None)


LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    + "]><VOEvent>&l9;</VOEvent>"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LAUGHS, "entities"),
        (
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><VOEvent ivorn="a">&x;</VOEvent>',
            "entities",
        ),
        ('<!DOCTYPE a SYSTEM "https://example.org/a.dtd"><VOEvent ivorn="a"/>', "entities"),
        (VOEVENT[: len(VOEVENT) // 2], "not XML"),
        ("<html></html>", "html, not VOEvent"),
        (VOEVENT.replace("<C1>150.5</C1>", "<C1>east</C1>"), "Position2D/Value2/C1 is 'east'"),
        (VOEVENT.replace("<C2>2.25</C2>", "<C2>95</C2>"), "no position"),
        (VOEVENT.replace("UTC-ICRS-TOPO", "UTC-GAL-TOPO"), "GAL"),
        (VOEVENT.replace("UTC-ICRS", "LOCAL-ICRS"), "times in LOCAL"),
        (VOEVENT.replace('ivorn="ivo://some.observatory/radio#burst-1"', ""), "no ivorn"),
        ('<?xml version="1.0" encoding="nonsense"?><VOEvent/>', "not XML"),
    ],
)
def test_hostile_and_broken_xml(text: str, told: str) -> None:
    with pytest.raises(EventError, match=told):
        read_voevent(text.encode())


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(text)
    return path


GAIA = """#Name, Date, RaDeg, DecDeg, AlertMag, HistoricMag, HistoricStdDev, Class, Published, Comment
Gaia24abc,2024-05-01 00:00:00,10.5,-20.25,18.5,,,SN Ia,2024-05-02 00:00:00,"a candidate, blue"
Gaia24abd,2024-05-01 00:00:00,370.5,-20.25,18.5,,,unknown,2024-05-02 00:00:00,
Gaia24abe,soon,10.5,-20.25,,,,unknown,2024-05-02 00:00:00,
,2024-05-01 00:00:00,10.5,-20.25,18.5,,,unknown,2024-05-02 00:00:00,
"""


def test_a_table_is_known_by_its_columns_and_bad_rows_are_told(tmp_path: Path) -> None:
    found = read_events(table(tmp_path, GAIA))
    first, third = found.rows.to_pylist()
    assert (first["origin"], first["eventName"], first["eventClass"]) == ("Gaia", "Gaia24abc", "SN Ia")
    assert first["flux"] == pytest.approx(10 ** (0.4 * (31.4 - 18.5)))
    assert first["errorRadius"] == pytest.approx(0.2 / 3600.0)
    assert first["url"].endswith("/Gaia24abc")
    assert first["eventMjdTai"] == pytest.approx(Time("2024-05-01", scale="utc").tai.mjd, abs=1e-9)
    assert third["eventMjdTai"] is None
    assert third["flux"] is None
    assert [(row.line, row.column) for row in found.refused] == [
        (3, "RaDeg"), (4, "Date"), (5, "#Name/Name"),
    ]  # fmt: skip


ASASSN = """ASAS-SN,RA,Dec,Discovery,V/g,Type
ASASSN-24aa,12:30:00,-00:30:00,2024-01-02.50,16.1,SN Ia
"""
ATLAS = """atlas_designation,ra,dec,earliest_mjd,earliest_mag,earliest_filter
ATLAS24aaa,187.5,-0.5,60311.5,17.2,o
"""


@pytest.mark.parametrize(("text", "origin"), [(ASASSN, "ASAS-SN"), (ATLAS, "ATLAS")])
def test_tables_of_other_surveys(tmp_path: Path, text: str, origin: str) -> None:
    (row,) = read_events(table(tmp_path, text)).rows.to_pylist()
    assert row["origin"] == origin
    assert (row["ra"], row["decl"]) == pytest.approx((187.5, -0.5))
    assert row["eventMjdTai"] == pytest.approx(Time("2024-01-02T12:00:00", scale="utc").tai.mjd, abs=1e-6)


def test_historic_transients() -> None:
    found = read_events(DATA / "catalogues" / "known_transients.parquet")
    assert found.rows.num_rows > 40_000
    assert not found.refused
    assert set(found.rows["origin"].to_pylist()) == {"Open Astronomy Catalogs"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "--mapping"),
        ("", "empty"),
        ("a,a\n1,2\n", "two columns"),
        (GAIA + '"x', "table|columns"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EventError, match=told):
        read_events(table(tmp_path, text))


def test_mappings(tmp_path: Path) -> None:
    assert {"gaia_alerts", "asassn_transients", "atlas_transients", "known_transients"} <= set(
        shipped_mappings()
    )
    path = tmp_path / "mine.yaml"
    path.write_text("title: T\norigin: O\ncolumns: {name: n, ra: r, decl: d}\nerror: 3\nregime: radio\n")
    found = read_events(table(tmp_path, "n,r,d\nx,1,2\n"), read_mapping(str(path)))
    assert found.rows.to_pylist()[0]["regime"] == "radio"
    for text, told in (("title: T\n", "origin"), ("- 1", "no mapping"), ("a: [", "not YAML")):
        path.write_text(text)
        with pytest.raises(EventError, match=told):
            read_mapping(str(path))
    with pytest.raises(EventError, match="gaia_alerts"):
        read_mapping("nothing")


def test_alerts_of_another_survey() -> None:
    found = read_events(DATA / "lsst" / "ddf_v10.avro").rows
    assert found.num_rows >= 1
    for row in found.to_pylist():
        assert (row["origin"], row["regime"], row["fluxUnit"]) == ("lsst", "optical", "nJy")
        assert 0.0 < row["errorRadius"] < 1.0 / 3600.0


MADE_UP = "title: T\norigin: O\ncolumns: {name: n, ra: r, decl: d, time: t, errorRadius: e}\nerror: 3\n"


def made_up_table(folder: Path, rows: str, packed: bool = False) -> EventFile:
    mapping = folder / "mapping.yaml"
    mapping.write_text(MADE_UP)
    path = folder / ("table.csv.gz" if packed else "table.csv")
    content = f"n,r,d,t,e\n{rows}".encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return read_events(path, read_mapping(str(mapping)))


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_in_which_nothing_is_missing(tmp_path: Path, packed: bool) -> None:
    """Whole columns are Arrow's own memory, which nobody may write to."""
    found = made_up_table(tmp_path, "x,1,2,60000,5\ny,10:00:00,-20:00:00,2026-01-01,-1\n", packed)
    assert found.refused == ()
    first, second = found.rows.to_pylist()
    assert (first["ra"], first["decl"]) == (1.0, 2.0)
    assert (second["ra"], second["decl"]) == (150.0, -20.0)
    assert first["errorRadius"] / second["errorRadius"] == pytest.approx(5.0 / 3.0)  # -1 is no error


@pytest.mark.parametrize(
    ("row", "column", "told"),
    [
        ("x,nan,2,60000,1", "r", "no angle"),
        ("x,inf,2,60000,1", "r", "no angle"),
        ("x,10,200,60000,1", "d", "no angle of at most 90"),
        ("x,1,2,1e9,1", "t", "no time"),
        ("x,1,2,-1e7,1", "t", "no time"),
        (",1,2,60000,1", "n", "missing"),
    ],
)
def test_a_table_of_one_bad_row(tmp_path: Path, row: str, column: str, told: str) -> None:
    (refused,) = made_up_table(tmp_path, row + "\n").refused
    assert (refused.line, refused.column) == (2, column)
    assert told in refused.reason


def test_half_a_character_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notice.json"
    path.write_text('{"mission": "X", "id": "\\ud800", "ra": 1, "dec": 1, "ra_dec_error": 1}')
    with pytest.raises(EventError, match=r"notice\.json: it holds half a character"):
        read_events(path)
