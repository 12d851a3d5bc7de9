"""Generated queries give the same rows from DuckDB, from PostgreSQL and on the stream, NULLs included."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from query_generator import queries

from lasair_broker.query import ARCHIVE, StreamPlan, parse


def shape(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In one order, and with numbers to the seven digits of single precision."""

    def cell(value: Any) -> Any:
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if float(value) == 0.0:
            return 0.0
        if isinstance(value, int) and abs(value) > 2**50:
            return value
        return float(f"{float(value):.7g}")

    return sorted((tuple(map(cell, row)) for row in rows), key=repr)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=queries())
def test_engines_agree(engines: Any, text: str) -> None:
    agree(engines, text)


@pytest.mark.slow
@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=queries())
def test_engines_agree_on_many_more(engines: Any, text: str) -> None:
    agree(engines, text)


def agree(engines: Any, text: str) -> None:
    query = parse(text, ARCHIVE)
    expected = engines.in_duckdb(query)
    assert not any(isinstance(v, float) and not math.isfinite(v) for row in expected for v in row)
    expected = shape(expected)
    assert shape(engines.in_postgresql(query)) == expected, query.render("postgresql")
    plan = StreamPlan(query)
    hits = plan.run(engines.frame)
    assert shape([tuple(row.values()) for row in hits.rows.to_pylist()]) == expected, plan.compiled
    if hits.objects is not None and "id" in hits.rows.column_names:
        ids = engines.batch["objects"].column("diaObjectId").take(hits.objects).to_pylist()
        assert ids == hits.rows.column("id").to_pylist()
