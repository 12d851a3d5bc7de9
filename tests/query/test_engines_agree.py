"""Generated queries give the same rows from DuckDB, from PostgreSQL and on the stream, NULLs included."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from query_generator import queries

from lasair_broker.query import ARCHIVE, StreamPlan, parse


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """With numbers to the seven digits of single precision."""

    def cell(value: Any) -> Any:
        if isinstance(value, bool) or value is None or isinstance(value, str):
            return value
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if float(value) == 0.0:
            return 0.0
        if isinstance(value, int) and abs(value) > 2**50:
            return value
        return float(f"{float(value):.7g}")

    return tuple(map(cell, row))


def shape(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """In one order."""
    return sorted(map(plain, rows), key=repr)


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


ORDERS = [
    "SELECT TOP 30 diaObjectId, glat FROM objects ORDER BY glat, diaObjectId",
    "SELECT TOP 30 diaObjectId, glat FROM objects ORDER BY glat DESC, diaObjectId",
    "SELECT diaObjectId, tns_name FROM objects ORDER BY tns_name DESC, diaObjectId DESC OFFSET 50",
    "SELECT TOP 20 diaObjectId, objectName FROM objects ORDER BY objectName, 1 OFFSET 60",
    "SELECT TOP 5 tns_name, COUNT(*) AS n FROM objects GROUP BY tns_name ORDER BY n DESC, tns_name",
    "SELECT diaObjectId FROM objects ORDER BY g_psfFlux - r_psfFlux DESC, diaObjectId",
    "SELECT tns_name AS t FROM objects UNION SELECT objectName FROM objects ORDER BY t",
]


@pytest.mark.parametrize("text", ORDERS)
def test_engines_agree_on_the_order(engines: Any, text: str) -> None:
    query = parse(text, ARCHIVE)
    assert list(map(plain, engines.in_postgresql(query))) == list(map(plain, engines.in_duckdb(query)))
