"""Conversions between types: which happen of themselves, and which a query must not ask for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from ._errors import QueryError
from ._tree import Aggregate, Call, Case, Const, Exists, Expr, In, InQuery, Scalar
from ._types import BOOLEAN, DOUBLE, GEOMETRY, TIMESTAMP, UNKNOWN, Kind, Type, integer, text

__all__ = [
    "as_kind", "as_real", "common_type", "compared", "contains_aggregate", "converted", "instant", "number",
    "parts",
]  # fmt: skip

_NAMES: dict[Kind, str] = {
    "boolean": "a truth value", "integer": "a number", "real": "a number", "text": "a text",
    "timestamp": "a time",
    "binary": "bytes", "json": "a JSON value", "point": "a position", "circle": "a circle",
    "polygon": "a polygon", "region": "a region", "unknown": "NULL",
}  # fmt: skip


def number(value: float | int) -> Const:
    """A number as a literal."""
    if isinstance(value, int):
        return Const(value, integer(max(1, abs(value).bit_length())))
    return Const(value, DOUBLE)


def as_real(expression: Expr) -> Expr:
    """In double precision."""
    if isinstance(expression, Const) and isinstance(expression.value, int | float):
        return replace(expression, value=float(expression.value), type=DOUBLE)
    kind = expression.type
    if kind.kind == "real" and not kind.single:
        return expression
    if isinstance(expression, Const) and expression.value is None:
        return Const(None, DOUBLE)
    return Call("json_to_real" if kind.kind == "json" else "to_real", (expression,), DOUBLE)


def as_kind(expression: Expr, kind: Kind, position: int | None) -> Expr:
    """As an argument of that kind.

    Raises
    ------
    QueryError
        If it is of another.
    """
    have = expression.type.kind
    if kind == "real":
        if have in ("integer", "real", "json", "unknown"):
            return as_real(expression)
        if have == "timestamp" and isinstance(expression, Const):
            return _mjd(expression)
    elif kind == "text":
        if have == "json":
            return _plain(expression)
        if have in ("text", "unknown"):
            return expression
    elif have in (kind, "unknown"):
        return expression
    raise QueryError(f"{_NAMES[kind]} is expected here, not {_NAMES[have]}", position)


def common_type(expressions: Sequence[Expr], position: int | None) -> Type:
    """The type that all of them can have."""
    kinds = {e.type.kind for e in expressions} - {"unknown"}
    if not kinds:
        return UNKNOWN
    if kinds <= {"integer"}:
        return integer(max(e.type.bits for e in expressions))
    if kinds <= {"integer", "real"} or (kinds <= {"integer", "real", "json"} and len(kinds) > 1):
        return DOUBLE
    if kinds <= {"text", "json"}:
        return text(max(e.type.length for e in expressions))
    if len(kinds) == 1:
        (kind,) = kinds
        lengths = {e.type.length for e in expressions if e.type.kind == kind}
        if kind != "polygon" or len(lengths) == 1:
            return Type(kind, length=lengths.pop() if kind == "polygon" else 0)
        raise QueryError("polygons of different numbers of corners do not go together", position)
    first, second, *_ = sorted(_NAMES[kind] for kind in kinds)
    raise QueryError(f"{first} and {second} do not go together", position)


def converted(expression: Expr, to: Type) -> Expr:
    """As a value of type `to`, which `common_type` has found."""
    if isinstance(expression, Const) and expression.value is None:
        return Const(None, to)
    if to.kind == "real":
        return as_real(expression)
    if to.kind == "text" and expression.type.kind == "json":
        return _plain(expression)
    if to.kind == "integer" and not isinstance(expression, Const):
        return Call("to_long", (expression,), to)
    return expression


def compared(operator: str, left: Expr, right: Expr, position: int | None) -> Call:
    """A comparison, each side made what the other needs."""
    left, right = _alike(left, right, position), _alike(right, left, position)
    for side in (left, right):
        ordered = side.type.kind in GEOMETRY and operator not in ("eq", "ne")
        if ordered or side.type.kind in ("region", "binary"):
            raise QueryError(f"{_NAMES[side.type.kind]} cannot be compared", position)
    kind = common_type([left, right], position)
    if kind.kind == "real":
        left, right = as_real(left), as_real(right)
    return Call(operator, (left, right), BOOLEAN)


def _alike(expression: Expr, other: Expr, position: int | None) -> Expr:
    """What users write for a value of another type: 1 for true, a text for a time, a time for its MJD."""
    have, want = expression.type.kind, other.type.kind
    if want == "boolean" and isinstance(expression, Const):
        if have == "integer" and expression.value in (0, 1):
            return replace(expression, value=bool(expression.value), type=BOOLEAN)
        if have == "text" and str(expression.value).casefold() in ("true", "false"):
            return replace(expression, value=str(expression.value).casefold() == "true", type=BOOLEAN)
    if want == "timestamp" and have == "text" and isinstance(expression, Const):
        return replace(expression, value=instant(str(expression.value), position), type=TIMESTAMP)
    if want in ("integer", "real") and have == "timestamp" and isinstance(expression, Const):
        return _mjd(expression)
    if have == "json" and want in ("text", "json", "unknown"):
        return _plain(expression)
    if have == "json" and want in ("integer", "real"):
        return as_real(expression)
    return expression


def _plain(expression: Expr) -> Expr:
    if isinstance(expression, Call):
        return Call(expression.function, expression.args, text(expression.type.length))
    return expression


def _mjd(moment: Const) -> Const:
    """A fixed time as a number: MJD TAI, as all columns of times that are numbers."""
    from lasair_broker.packets import posix_micros_to_mjd_tai  # few queries need it, and it takes long

    if moment.value is None:
        return Const(None, DOUBLE)
    micros = datetime.datetime.fromisoformat(str(moment.value)).timestamp() * 1e6
    return replace(moment, value=float(posix_micros_to_mjd_tai(micros)), type=DOUBLE)


def instant(written: str, position: int | None) -> str:
    """A time as users write it, in the form of a literal: UTC.

    Raises
    ------
    QueryError
        If it is none.
    """
    try:
        found = datetime.datetime.fromisoformat(written.strip())
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        return found.astimezone(datetime.UTC).isoformat(" ")
    except (ValueError, OverflowError):
        raise QueryError(
            f"{written!r} is not a time", position, "write it as 2026-03-01 or 2026-03-01T12:00:00"
        ) from None


def parts(expression: Expr) -> list[Expr]:
    """The expressions directly within another; those within a query in it do not count."""
    match expression:
        case Call():
            return list(expression.args)
        case Case():
            return [part for branch in expression.branches for part in branch] + [expression.default]
        case In():
            return [expression.value, *expression.items]
        case InQuery():
            return [expression.value]
        case Aggregate():
            return [] if expression.argument is None else [expression.argument]
        case Scalar() | Exists():
            return []
        case _:
            return []


def contains_aggregate(expression: Expr) -> bool:
    """Whether it looks at a group of rows."""
    return isinstance(expression, Aggregate) or any(map(contains_aggregate, parts(expression)))
