"""CAST, as far as it means the same in every engine."""

from __future__ import annotations

from sqlglot import exp

from ._errors import QueryError
from ._regions import cast_to_geometry
from ._tree import Call, Case, Const, Expr
from ._types import BOOLEAN, DOUBLE, TIMESTAMP, integer, text
from ._typing import as_kind, as_real, compared, converted, number

__all__ = ["cast_to"]

_BITS = {"SMALLINT": 15, "INT": 31, "BIGINT": 63}


def cast_to(expression: Expr, to: exp.Expression, place: int | None) -> Expr:
    """`expression` as the type `to`.

    A number too large for the type, or a text that is no number, becomes NULL; a fraction is cut off.

    Raises
    ------
    QueryError
        If there is no such type, or no such conversion.
    """
    target = str(getattr(to.this, "name", to.this))
    if target == "USERDEFINED":
        target = str(to.args.get("kind")).upper()
    have = expression.type.kind
    if target in _BITS:
        bits = _BITS[target]
        if have == "boolean":
            return Call("boolean_to_integer", (expression,), integer(1))
        if have == "integer":
            wide = converted(expression, expression.type)
            return wide if expression.type.bits <= bits else _within(wide, bits, place)
        if have == "text":
            expression = Call("text_to_real", (expression,), DOUBLE)
        whole = Call("truncate_to", (as_kind(expression, "real", place), Const(1.0, DOUBLE)), DOUBLE)
        bounded = Case(((_inside(whole, bits, place), whole),), Const(None, DOUBLE), DOUBLE)
        return Call("to_long", (bounded,), integer(bits))
    if target in ("FLOAT", "DOUBLE"):
        if have == "text":
            return Call("text_to_real", (expression,), DOUBLE)
        return as_real(as_kind(expression, "real", place))
    if target in ("CHAR", "VARCHAR", "TEXT"):
        if have == "integer":
            return Call("integer_to_text", (expression,), text(20))
        if have == "real":
            raise QueryError("a fraction has no one spelling as text", place, "CAST it to BIGINT first")
        return as_kind(expression, "text", place)
    if target in ("POINT", "CIRCLE", "POLYGON"):
        return cast_to_geometry(target, expression, place)
    if target in ("TIMESTAMP", "TIMESTAMPTZ"):
        if isinstance(expression, Const) and have == "text":
            like = compared("eq", expression, Const(None, TIMESTAMP), place)
            return like.args[0]
        return as_kind(expression, "timestamp", place)
    raise QueryError(
        "there is no such type",
        place,
        "use SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, CHAR, VARCHAR or TIMESTAMP",
    )


def _inside(value: Expr, bits: int, place: int | None) -> Expr:
    bound = float(2**bits)
    low, high = compared("ge", value, number(-bound), place), compared("lt", value, number(bound), place)
    return Call("and", (low, high), BOOLEAN)


def _within(value: Expr, bits: int, place: int | None) -> Expr:
    low, high = (
        compared("ge", value, number(-(2**bits)), place),
        compared("lt", value, number(2**bits), place),
    )
    inside = Call("and", (low, high), BOOLEAN)
    kind = integer(bits)
    return Case(((inside, converted(value, kind)),), Const(None, kind), kind)
