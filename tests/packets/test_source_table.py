"""Light curve tables: columns of several runs put in order, in Arrow's form and in the kernels'."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.packets import SourceColumns, SourceTable, band_codes
from lasair_broker.schema import arrow_schema

SCHEMA = pa.schema(
    [
        ("diaObjectId", pa.int64()),
        ("survey", pa.string()),
        ("band", pa.string()),
        ("flux", pa.float32()),
        ("time", pa.float64()),
        ("count", pa.int32()),
        ("flag", pa.bool_()),
        ("made", pa.timestamp("us", tz="UTC")),
    ]
)
WORDS = ("g", "y", "B")
CELL = st.fixed_dictionaries(
    {
        "band": st.none() | st.sampled_from(WORDS),
        "flux": st.none() | st.floats(width=64) | st.sampled_from([math.nan, math.inf, 1e39, -1e39]),
        "time": st.none() | st.floats(),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**31 - 1, -(2**31), 2**31]),
        "flag": st.none() | st.booleans(),
        "made": st.none()
        | st.integers(-(10**15), 10**15)
        | st.sampled_from([-(2**63), 2**63 - 1, 253402300800000000]),
    }
)
DTYPES = {"flux": np.float64, "time": np.float64, "count": np.int64, "flag": np.bool_, "made": np.int64}


def run(cells: list[dict[str, Any]], words: tuple[str, ...], without: str) -> SourceColumns:
    values: dict[str, np.ndarray[Any, Any]] = {
        "band": np.array([-1 if c["band"] is None else words.index(c["band"]) for c in cells], np.int8)
    }
    valid = {}
    for name, dtype in DTYPES.items():
        values[name] = np.array([c[name] or 0 for c in cells], dtype)
        valid[name] = np.array([c[name] is not None for c in cells], np.bool_)
    values.pop(without, None)
    return SourceColumns(len(cells), values, valid, {"band": words})


def wanted(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "flux":
        with np.errstate(over="ignore"):
            value = float(np.float32(value))
    if name in ("flux", "time"):
        return value if math.isfinite(value) else None
    if name == "count":
        return value if -(2**31) <= value < 2**31 else None
    return value


@settings(max_examples=80, deadline=None)
@given(
    st.lists(CELL, max_size=6),
    st.lists(CELL, max_size=6),
    st.sampled_from(["", "flux", "count", "flag"]),
    st.data(),
)
def test_columns_of_two_runs(
    first: list[dict[str, Any]], second: list[dict[str, Any]], without: str, data: st.DataObject
) -> None:
    cells = [*first, *[{**c, without: None} if without else c for c in second]]
    indices = st.lists(st.integers(0, len(cells) - 1), max_size=12) if cells else st.just([])
    order = np.array(data.draw(indices), np.int64)
    split = data.draw(st.integers(0, len(order)))
    offsets = np.array([0, split, len(order)])
    runs = [run(first, WORDS, ""), run(second, WORDS[::-1], without)]
    table = SourceTable(SCHEMA, runs, order, offsets, {"diaObjectId": np.array([7, 8]), "survey": "lsst"})
    rows = np.array(
        data.draw(st.lists(st.integers(0, len(order) - 1), max_size=5)) if len(order) else [], np.int64
    )
    for chosen, taken in ((np.arange(len(order)), table.take()), (rows, table.take(rows))):
        assert taken.schema == SCHEMA
        assert taken["diaObjectId"].to_pylist() == [7 if i < split else 8 for i in chosen]
        assert taken["survey"].to_pylist() == ["lsst"] * len(chosen)
        for name in ("band", "flux", "time", "count", "flag"):
            expected = [wanted(name, cells[order[i]][name]) for i in chosen]
            assert taken[name].to_pylist() == expected, name
        made = taken["made"].cast(pa.int64()).to_pylist()
        dates = [cells[order[i]]["made"] for i in chosen]
        assert made == [None if date is None or abs(date) > 10**17 else date for date in dates]
    for name in ("flux", "time"):
        kernel = [None if math.isnan(v) else v for v in table.numpy(name).tolist()]
        assert kernel == [wanted(name, cells[i][name]) for i in order]
    assert table.numpy("count").tolist() == [wanted("count", cells[i]["count"]) or 0 for i in order]
    assert table.numpy("flag").tolist() == [bool(cells[i]["flag"]) for i in order]
    assert table.numpy("band").tolist() == [{"g": 1, "y": 5}.get(cells[i]["band"], -1) for i in order]
    assert table.numpy("diaObjectId").tolist() == [7] * split + [8] * (len(order) - split)


def test_kernel_columns_are_made_once_and_cannot_be_changed() -> None:
    part = SourceColumns(2, {"flux": np.array([1.0, 2.0], np.float32)}, {})
    table = SourceTable(SCHEMA, [part], np.array([1, 0]), np.array([0, 2]))
    column = table.numpy("flux")
    assert column.dtype == np.float32
    assert table.numpy("flux") is column
    with pytest.raises(ValueError):
        column[0] = 5.0
    assert part.values["flux"].tolist() == [1.0, 2.0]


def test_columns_nobody_has() -> None:
    table = SourceTable(SCHEMA, [SourceColumns(2, {}, {})], np.array([0, 1]), np.array([0, 2]))
    assert np.isnan(table.numpy("flux")).all()
    assert table.numpy("band").tolist() == [-1, -1]
    assert table.numpy("count").tolist() == [0, 0]
    assert table.numpy("flag").tolist() == [False, False]
    assert table.take()["flux"].null_count == 2
    with pytest.raises(KeyError):
        table.numpy("nothing")


def test_an_empty_table_has_all_columns() -> None:
    schema = arrow_schema("diaSources")
    table = SourceTable.empty(schema, 3)
    assert table.offsets.tolist() == [0, 0, 0, 0]
    assert table.take().schema == schema
    assert table.take().num_rows == len(table) == table.num_rows == 0
    assert table.object_row.tolist() == []
    for name in schema.names:
        assert len(table.numpy(name)) == 0


def test_values_of_an_object_can_be_replaced() -> None:
    part = SourceColumns(3, {"diaObjectId": np.array([1, 2, 3])}, {})
    table = SourceTable(SCHEMA, [part], np.array([2, 1, 0]), np.array([0, 1, 3]))
    assert table.numpy("diaObjectId").tolist() == [3, 2, 1]
    held = table.with_per_object({"diaObjectId": np.array([50, 60])})
    assert held.numpy("diaObjectId").tolist() == [50, 60, 60]
    assert held.object_row.tolist() == [0, 1, 1]
    assert table.numpy("diaObjectId").tolist() == [3, 2, 1]


def test_band_codes() -> None:
    assert band_codes(["y", "u", "Y", ""]).tolist() == [5, 0, -1, -1, -1]
