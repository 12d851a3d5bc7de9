"""Expressions of a catalogue's columns, such as ``6 * 10 ** logD25``, evaluated on arrays.

The text is parsed by Python and every node is checked against a list; nothing is ever executed as Python.
"""

from __future__ import annotations

import ast
import functools
import itertools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Expression", "ExpressionError"]

_QUOTED = re.compile(r"`([^`]+)`")
_LEADING_NUMBER = r"^[<>~(]?\s*\+?(?P<number>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_LONGEST = 2000


class ExpressionError(ValueError):
    """An expression cannot be used; the message says what and where."""


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    condition, then, otherwise = np.broadcast_arrays(condition, then, otherwise)
    if then.dtype == object or otherwise.dtype == object:
        then, otherwise = then.astype(object), otherwise.astype(object)
    return np.where(condition.astype(bool), then, otherwise)


def _missing(value: Any) -> Any:
    value = np.asarray(value)
    return (
        np.frompyfunc(lambda item: item is None, 1, 1)(value).astype(bool)
        if value.dtype == object
        else np.isnan(value)
    )


def _number(value: Any) -> Any:
    """The number that text begins with, as ``17.5`` of ``17.5j`` and ``>17.5:``."""
    text = pa.array(np.asarray(value, object), pa.string())
    found = pc.struct_field(pc.extract_regex(text, _LEADING_NUMBER), "number")
    return np.array(pc.cast(found, pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _coalesce(*values: Any) -> Any:
    out = values[-1]
    for value in reversed(values[:-1]):
        out = _where(_missing(value), out, value)
    return out


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "abs": (1, 1, np.abs),
    "round": (1, 1, np.round),
    "sqrt": (1, 1, np.sqrt),
    "exp": (1, 1, np.exp),
    "log": (1, 1, np.log),
    "log10": (1, 1, np.log10),
    "sin": (1, 1, np.sin),
    "cos": (1, 1, np.cos),
    "radians": (1, 1, np.radians),
    "degrees": (1, 1, np.degrees),
    "arctan2": (2, 2, np.arctan2),
    "hypot": (2, 2, np.hypot),
    "minimum": (2, 2, np.fmin),
    "maximum": (2, 2, np.fmax),
    "where": (3, 3, _where),
    "coalesce": (2, 16, _coalesce),
    "missing": (1, 1, _missing),
    "number": (1, 1, _number),
}

_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: np.power,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: np.logical_not,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class Expression:
    """An expression of columns.

    Numbers, text in quotes, None for missing, columns by name (in `` ` `` if the name is no plain word),
    ``+ - * / ** %``, comparisons, ``and or not``, ``in (…)``, and the functions abs, round, sqrt, exp, log,
    log10, sin, cos, radians, degrees, arctan2, hypot, minimum, maximum, where(condition, then, otherwise),
    coalesce, missing, number (which text begins with, so that 17.5 is found in ``17.5j`` and ``>17.5``). What
    cannot be computed, the logarithm of a negative number for instance, is missing.

    Parameters
    ----------
    text
        The expression; the name of a column as it stands is one too, whatever characters it has.

    Raises
    ------
    ExpressionError
        If it does not parse, or uses anything else.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > _LONGEST:
            raise ExpressionError(
                f"the expression has {len(text)} characters; at most {_LONGEST} are allowed"
            )
        self._quoted: dict[str, str] = {}
        plain = _QUOTED.sub(self._stand_in, text).strip()
        self._tree: ast.expr | None
        try:
            self._tree = ast.parse(plain, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            # A column such as RA(J2000) or 2MASS may still have this name; `columns` decides.
            self._tree, self._problem = None, f"{text!r} is neither a column nor an expression: {error}"
            return
        try:
            self._check(self._tree)
        except ExpressionError as error:
            if not _looks_like_a_name(text):
                raise
            self._tree, self._problem = None, str(error)

    def _stand_in(self, match: re.Match[str]) -> str:
        name = f"_quoted_{len(self._quoted)}"
        self._quoted[name] = match[1]
        return f" {name} "

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None) | ast.Name():
                return
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                parts: list[ast.AST] = [left, right]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _ARITHMETIC:
                parts = [operand]
            case ast.BoolOp(values=values):
                parts = list(values)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(elts=items)]):
                parts = [left, *items]
            case ast.Compare(left=left, ops=ops, comparators=right_sides) if all(
                type(op) in _ARITHMETIC for op in ops
            ):
                parts = [left, *right_sides]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                least, most, _ = _FUNCTIONS[name]
                if not least <= len(args) <= most:
                    raise ExpressionError(f"{name} takes {least} arguments, not {len(args)}: {self.text!r}")
                parts = list(args)
            case _:
                piece = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
                raise ExpressionError(
                    f"{piece!r} is not allowed in an expression ({self.text!r}); a column whose name is no "
                    "plain word stands in ` `"
                )
        for part in parts:
            self._check(part)

    @property
    def is_name(self) -> bool:
        """Whether the text can only be the name of a column: it does not parse as an expression."""
        return self._tree is None

    def columns(self, available: Mapping[str, Any] | list[str]) -> list[str]:
        """The columns the expression needs, of those that are there.

        Raises
        ------
        ExpressionError
            If one is not there; the message names it and those that are.
        """
        if self.text in available:
            return [self.text]
        if self._tree is None:
            raise ExpressionError(self._problem + _choice(available))
        called = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        names = [
            self._quoted.get(node.id, node.id)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and id(node) not in called
        ]
        for name in names:
            if name not in available:
                raise ExpressionError(f"there is no column {name!r}{_choice(available)}")
        return list(dict.fromkeys(names))

    def text_columns(self, *, wanted: bool) -> set[str]:
        """The columns that are text: those compared with text, and, if text is `wanted`, those handed on."""
        if self._tree is None:
            return {self.text} if wanted else set()
        found: set[str] = set()
        self._find_text(self._tree, wanted, found)
        return found | ({self.text} if wanted else set())

    def _find_text(self, node: ast.AST, text: bool, found: set[str]) -> None:
        inside: list[tuple[ast.AST, bool]]
        match node:
            case ast.Name(id=name):
                if text:
                    found.add(self._quoted.get(name, name))
                return
            case ast.Compare(left=left, comparators=right_sides):
                sides = [left, *right_sides]
                constants = [
                    part for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)
                ]
                of_text = any(isinstance(constant.value, str) for constant in constants)
                inside = [(side, of_text) for side in sides]
            case ast.Call(func=ast.Name(id="where"), args=[condition, *branches]):
                inside = [(condition, False), *((branch, text) for branch in branches)]
            case ast.Call(func=ast.Name(id="coalesce" | "missing"), args=args):
                inside = [(arg, text) for arg in args]
            case ast.Call(func=ast.Name(id=name), args=args):
                inside = [(arg, name == "number") for arg in args]
            case _:
                inside = [(part, False) for part in ast.iter_child_nodes(node)]
        for part, is_text in inside:
            self._find_text(part, is_text, found)

    def evaluate(self, columns: Mapping[str, Any]) -> Any:
        """The value for arrays of columns: float64 with NaN for missing, or text as objects with None.

        Raises
        ------
        ExpressionError
            If a column is not there, or text is computed with.
        """
        if self.text in columns:
            return columns[self.text]
        self.columns(columns)  # raises if there is no tree
        try:
            with np.errstate(all="ignore"):
                return self._value(cast(ast.expr, self._tree), columns)
        except (TypeError, np.exceptions.DTypePromotionError):
            raise ExpressionError(f"{self.text!r} computes with text where a number is needed") from None

    def _value(self, node: ast.AST, columns: Mapping[str, Any]) -> Any:
        def of(part: ast.AST) -> Any:
            return self._value(part, columns)

        match node:
            case ast.Constant(value=bool() | str() as constant):
                return constant
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Constant(value=None):
                return np.nan
            case ast.Name(id=name):
                return columns[self._quoted.get(name, name)]
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)](of(left), of(right))
            case ast.UnaryOp(op=sign, operand=operand):
                return _ARITHMETIC[type(sign)](of(operand))
            case ast.BoolOp(op=junction, values=parts):
                combine = np.logical_and if isinstance(junction, ast.And) else np.logical_or
                return functools.reduce(combine, [of(part) for part in parts])
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as membership], comparators=[choice]):
                value = of(left)
                found = functools.reduce(
                    np.logical_or, [_equal(value, of(item)) for item in cast(ast.Tuple, choice).elts]
                )
                return found if isinstance(membership, ast.In) else np.logical_not(found)
            case ast.Compare(left=left, ops=relations, comparators=right_sides):
                sides = [of(left), *(of(side) for side in right_sides)]
                holds = [
                    _ARITHMETIC[type(relation)](before, after)
                    for relation, (before, after) in zip(relations, itertools.pairwise(sides), strict=True)
                ]
                return functools.reduce(np.logical_and, holds)
            case ast.Call(func=ast.Name(id=name), args=args):
                return _FUNCTIONS[name][2](*(of(arg) for arg in args))
        raise AssertionError(f"{type(node).__name__} was let through the check")


def _equal(left: Any, right: Any) -> Any:
    return np.asarray(left == right, bool)


def _looks_like_a_name(text: str) -> bool:
    """Whether text such as ``RA(J2000)`` or ``R.A.`` may be meant as a column's name."""
    return not any(character in text for character in "+*/=<>[]{}\"'`:;") and "__" not in text


def _choice(available: Mapping[str, Any] | list[str]) -> str:
    names = list(available)
    shown = ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
    return f"; the source has {shown}"
