"""Data brought into a table's shape keep their values, or are refused with a reason."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.schema import TABLES, Column, SchemaError, arrow_schema, arrow_type, conform

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "short": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=5),
    "text": st.text(max_size=5),
    "binary": st.binary(max_size=5),
    "timestamp": st.datetimes(timezones=st.just(datetime.UTC)),
}


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, pa.Table]:
    """A table with some of its columns, in any order, and any values."""
    name = draw(st.sampled_from(sorted(TABLES)))
    needed = [c for c in TABLES[name].columns if not c.nullable]
    optional = [c for c in TABLES[name].columns if c.nullable]
    chosen = needed + (draw(st.lists(st.sampled_from(optional), max_size=6, unique=True)) if optional else [])
    number = draw(st.integers(0, 4))

    def values(column: Column) -> list[Any]:
        kind = VALUES[column.datatype]
        kind = st.none() | kind if column.nullable else kind
        return draw(st.lists(kind, min_size=number, max_size=number))

    arrays = {c.name: pa.array(values(c), arrow_type(c.datatype)) for c in draw(st.permutations(chosen))}
    return name, pa.table(arrays)


@given(rows())
def test_values_are_kept_and_the_rest_is_null(drawn: tuple[str, pa.Table]) -> None:
    name, data = drawn
    result = conform(data, name)
    assert result.schema.equals(arrow_schema(name))
    assert result.num_rows == data.num_rows
    for column in result.column_names:
        if column in data.column_names:
            assert result[column].to_pylist() == data[column].to_pylist()
        else:
            assert result[column].null_count == data.num_rows
    assert conform(result, name).equals(result)


def hits(**columns: Any) -> pa.Table:
    return pa.table({"diaObjectId": [1], "wl_id": [2], "cone_id": [3], **columns})


def test_types_are_cast() -> None:
    name = pa.array(["host"]).dictionary_encode()
    result = conform(hits(arcsec=pa.array([0.1], pa.float64()), name=name), "watchlist_hits")
    assert result.to_pylist() == [
        {"diaObjectId": 1, "wl_id": 2, "cone_id": 3, "arcsec": pytest.approx(0.1, rel=1e-7), "name": "host"}
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (hits(arcsecs=[1.0]), "no column 'arcsecs'; did you mean 'arcsec'"),
        (hits(wl_id=[2**40]), "column 'wl_id' of table watchlist_hits: .*not in range"),
        (hits(arcsec=["near"]), "column 'arcsec' of table watchlist_hits: "),
        (hits(wl_id=[2.5]), "column 'wl_id' of table watchlist_hits: .*truncated"),
        (hits(cone_id=pa.array([None], pa.int64())), "column 'cone_id' .* must have values but has 1 NULLs"),
        (pa.table({"diaObjectId": [1], "wl_id": [1]}), "column 'cone_id' .* must have values but is missing"),
        (pa.Table.from_arrays([pa.array([1])] * 2, names=["wl_id", "wl_id"]), "columns twice: wl_id"),
    ],
)
def test_what_does_not_fit_is_refused(data: pa.Table, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        conform(data, "watchlist_hits")


def test_a_table_without_rows_needs_no_columns() -> None:
    assert conform(pa.table({}), "objects").equals(arrow_schema("objects").empty_table())


def test_the_caller_s_table_is_left_alone() -> None:
    data = hits()
    conform(data, "watchlist_hits")
    assert data.column_names == ["diaObjectId", "wl_id", "cone_id"]
