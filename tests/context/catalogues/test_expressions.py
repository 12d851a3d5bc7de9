"""Expressions of columns: what they compute, and that nothing but an expression is let in."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.context.catalogues._expressions import Expression, ExpressionError

COLUMNS = {
    "x": np.array([1.0, 4.0, np.nan]),
    "y": np.array([2.0, -1.0, 3.0]),
    "RA(J2000)": np.array([10.0, 20.0, 30.0]),
    "s": np.array(["a", None, "b"], object),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + 2 * y", [5.0, 2.0, np.nan]),
        ("-x ** 2", [-1.0, -16.0, np.nan]),
        ("log10(y)", [np.log10(2.0), np.nan, np.log10(3.0)]),
        ("RA(J2000)", [10.0, 20.0, 30.0]),
        ("`RA(J2000)` / 10", [1.0, 2.0, 3.0]),
        ("where(y > 0, x, None)", [1.0, np.nan, np.nan]),
        ("coalesce(x, y)", [1.0, 4.0, 3.0]),
        ("minimum(x, y)", [1.0, -1.0, 3.0]),
        ("x > 0 and y > 0", [1.0, 0.0, 0.0]),
        ("not (1 < y <= 2)", [0.0, 1.0, 1.0]),
        ("y in (2, 3)", [1.0, 0.0, 1.0]),
        ("s in ('a', 'c')", [1.0, 0.0, 0.0]),
        ("s not in ('a', 'c')", [0.0, 1.0, 1.0]),
        ("missing(s)", [0.0, 1.0, 0.0]),
        ("y % 2", [0.0, 1.0, 1.0]),
        ("1 / (x - x)", [np.inf, np.inf, np.nan]),
    ],
)
def test_values(text: str, expected: list[float]) -> None:
    found = np.asarray(Expression(text).evaluate(COLUMNS), np.float64)
    np.testing.assert_allclose(np.broadcast_to(found, 3), expected)


def test_text() -> None:
    assert Expression("where(s == 'a', 'yes', s)").evaluate(COLUMNS).tolist() == ["yes", None, "b"]
    numbers = np.array(["17.5j", ">18.2:", "(16)", "-1.5e1", "bright", None, "~12"], object)
    found = Expression("number(m)").evaluate({"m": numbers})
    np.testing.assert_array_equal(found, [17.5, 18.2, 16.0, -15.0, np.nan, np.nan, 12.0])


def test_which_columns_are_text() -> None:
    assert Expression("where(s == 'a', x, y)").text_columns(wanted=False) == {"s"}
    text = "where(x > 1, s, t)"
    assert Expression(text).text_columns(wanted=True) == {"s", "t", text}
    assert Expression("number(m) + y").text_columns(wanted=False) == {"m"}
    assert Expression("where(`a b` in ('q',), 1, 0)").text_columns(wanted=False) == {"a b"}


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "x.__class__", "(lambda: 1)()", "[x for x in y]", "x[0]", "f'{x}'",
        "x if y else 1", "open('/etc/passwd')",
        "x := 1", "{'a': 1}", "x @ y", "1j", "b'x'", "log10(x, y)", "x is y",
        "sqrt(x=1)", "sqrt(*x)", "1 + " * 1000 + "1",
    ],
)  # fmt: skip
def test_nothing_else_is_let_in(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text).evaluate(COLUMNS)


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ExpressionError, match=r"no column 'z'; the source has x, y, RA\(J2000\), s"):
        Expression("z + 1").evaluate(COLUMNS)
    with pytest.raises(ExpressionError, match="text where a number"):
        Expression("s * x").evaluate(COLUMNS)


@given(st.text(max_size=60))
def test_no_text_brings_it_down(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        Expression(text).evaluate(COLUMNS)
