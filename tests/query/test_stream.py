"""What is particular to the stream: joins, shared conditions, the way back to the object."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.query import ARCHIVE, BatchFrame, StreamPlan, parse
from lasair_broker.query._joins import Matcher
from lasair_broker.query._vectors import Integers, Texts


def plan(text: str) -> StreamPlan:
    return StreamPlan(parse(text, ARCHIVE))


@pytest.mark.parametrize(
    ("text", "compiled"),
    [
        ("SELECT diaObjectId, g_psfFlux - r_psfFlux AS c FROM objects WHERE g_psfFlux > 10 AND NOT tns_name LIKE 'a%'", True),
        ("SELECT o.ra FROM objects o, watchlist_hits w WHERE o.diaObjectId = w.diaObjectId AND w.arcsec < 5", True),
        ("SELECT o.ra FROM objects o JOIN crossmatch_tns t ON t.tns_name = o.tns_name WHERE FLUX2MAG(g_psfFlux) < 20", True),
        ("SELECT o.ra, a.topic FROM objects o LEFT JOIN annotations a ON a.diaObjectId = o.diaObjectId AND a.topic = 'r0b' WHERE a.topic IS NULL", True),
        ("SELECT o.ra FROM objects o LEFT JOIN watchlist_hits w ON w.diaObjectId = o.diaObjectId LEFT JOIN crossmatch_tns t ON t.tns_name = o.tns_name WHERE w.arcsec > 1 OR t.z > 0.1", True),
        ("SELECT o.ra FROM objects o LEFT JOIN sherlock_classifications s ON s.diaObjectId = o.diaObjectId AND s.z > o.medianR", False),
        ("SELECT o.ra FROM annotations a LEFT JOIN objects o ON a.diaObjectId = o.diaObjectId WHERE a.diaObjectId = o.diaObjectId", False),
        ("SELECT COUNT(*) FROM objects", False),
        ("SELECT ra FROM objects WHERE diaObjectId IN (SELECT diaObjectId FROM area_hits)", False),
    ],
)  # fmt: skip
def test_what_is_compiled(text: str, compiled: bool) -> None:
    assert plan(text).compiled is compiled


def test_order_and_limit_do_not_drop_hits(engines: Any) -> None:
    for text in (
        "SELECT TOP 1 diaObjectId FROM objects ORDER BY ra",
        "SELECT DISTINCT TOP 1 diaObjectId FROM objects",
    ):
        assert plan(text).run(engines.frame).rows.num_rows == 120


def test_an_empty_batch_and_missing_tables() -> None:
    frame = BatchFrame({}, 61000.0)
    joined = "SELECT o.ra, s.classification FROM objects o JOIN sherlock_classifications s ON o.diaObjectId = s.diaObjectId WHERE s.z > 1"
    for text in (
        "SELECT ra FROM objects WHERE g_psfFlux > 1",
        joined,
        joined.replace("JOIN", "LEFT JOIN"),
        "SELECT o.ra FROM objects o WHERE EXISTS (SELECT 1 FROM area_hits)",
    ):
        assert plan(text).run(frame).rows.num_rows == 0
    assert plan("SELECT COUNT(*) AS n FROM objects").run(frame).rows.to_pylist() == [{"n": 0}]


def test_a_batch_without_some_columns(data: dict[str, pa.Table]) -> None:
    frame = BatchFrame({"objects": data["objects"].select(["diaObjectId", "ra"])}, 61000.0)
    assert (
        plan("SELECT diaObjectId, decl FROM objects WHERE decl IS NULL AND tns_name IS NULL")
        .run(frame)
        .rows.num_rows
        == 120
    )


def test_columns_keep_their_type(data: dict[str, pa.Table]) -> None:
    rows = (
        plan("SELECT diaObjectId, g_psfFlux, tns_name, timestamp, nDiaSources FROM objects")
        .run(BatchFrame(data))
        .rows
    )
    assert rows.equals(data["objects"].select(rows.column_names))


keys = st.lists(st.none() | st.integers(-2, 6), max_size=12)


@given(keys, keys)
def test_join_is_what_two_loops_give(left: list[int | None], right: list[int | None]) -> None:
    expected = [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a is not None and a == b]

    def integers(values: list[int | None]) -> Integers:
        return Integers(
            np.array([v or 0 for v in values], np.int64), np.array([v is not None for v in values], np.bool_)
        )

    def texts(values: list[int | None], words: tuple[str, ...]) -> Texts:
        return Texts(np.array([-1 if v is None else words.index(str(v)) for v in values], np.int32), words)

    for make in (integers, None):
        if make is not None:
            found = Matcher(make(right)).match(make(left))
        else:
            ours, theirs = tuple(map(str, range(-2, 7))), tuple(map(str, range(6, -3, -1)))
            found = Matcher(texts(right, ours)).match(texts(left, theirs))
        assert sorted(zip(*(part.tolist() for part in found), strict=True)) == expected
