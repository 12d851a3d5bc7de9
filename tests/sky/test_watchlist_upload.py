"""Uploads of watchlists: every usual form read alike, every fault found and placed."""

from __future__ import annotations

import io
import math
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import Angle
from astropy.table import MaskedColumn, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.sky import UploadError, WatchlistUpload, read_watchlist
from lasair_broker.sky._watchlist_angles import angles, numbers


def only(upload: WatchlistUpload) -> list[tuple[Any, ...]]:
    assert upload.num_problems == 0, [str(p) for p in upload.problems]
    return [tuple(row.values()) for row in upload.rows.to_pylist()]


CRAB = ("Crab", 83.6287, 22.0147, 5.0, None)
M31 = ("M 31", 10.6847, -41.269, 30.0, None)


@pytest.mark.parametrize(
    "text",
    [
        "83.6287,22.0147,Crab\n10.6847,-41.269,M 31,30\n",
        "83.6287|22.0147|Crab\n10.6847|-41.269|M 31|30\n",
        "|83.6287|22.0147|Crab||\n|10.6847|-41.269|M 31|30|\n",
        "# Lasair list\r\n\r\n83.6287 , 22.0147 , Crab\r\n  # more\r\n10.6847,-41.269,M 31,30",
        "RA,Dec,ID,radius\n83.6287,22.0147,Crab,\n10.6847,-41.269,M 31,30\n",
        "name;notes;search_radius;DEJ2000;RAJ2000\nCrab;;;22.0147;83.6287\nM 31;;30;-41.269;10.6847\n",
        "#ra,dec,name,radius_arcmin\n83.6287,22.0147,Crab\n10.6847,-41.269,M 31,0.5\n",
        'name,ra,dec,"radius (arcsec)"\n"Crab",83.6287,22.0147,5\n"M 31",10.6847,-41.269,"30"\n',
        "\ufeffra\tdec\tname\tradius\n83.6287\t22.0147\tCrab\t5\n10.6847\t-41.269\tM 31\t30\n",
        "05:34:30.888,+22:00:52.92,Crab\n00:42:44.328,-41:16:08.4,M 31,30\n",
        "05 34 30.888, 22 00 52.92, Crab\n0h42m44.328s, −41d16m08.4s, M 31, 30\n",
        "83d37m43.32s,22°00'52.92\",Crab\n10d41m4.92s,-41°16′8.4″,M 31,30\n",
        "ra_hours,dec_deg,target,rad\n5.57524666666667,22.0147,Crab,5\n0.71231333333333,-41.269,M 31,30\n",
    ],
)
def test_forms_of_text(text: str) -> None:
    got = only(read_watchlist(text.encode()))
    for row, want in zip(got, (CRAB, M31), strict=True):
        assert row[0] == want[0]
        assert row[1:3] == pytest.approx(want[1:3], abs=1e-9)
        assert row[3:] == want[3:]


def test_spaces_between_fields_and_missing_names() -> None:
    assert only(read_watchlist(b"10.5 -3 star_1 7\n11 4\n")) == [
        ("star_1", 10.5, -3.0, 7.0, None),
        ("line 2", 11.0, 4.0, 5.0, None),
    ]


def test_quoted_fields_notes_and_defaults() -> None:
    data = b'ra,dec,name,notes\n1,2,"a, b","say ""hi"""\n360,-90,c,\n'
    assert only(read_watchlist(data, default_radius=12)) == [
        ("a, b", 1.0, 2.0, 12.0, 'say "hi"'),
        ("c", 0.0, -90.0, 12.0, None),
    ]


def test_old_encodings() -> None:
    assert only(read_watchlist("1,2,Ångström\n".encode("latin-1")))[0][0] == "Ångström"
    assert only(read_watchlist("1,2,é\n".encode("utf-16")))[0][0] == "é"


def table() -> Table:
    return Table(
        {
            "RAJ2000": [83.6287, 10.6847] * u.deg,
            "DEJ2000": [22.0147, -41.269] * u.deg,
            "Name": ["Crab", "M 31"],
            "radius": MaskedColumn([0.0, 0.5], mask=[True, False], unit="arcmin"),
            "Bmag": [8.4, 3.4],
        }
    )


