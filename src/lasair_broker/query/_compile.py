"""Expressions of the checked tree as functions of a batch's columns."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._functions import FUNCTIONS
from ._tree import Call, Case, ColumnRef, Const, Expr, In
from ._vectors import COMPARISONS, Integers, Reals, Texts, Truths, Vector, like

__all__ = ["Columns", "Evaluate", "NotCompiledError", "compiled"]


class NotCompiledError(Exception):
    """An expression that only an SQL engine can evaluate."""


class Columns:
    """What an expression is evaluated on: columns by source and name, each gathered when it is asked for."""

    def __init__(self, column: Callable[[str, str], Vector], num_rows: int, now: float) -> None:
        self.column = column
        self.num_rows = num_rows
        self.now = now


Evaluate = Callable[[Columns], Vector]
Values = npt.NDArray[Any]
_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}
_COMPILED_KINDS = ("boolean", "integer", "real", "text")


def compiled(expression: Expr) -> Evaluate:
    """A function that evaluates `expression` for every row.

    Raises
    ------
    NotCompiledError
        If it has a part that is left to an SQL engine.
    """
    match expression:
        case Const():
            return _constant(expression)
        case ColumnRef():
            if expression.type.kind not in _COMPILED_KINDS:
                raise NotCompiledError(expression.name)
            source, name = expression.source, expression.name
            return lambda columns: columns.column(source, name)
        case Call():
            return _call(expression)
        case In():
            return _in(expression)
        case Case():
            return _case(expression)
    raise NotCompiledError(type(expression).__name__)


def _constant(constant: Const) -> Evaluate:
    value, kind = constant.value, constant.type.kind
    if kind == "boolean":

        def truth(columns: Columns) -> Vector:
            here = np.full(columns.num_rows, value is True)
            return Truths(here, np.full(columns.num_rows, value is False))

        return truth
    if kind == "integer" and (value is None or isinstance(value, int)):
        number, there = value or 0, value is not None
        return lambda columns: Integers(
            np.full(columns.num_rows, number, np.int64),
            None if there else np.zeros(columns.num_rows, np.bool_),
        )
    if kind == "real" and (value is None or isinstance(value, float)):
        real = np.nan if value is None else value
        return lambda columns: Reals(np.full(columns.num_rows, real))
    raise NotCompiledError("a constant")


def _call(call: Call) -> Evaluate:
    name = call.function
    if name in ("and", "or"):
        return _connected(name, truths(call.args[0]), truths(call.args[1]))
    if name == "not":
        inner = truths(call.args[0])

        def negated(columns: Columns) -> Vector:
            value = inner(columns)
            return Truths(value.false, value.true)

        return negated
    if name in ("is_null", "is_not_null"):
        return _is_null(compiled(call.args[0]), name == "is_null")
    if name in COMPARISONS:
        return _comparison(name, *call.args)
    if name == "like":
        return _like(call)
    if name in ("LOWER", "UPPER"):
        return _other_letters(name, call.args[0])
    if name == "now":
        return lambda columns: Reals(np.full(columns.num_rows, columns.now))
    if name == "to_real":
        return reals(call.args[0])
    if name == "to_long" and call.args[0].type.kind == "integer":
        return compiled(call.args[0])
    if name in ("add", "subtract", "multiply", "negate"):
        return _arithmetic(name, call)
    if name == "ABS" and call.type.kind == "integer":
        raise NotCompiledError(name)
    function = FUNCTIONS[name].stream
    if function is None or name == "PI":
        raise NotCompiledError(name)
    return _function(function, [_scalar_or_reals(argument) for argument in call.args])


def truths(expression: Expr) -> Callable[[Columns], Truths]:
    """A condition."""
    evaluate = compiled(expression)

    def condition(columns: Columns) -> Truths:
        value = evaluate(columns)
        if not isinstance(value, Truths):
            raise TypeError("a condition is not a truth value")
        return value

    return condition


def reals(expression: Expr) -> Callable[[Columns], Reals]:
    """A number in double precision."""
    if expression.type.kind not in ("integer", "real"):
        raise NotCompiledError(expression.type.kind)
    evaluate = compiled(expression)

    def number(columns: Columns) -> Reals:
        value = evaluate(columns)
        if isinstance(value, Integers):
            return value.reals()
        if not isinstance(value, Reals):
            raise TypeError("a number is something else")
        return value

    return number


def _scalar_or_reals(expression: Expr) -> Callable[[Columns], Values | np.float64]:
    """The values of a number; of a constant, just one, which numpy spreads."""
    if isinstance(expression, Const) and isinstance(expression.value, int | float):
        value = np.float64(expression.value)
        return lambda columns: value
    evaluate = reals(expression)
    return lambda columns: evaluate(columns).values


def _function(function: Callable[..., Values], args: list[Callable[[Columns], object]]) -> Evaluate:
    def evaluate(columns: Columns) -> Vector:
        values = function(*(argument(columns) for argument in args))
        return Reals(_spread(values, columns.num_rows))

    return evaluate


def _spread(values: Values, num_rows: int) -> Values:
    """One value for every row, if there is but one for all."""
    return values if np.ndim(values) else np.full(num_rows, values)


def _connected(name: str, left: Callable[[Columns], Truths], right: Callable[[Columns], Truths]) -> Evaluate:
    def both(columns: Columns) -> Vector:
        one, other = left(columns), right(columns)
        return Truths(one.true & other.true, one.false | other.false)

    def either(columns: Columns) -> Vector:
        one, other = left(columns), right(columns)
        return Truths(one.true | other.true, one.false & other.false)

    return both if name == "and" else either


def _is_null(evaluate: Evaluate, null: bool) -> Evaluate:
    def test(columns: Columns) -> Vector:
        missing = evaluate(columns).missing()
        return Truths(missing, ~missing) if null else Truths(~missing, missing)

    return test


def _comparison(name: str, left: Expr, right: Expr) -> Evaluate:
    kinds = {left.type.kind, right.type.kind}
    if kinds == {"text"}:
        return _text_comparison(name, left, right)
    if kinds == {"boolean"} and name in ("eq", "ne"):
        return _truth_comparison(name == "eq", truths(left), truths(right))
    if kinds == {"integer"}:
        return _integer_comparison(COMPARISONS[name], left, right)
    if not kinds <= {"integer", "real"}:
        raise NotCompiledError(name)
    operator, one, other = COMPARISONS[name], _scalar_or_reals(left), _scalar_or_reals(right)
    opposite = COMPARISONS[_OPPOSITE[name]]

    def compare(columns: Columns) -> Vector:
        a, b = one(columns), other(columns)
        true = _spread(operator(a, b), columns.num_rows)
        # NaN makes every comparison false but "unequal", so the opposite one is true just where this is
        # false.
        false = _spread(opposite(a, b), columns.num_rows)
        if name not in ("eq", "ne"):
            return Truths(true, false)
        known = (a == a) & (b == b)
        return Truths(true & known, false & known)

    return compare


def _integer_comparison(operator: Callable[..., Values], left: Expr, right: Expr) -> Evaluate:
    one, other = compiled(left), compiled(right)
    constant = right.value if isinstance(right, Const) and isinstance(right.value, int) else None

    def compare(columns: Columns) -> Vector:
        a = one(columns)
        if not isinstance(a, Integers):
            raise TypeError("an integer is something else")
        valid = a.valid
        if constant is not None:
            true = operator(a.values, constant)
        else:
            b = other(columns)
            if not isinstance(b, Integers):
                raise TypeError("an integer is something else")
            true = operator(a.values, b.values)
            valid = b.valid if valid is None else valid if b.valid is None else valid & b.valid
        return Truths(true, ~true) if valid is None else Truths(true & valid, ~true & valid)

    return compare


def _truth_comparison(
    equal: bool, left: Callable[[Columns], Truths], right: Callable[[Columns], Truths]
) -> Evaluate:
    def compare(columns: Columns) -> Vector:
        a, b = left(columns), right(columns)
        same = (a.true & b.true) | (a.false & b.false)
        other = (a.true & b.false) | (a.false & b.true)
        return Truths(same, other) if equal else Truths(other, same)

    return compare


def _text_comparison(name: str, left: Expr, right: Expr) -> Evaluate:
    if isinstance(left, Const) and not isinstance(right, Const):
        mirrored = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
        return _text_comparison(mirrored.get(name, name), right, left)
    if not isinstance(right, Const) or not isinstance(right.value, str):
        raise NotCompiledError("texts of two columns")
    wanted, operator = right.value, COMPARISONS[name]
    if name in ("eq", "ne"):
        return _words(left, lambda word: bool(operator(word, wanted)))
    # Python compares by code points, as DuckDB and PostgreSQL's collation "C" by UTF-8 do.
    tests: dict[str, Callable[[str], bool]] = {
        "lt": lambda word: word < wanted, "le": lambda word: word <= wanted,
        "gt": lambda word: word > wanted, "ge": lambda word: word >= wanted,
    }  # fmt: skip
    return _words(left, tests[name])


def _words(expression: Expr, test: Callable[[str], bool]) -> Evaluate:
    evaluate = compiled(expression)

    def condition(columns: Columns) -> Vector:
        value = evaluate(columns)
        if not isinstance(value, Texts):
            raise TypeError("a text is something else")
        return value.where(test)

    return condition


def _like(call: Call) -> Evaluate:
    pattern = call.args[1]
    if not isinstance(pattern, Const) or not isinstance(pattern.value, str):
        raise NotCompiledError("a pattern that is not constant")
    return _words(call.args[0], like(pattern.value))


def _other_letters(name: str, text: Expr) -> Evaluate:
    evaluate = compiled(text)
    small, capital = string.ascii_lowercase, string.ascii_uppercase
    table = str.maketrans(capital, small) if name == "LOWER" else str.maketrans(small, capital)

    def changed(columns: Columns) -> Vector:
        value = evaluate(columns)
        if not isinstance(value, Texts):
            raise TypeError("a text is something else")
        return Texts(value.codes, tuple(word.translate(table) for word in value.words))

    return changed


def _arithmetic(name: str, call: Call) -> Evaluate:
    operators = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "negate": np.negative}
    operator = operators[name]
    if call.type.kind != "integer":

        def finite(*args: Values) -> Values:
            with np.errstate(all="ignore"):
                return np.asarray(operator(*args))

        return _function(finite, [_scalar_or_reals(argument) for argument in call.args])
    args = [compiled(argument) for argument in call.args]

    def evaluate(columns: Columns) -> Vector:
        values = [argument(columns) for argument in args]
        masks = [v.valid for v in values if isinstance(v, Integers) and v.valid is not None]
        valid = np.logical_and.reduce(masks) if masks else None
        return Integers(operator(*(v.values for v in values if isinstance(v, Integers))), valid)

    return evaluate


def _in(expression: In) -> Evaluate:
    constants = [item.value for item in expression.items if isinstance(item, Const)]
    if len(constants) < len(expression.items):
        raise NotCompiledError("a list that is not constant")
    has_null = None in constants
    kind = expression.value.type.kind
    if kind == "text":
        words = frozenset(constants)
        test = _words(expression.value, lambda word: word in words)
    elif kind in ("integer", "real"):
        evaluate = compiled(expression.value)
        wanted = np.array(
            [c for c in constants if c is not None], np.int64 if kind == "integer" else np.float64
        )

        def test(columns: Columns) -> Vector:
            value = evaluate(columns)
            if not isinstance(value, Integers | Reals):
                raise TypeError("a number is something else")
            true = np.isin(value.values, wanted)
            known = ~value.missing()
            return Truths(true & known, known & ~true)

    else:
        raise NotCompiledError("IN")
    if not has_null:
        return test

    def never_false(columns: Columns) -> Vector:
        value = test(columns)
        if not isinstance(value, Truths):
            raise TypeError("a condition is not a truth value")
        return Truths(value.true, np.zeros(columns.num_rows, np.bool_))

    return never_false


def _case(expression: Case) -> Evaluate:
    if expression.type.kind != "real":
        raise NotCompiledError("CASE")
    branches = [(truths(condition), reals(value)) for condition, value in expression.branches]
    default = reals(expression.default)

    def evaluate(columns: Columns) -> Vector:
        result = default(columns).values
        for condition, value in reversed(branches):
            result = np.where(condition(columns).true, value(columns).values, result)
        return Reals(result)

    return evaluate
