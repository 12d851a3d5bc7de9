"""What a hit is called and what is in it, and when an object is told of again."""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Renotify
from lasair_broker.stream.filters._content import objects_as_json
from lasair_broker.stream.filters._identity import Cause, hit_ids
from lasair_broker.stream.filters._renotify import to_tell

MASK = 2**64 - 1


def slow_hit_id(*words: int) -> str:
    """The documented definition, an integer at a time."""

    def mixed(value: int) -> int:
        value = ((value ^ (value >> 33)) * 0xFF51AFD7ED558CCD) & MASK
        value = ((value ^ (value >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
        return value ^ (value >> 33)

    text = ""
    for seed in (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03):
        for word in words:
            seed = mixed(seed ^ (word & MASK))
        text += f"{seed:016x}"
    return text


int64 = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Cause), int64, int64, int64, int64), max_size=20))
def test_hit_ids_are_as_documented(causes: list[tuple[int, ...]]) -> None:
    columns = np.array(causes, np.int64).reshape(-1, 5).T
    assert hit_ids(*columns).to_pylist() == [slow_hit_id(*cause) for cause in causes]


def test_neighbouring_causes_are_told_apart() -> None:
    number = np.arange(200_000)
    zeros = np.zeros_like(number)
    found = [
        hit_ids(zeros + 1, zeros + f, zeros + v, number, zeros) for f, v in ((1, 1), (1, 2), (2, 1), (0, 3))
    ]
    halves = np.array(pa.concat_arrays(found).to_pylist(), "U32").view("U16").reshape(-1, 2)
    for half in halves.T:
        assert len(np.unique(half)) == len(half)


floats = st.floats(allow_nan=True, allow_infinity=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
times = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2200, 1, 1))
columns_of = {
    "a number": (pa.float64(), floats),
    "ein Maß": (pa.float32(), st.floats(width=32)),
    'diaObjectId "x"': (pa.int64(), int64),
    "yes": (pa.bool_(), st.booleans()),
    "word": (pa.string(), texts),
    "time": (pa.timestamp("us", "UTC"), times.map(lambda t: t.replace(tzinfo=datetime.UTC))),
    "bytes": (pa.binary(), st.binary(max_size=5)),
}


@settings(deadline=None)
@given(st.data(), st.integers(0, 5))
def test_content_is_json_that_gives_every_value_again(data: st.DataObject, rows: int) -> None:
    names = data.draw(st.permutations(list(columns_of)))
    values = {
        name: data.draw(st.lists(st.none() | columns_of[name][1], min_size=rows, max_size=rows))
        for name in names
    }
    table = pa.table({name: pa.array(values[name], columns_of[name][0]) for name in names})
    for place, text in enumerate(objects_as_json(table).to_pylist()):
        assert "NaN" not in text or "NaN" in str(values["word"][place])
        found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
        assert list(found) == list(names)
        for name in names:
            assert found[name] == _plain(values[name][place], columns_of[name][0])


def _plain(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if kind == pa.float32():
            return pytest.approx(value, rel=1e-7, abs=1e-45)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def test_single_precision_is_written_short() -> None:
    table = pa.table({"flux": pa.array([123.45, 0.1], pa.float32())})
    assert objects_as_json(table).to_pylist() == ['{"flux":123.45}', '{"flux":0.1}']


rules = st.builds(
    Renotify,
    st.booleans(),
    st.none() | st.sampled_from([1.0, 3.0]),
    st.sampled_from([(), ("band",), ("band", "n")]),
)
matches = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from([100.0, 101.0, 103.5]),
        st.sampled_from(["g", "r", None]),
        st.integers(0, 2),
    ),
    unique_by=lambda match: match[0],
)
earlier = st.dictionaries(
    st.integers(1, 6),
    st.tuples(
        st.none() | st.sampled_from([99.0, 100.0]), st.sampled_from(["g", "r", None]), st.integers(0, 2)
    ),
)


@settings(deadline=None)
@given(rules, matches, earlier)
def test_rules_against_plain_python(
    rule: Renotify, now: list[tuple[Any, ...]], told: dict[int, tuple[Any, ...]]
) -> None:
    def expected(number: int, arrived: float, band: str | None, n: int) -> bool:
        if number not in told or rule.always:
            return True
        if rule.once:
            return False
        when, *was = told[number]
        if rule.days is not None and arrived - (98.0 if when is None else when) >= rule.days:
            return True
        differs = {"band": band != was[0], "n": n != was[1]}
        return any(differs[name] for name in rule.columns)

    rows = pa.table(
        {"band": pa.array([m[2] for m in now], pa.string()), "n": pa.array([m[3] for m in now], pa.int32())}
    )
    hits = [
        {
            "hitId": str(number),
            "filterId": 1,
            "filterVersion": 1,
            "diaObjectId": number,
            "arrivedMjdTai": when,
            "committedMjdTai": 98.0,
            "content": json.dumps({"band": band, "n": n, "other": 1.5}),
        }
        for number, (when, band, n) in told.items()
    ]
    found = to_tell(
        rule,
        np.array([m[0] for m in now], np.int64),
        np.array([m[1] for m in now]),
        rows,
        pa.Table.from_pylist(hits, schema=arrow_schema("filter_hits")),
    )
    assert found.tolist() == [expected(*match) for match in now]


def test_a_column_that_was_not_selected_before_has_changed() -> None:
    hit = {"hitId": "x", "filterId": 1, "filterVersion": 1, "diaObjectId": 5, "arrivedMjdTai": 1.0,
           "content": '{"n": 1}'}  # fmt: skip
    told = pa.Table.from_pylist([hit], schema=arrow_schema("filter_hits"))
    rows = pa.table({"band": pa.array(["g"])})
    rule = Renotify(columns=("band",))
    assert to_tell(rule, np.array([5]), np.array([2.0]), rows, told).tolist() == [True]