@pytest.mark.parametrize("form", ["fits", "votable", "votable binary2", "parquet"])
def test_forms_of_tables(form: str) -> None:
    out = io.BytesIO()
    if form == "parquet":
        pq.write_table(
            pa.table(
                {
                    "ra": [83.6287, 10.6847],
                    "dec": pa.array([22.0147, -41.269]),
                    "id": pa.array(["Crab", "M 31"]).dictionary_encode(),
                    "radius": pa.array([None, 30]),
                    "nested": [[1], [2]],
                }
            ),
            out,
        )
    elif form == "fits":
        table().write(out, format="fits")
    else:
        table().write(out, format="votable", tabledata_format="binary2" if "2" in form else "tabledata")
    assert only(read_watchlist(out.getvalue())) == [CRAB, M31]


def test_votable_columns_by_ucd() -> None:
    xml = """<?xml version="1.0"?>
    <VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
    <FIELD name="lon" datatype="double" ucd="pos.eq.ra" unit="deg"/>
    <FIELD name="x" datatype="double" ucd="pos.eq.ra;meta.main" unit="rad"/>
    <FIELD name="y" datatype="double" ucd="pos.eq.dec;meta.main" unit="deg"/>
    <FIELD name="who" datatype="char" arraysize="*" ucd="meta.id;meta.main"/>
    <DATA><TABLEDATA>
    <TR><TD>1</TD><TD>3.141592653589793</TD><TD>-7</TD><TD>it</TD></TR>
    </TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
    upload = read_watchlist(xml.encode())
    assert only(upload) == [("it", 180.0, -7.0, 5.0, None)]
    assert upload.columns == {"ra": "x", "decl": "y", "name": "who"}


def test_numbers_as_names() -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"ra": [1, 2], "dec": [3, 4], "source_id": [2**62 + 1, 5]}), out)
    assert [r[0] for r in only(read_watchlist(out.getvalue()))] == [str(2**62 + 1), "5"]
    out = io.BytesIO()
    pq.write_table(pa.table({"ra": [1], "dec": [3], "id": [7.0]}), out)
    assert only(read_watchlist(out.getvalue()))[0][0] == "7"


def test_chosen_columns() -> None:
    data = b"lon,lat,ra,dec\n1,2,3,4\n"
    assert only(read_watchlist(data, columns={"ra": "lon", "decl": "lat"})) == [
        ("line 2", 1.0, 2.0, 5.0, None)
    ]
    for header in (b"here;there;who\n", b"# here;there;who\n"):
        chosen = {"ra": "here", "decl": "there", "name": "who"}
        assert [r[0] for r in only(read_watchlist(header + b"1;2;one\n", columns=chosen))] == ["one"]
    with pytest.raises(UploadError, match="no column l; the file has lon, lat, ra, dec"):
        read_watchlist(data, columns={"ra": "l"})
    with pytest.raises(UploadError, match="cannot choose"):
        read_watchlist(data, columns={"magnitude": "lon"})


def test_every_fault_is_found_and_placed() -> None:
    data = (
        b"# head\n"
        b"ra,dec,name,radius\n"
        b"1,2,fine,\n"
        b"400,-91,two faults,\n"
        b",nan,missing,\n"
        b"\n"
        b"12:60:00,1,minutes,\n"
        b"25:00:00,1,hours,\n"
        b"x,1e,text,abc\n"
        b"1,2,small,0.5\n"
        b"1,2,large,3601\n"
        b"1,2,3,4,5\n"
        b"inf,2,endless,\n"
        b"1,2," + b"n" * 257 + b",\n"
        b"1\n"
    )
    upload = read_watchlist(data)
    got = [(p.place, p.column, p.problem) for p in upload.problems]
    assert got == [
        ("line 4", "ra", "is not a right ascension"),
        ("line 4", "dec", "is not a declination"),
        ("line 5", "ra", "is missing"),
        ("line 5", "dec", "is missing"),
        ("line 7", "ra", "is not an angle"),
        ("line 8", "ra", "is not an angle"),
        ("line 9", "ra", "is not an angle"),
        ("line 9", "dec", "is not an angle"),
        ("line 9", "radius", "is not a number"),
        ("line 10", "radius", "is not a possible radius"),
        ("line 11", "radius", "is not a possible radius"),
        ("line 12", "", "has 5 fields where 4 are expected; quote fields that hold ','"),
        ("line 13", "ra", "is not an angle"),
        ("line 14", "name", "is too long"),
        ("line 15", "dec", "is missing"),
    ]
    assert upload.num_problems == len(got)
    assert upload.rows["name"].to_pylist() == ["fine"]
    assert (
        str(upload.problems[0])
        == "line 4, ra: “400” is not a right ascension; write 0 to 360 degrees, or h:m:s"
    )


def test_exchanged_columns_are_guessed() -> None:
    upload = read_watchlist(b"-20,190.5,a\n30,22,b\n")
    assert [p.advice for p in upload.problems if "Dec" in p.advice] == ["RA and Dec seem to be exchanged"]


def test_many_faults_are_counted_but_not_all_listed() -> None:
    upload = read_watchlist(b"1,2,a\n" + b"999,2,b\n" * 5000)
    assert upload.num_problems == 5000
    assert len(upload.problems) == 1000
    assert upload.problems[0].place == "line 2"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no rows"),
        (b"# only\n# comments\n", "no rows"),
        (b"ra,dec,name\n", "header but no rows"),
        (b"name,mag\nx,17\n", r"no column for ra \(or raj2000.*; the file has name, mag"),
        (b"ra,mag\n1,17\n", "no column for decl"),
        (b"ra (furlongs),dec\n1,2\n", "unit furlongs is not known"),
        (b"\x1f\x8b\x08abc", "gzip"),
        (b"PAR1 but not really", "Parquet file cannot be read"),
        (b"SIMPLE  =                    T", "FITS file"),
        (b"<?xml version='1.0'?><html/>", "VOTable"),
        (b"1,2,\x00\x01", "neither text nor"),
        (b'ra,dec,name\n1,2,"' + b"x" * 200_000 + b'"\n', "line 2: field larger"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_useless_files(data: bytes, says: str) -> None:
    with pytest.raises(UploadError, match=says) as caught:
        read_watchlist(data)
    assert "\n" not in str(caught.value)


def test_limits() -> None:
    with pytest.raises(UploadError, match="at most 2 are allowed"):
        read_watchlist(b"1,2,a\n" * 3, max_rows=2)
    out = io.BytesIO()
    pq.write_table(pa.table({"ra": [1, 2, 3], "dec": [1, 2, 3]}), out)
    with pytest.raises(UploadError, match="at most 2 are allowed"):
        read_watchlist(out.getvalue(), max_rows=2)
    for radius in (0.5, 3601, math.nan):
        with pytest.raises(UploadError, match="1 to 3600"):
            read_watchlist(b"1,2,a\n", default_radius=radius)


def test_entities_do_not_expand() -> None:
    levels = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE V [<!ENTITY l0 "lol">{levels}]><VOTABLE>&l9;</VOTABLE>'
    with pytest.raises(UploadError):
        read_watchlist(bomb.encode())


@settings(max_examples=200, deadline=None)
@given(st.floats(-89.99, 89.99), st.floats(0, 359.99), st.sampled_from([":", " ", "hms"]), st.integers(0, 6))
def test_sexagesimal_equals_astropy(decl: float, ra: float, sep: str, digits: int) -> None:
    first = Angle(ra, u.deg).to_string(u.hourangle, sep=sep, precision=digits)
    second = Angle(decl, u.deg).to_string(u.deg, sep="dms" if sep == "hms" else sep, precision=digits)
    want_ra, want_decl = Angle(first, u.hourangle).deg, Angle(second, u.deg).deg
    got_ra, got_decl = angles(pa.array([first]), hours=True)[0], angles(pa.array([second]), hours=False)[0]
    if first.startswith("24"):  # rounded up to a full turn
        assert math.isnan(got_ra)
    else:
        assert got_ra == pytest.approx(want_ra, abs=1e-10)
    assert got_decl == pytest.approx(want_decl, abs=1e-10)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=12), st.floats(allow_nan=False).map(repr)), max_size=6))
def test_numbers_equal_python(texts: list[str | None]) -> None:
    got = numbers(pa.array(texts, pa.string()))
    for text, value in zip(texts, got, strict=True):
        try:
            want = float(text) if text is not None and text.isascii() and "_" not in text else math.nan
        except ValueError:
            want = math.nan
        assert value == want or math.isnan(value)
        if not math.isnan(value):
            assert value == want


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.text("0123456789.,|:-+ \n#\"'abrdec\t;", max_size=200).map(str.encode)
    )
)
def test_any_bytes_give_rows_or_words(data: bytes) -> None:
    try:
        upload = read_watchlist(data)
    except UploadError:
        return
    rows = upload.rows
    assert rows.num_rows + upload.num_problems >= 1
    assert np.all((rows["ra"].to_numpy() >= 0) & (rows["ra"].to_numpy() < 360))
    assert np.all(np.abs(rows["decl"].to_numpy()) <= 90)
    assert rows["name"].null_count == 0
