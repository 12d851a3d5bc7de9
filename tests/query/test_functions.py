"""Each function means the same in every engine, for negative, NULL, zero and huge values."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import math
from typing import Any

import pytest

from lasair_broker.query import ARCHIVE, FUNCTIONS, StreamPlan, parse

VALUES = [
    "0",
    "1",
    "-1",
    "2",
    "-2.5",
    "0.5",
    "1e-300",
    "-1e-300",
    "700",
    "-700",
    "800",
    "1e15",
    "1e18",
    "-1e300",
    "1e300",
    "NULL",
]
ONE = [
    *sorted(n for n, f in FUNCTIONS.items() if n.isupper() and f.arguments == ("real",)),
    "ABS",
    "ROUND",
    "TRUNCATE",
]
TWO = ["POWER", "ATAN2", "MOD", "GREATEST", "LEAST", "COALESCE", "NULLIF"]

# What mathematics, not an engine, says.
KNOWN = {
    "LOG(2.718281828459045)": 1.0, "LOG(1)": 0.0, "LOG(0)": None, "LOG(-1)": None, "LN(1)": 0.0,
    "LOG10(1000)": 3.0, "LOG10(-5)": None, "EXP(0)": 1.0, "EXP(1e6)": None, "EXP(-1e6)": 0.0,
    "SQRT(16)": 4.0, "SQRT(-1)": None, "POWER(2, 10)": 1024.0, "POWER(-8, 3)": -512.0, "POWER(-8, 0.5)": None,
    "POWER(0, 0)": 1.0, "POWER(0, -1)": None, "POWER(10, 400)": None, "7 / 2": 3.5, "1 / 0": None, "0 / 0": None,
    "MOD(7, 3)": 1, "MOD(-7, 3)": -1, "MOD(7, 0)": None, "MOD(7.5, 2)": 1.5, "7 % 4": 3,
    "ROUND(2.5)": 3.0, "ROUND(-2.5)": -3.0, "ROUND(3.14159, 2)": 3.14, "ROUND(1234, -2)": 1200.0,
    "TRUNCATE(-2.7)": -2.0, "TRUNCATE(3.199, 1)": 3.1, "CEILING(-1.5)": -1.0, "FLOOR(-1.5)": -2.0,
    "ABS(-3)": 3, "ABS(-3.5)": 3.5, "SIGN(-2)": -1.0, "DEGREES(PI())": 180.0, "RADIANS(180)": math.pi,
    "SIN(RADIANS(30))": 0.5, "COT(RADIANS(45))": 1.0, "COT(0)": None, "ASIN(2)": None, "ACOS(1)": 0.0,
    "ATAN2(1, -1)": 2.356194490192345, "FLUX2MAG(100)": 26.4, "FLUX2MAG(-1)": None, "FLUX2MAG(0)": None,
    "DISTANCE(0, 89, 180, 89)": 2.0, "DISTANCE(359.5, 0, 0.5, 0)": 1.0, "DISTANCE(POINT(10, 10), POINT(10, 12))": 2.0,
    "CONTAINS(POINT(0.5, 0), CIRCLE(359.9, 0, 1))": 1, "CONTAINS(POINT(2, 0), CIRCLE(359.9, 0, 1))": 0,
    "CONTAINS(POINT(NULL, 0), CIRCLE(359.9, 0, 1))": None, "COORD1(POINT('ICRS', 10, 20))": 10.0,
    "LOWER('SN Ia')": "sn ia", "UPPER('sn')": "SN", "LENGTH('abc')": 3, "'a' || 'b'": "ab", "CONCAT('a', 'b', 'c')": "abc",
    "COALESCE(NULL, 2)": 2, "NULLIF(2, 2)": None, "GREATEST(1, 3, 2)": 3, "LEAST(1, NULL)": None, "IF(1 > 2, 'a', 'b')": "b",
    "CAST(2.9 AS INTEGER)": 2, "CAST(-2.9 AS INTEGER)": -2, "CAST(1e20 AS BIGINT)": None, "CAST(70000 AS SMALLINT)": None,
    "CAST('1.5e1' AS DOUBLE PRECISION)": 15.0, "CAST('nan' AS REAL)": None, "CAST('12' AS INTEGER)": 12, "CAST(12 AS VARCHAR(5))": "12",
    "JSON_EXTRACT('{\"a\": {\"b\": [1, 2.5]}}', '$.a.b[1]')": "2.5", "JSON_EXTRACT('{\"a\": 1}', '$.b')": None,
    "CASE WHEN NULL > 1 THEN 1 ELSE 2 END": 2, "mjdnow()": 61000.25, "9000000000000000000 + 9000000000000000000": 1.8e19,
}  # fmt: skip


def answers(engines: Any, expression: str) -> list[Any]:
    """The one value of an expression in DuckDB, in PostgreSQL, and on the stream."""
    query = parse(
        f"SELECT {expression} AS v, diaObjectId FROM objects WHERE diaObjectId = 9007199254740993", ARCHIVE
    )
    plan = StreamPlan(query)
    stream = plan.run(engines.frame).rows.column("v").to_pylist()[0]
    return [engines.in_duckdb(query)[0][0], engines.in_postgresql(query)[0][0], stream]


def same(values: list[Any]) -> bool:
    if any(isinstance(v, float) and not math.isfinite(v) for v in values):
        return False
    if any(v is None for v in values):
        return all(v is None for v in values)
    if isinstance(values[0], str):
        return len(set(values)) == 1
    return all(math.isclose(v, values[0], rel_tol=1e-12, abs_tol=1e-300) for v in values)


@pytest.mark.parametrize("expression", KNOWN)
def test_known_values(engines: Any, expression: str) -> None:
    values, expected = answers(engines, expression), KNOWN[expression]
    assert same(values), values
    if expected is None or isinstance(expected, str):
        assert values[0] == expected
    else:
        assert values[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ONE)
def test_one_argument(engines: Any, name: str) -> None:
    for value in VALUES:
        assert same(answers(engines, f"{name}({value})")), (name, value)


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(engines: Any, name: str) -> None:
    small = [v for v in VALUES if v not in ("-1e300", "1e300", "-1e-300", "800", "-700", "2")]
    for first in small:
        for second in ("0", "1", "-2.5", "0.5", "700", "NULL"):
            values = answers(engines, f"{name}({first}, {second})")
            assert same(values), (name, first, second, values)


def test_every_function_of_users_is_described() -> None:
    for name, function in FUNCTIONS.items():
        if name.isupper():
            assert function.description, name
