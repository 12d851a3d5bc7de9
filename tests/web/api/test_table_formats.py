"""Tables as VOTable and FITS, read again by astropy, which knows both formats by itself."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "short": (pa.int16(), st.integers(-(2**15) + 1, 2**15 - 1)),
    "int": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "long": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "float": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "boolean": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9)),
    "words": (pa.string(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=10))
    count = draw(st.integers(0, 6))
    columns = [
        pa.array(draw(st.lists(st.none() | KINDS[n][1], min_size=count, max_size=count)), KINDS[n][0])
        for n in names
    ]
    return pa.table(columns, names=[f"{name}{place}" for place, name in enumerate(names)])


def votable_of(table: pa.Table, **more: Any) -> Any:
    from lasair_broker.web.api.votable import votable

    return parse_single_table(io.BytesIO(b"".join(votable(table, **more))))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_votable_is_read_as_it_was(table: pa.Table) -> None:
    read = votable_of(table)
    assert [field.name for field in read.fields] == table.column_names
    for place, name in enumerate(table.column_names):
        values, missing = read.array[f"col{place}"], table[name].is_null().to_pylist()
        expected = table[name].to_pylist()
        for row, value in enumerate(expected):
            if missing[row]:
                # A missing text cannot be told from an empty one by this reader.
                assert np.ma.getmaskarray(values)[row] or values[row] == ""
            elif isinstance(value, float):
                assert values[row] == pytest.approx(value, rel=0, abs=0, nan_ok=True)
            else:
                assert values[row] == value


def test_votable_says_what_the_columns_are_and_whether_there_is_more() -> None:
    about = {"unit": "deg", "ucd": "pos.eq.ra", "description": "right <ascension> & more"}
    schema = pa.schema(
        [pa.field("ra", pa.float64(), metadata=about), pa.field("at", pa.timestamp("us", "UTC"))]
    )
    moment = datetime(2026, 3, 1, 12, 0, 0, 250000, UTC)
    table = pa.table([[1.5, None], [moment, None]], schema=schema)
    from lasair_broker.web.api.votable import votable

    text = b"".join(votable(table, name='a"<b', more=True))
    assert b'value="OVERFLOW"' in text
    read = parse_single_table(io.BytesIO(text))
    field = read.fields[0]
    assert (str(field.unit), field.ucd, field.description) == ("deg", "pos.eq.ra", "right <ascension> & more")
    assert read.fields[1].xtype == "timestamp"
    assert read.array["col1"][0] == "2026-03-01T12:00:00.250000"
    assert b"OVERFLOW" not in b"".join(votable(table))


def test_votable_of_many_rows_and_chunks() -> None:
    n = 45_001  # more than are written at once, and not a multiple of anything
    chunks = [pa.array([f"t{i}" if i % 7 else None for i in range(a, b)]) for a, b in ((0, 9), (9, n))]
    table = pa.table(
        {"i": pa.array(range(n)), "t": pa.chunked_array(chunks), "x": pa.array(np.arange(n) / 3)}
    )
    read = votable_of(table)
    assert read.array["col0"].tolist() == list(range(n))
    assert read.array["col2"].tolist() == (np.arange(n) / 3).tolist()
    assert read.array["col1"][44_997] == "t44997"
    assert [str(v) for v in read.array["col1"][7:9]] == ["", "t8"] or np.ma.is_masked(read.array["col1"][7])


@given(tables())
@settings(max_examples=60, deadline=None)
def test_fits_is_read_as_it_was(table: pa.Table) -> None:
    from lasair_broker.web.api.fits import fits_table

    with fits.open(io.BytesIO(fits_table(table))) as file:
        read = file[1]
        assert read.columns.names == table.column_names
        for place, name in enumerate(table.column_names):
            null = read.columns[place].null
            for row, value in enumerate(table[name].to_pylist()):
                seen = read.data.field(place)[row]
                if isinstance(value, str):
                    written = "".join(c if " " <= c <= "~" else "?" for c in value)
                    assert seen == written.rstrip()
                elif value is None:
                    assert seen == "" or (np.isnan(seen) if null is None else seen == null)
                else:
                    assert seen == value
                    assert null is None or seen != null


def test_fits_says_what_the_columns_are() -> None:
    from lasair_broker.web.api.fits import fits_table

    about = {"unit": "nJy", "ucd": "phot.flux", "description": "difference flux"}
    table = pa.table([[1.5]], schema=pa.schema([pa.field("psfFlux", pa.float32(), metadata=about)]))
    with fits.open(io.BytesIO(fits_table(table, more=True))) as file:
        head = file[1].header
        assert (head["TUNIT1"], head["TUCD1"], head["TCOMM1"], head["MORE"]) == (
            "nJy",
            "phot.flux",
            "difference flux",
            True,
        )


def test_the_api_offers_both(archive: Any, client_of: Any) -> None:
    client = client_of(None)
    asked = {"adql": "SELECT diaObjectId, ra, objectName FROM objects ORDER BY diaObjectId"}
    rows = client.post("/api/v1/query/", asked, format="json").json()["rows"]
    answer = client.post("/api/v1/query/?format=votable", asked, format="json")
    assert answer["Content-Type"] == "application/x-votable+xml"
    assert answer["Content-Disposition"].endswith('"result.vot"')
    read = parse_single_table(io.BytesIO(b"".join(answer)))
    assert [str(n) for n in read.array["col0"]] == [row["diaObjectId"] for row in rows]
    answer = client.post("/api/v1/query/", asked, format="json", HTTP_ACCEPT="application/fits")
    with fits.open(io.BytesIO(answer.content)) as file:
        assert [str(n) for n in file[1].data["diaObjectId"]] == [row["diaObjectId"] for row in rows]
