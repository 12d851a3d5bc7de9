"""Positions and regions of ADQL. They exist only within a query, as the numbers they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ._errors import QueryError
from ._tree import Call, Case, Const, Expr
from ._types import BOOLEAN, DOUBLE, Type, integer
from ._typing import as_kind

__all__ = ["contains", "is_containment", "point_of", "region_of"]

POINT, REGION = Type("point"), Type("region")


def region_of(name: str, args: Sequence[Expr], place: int | None) -> Expr:
    """POINT, CIRCLE or POLYGON; a coordinate system before the numbers may be ICRS only.

    Raises
    ------
    QueryError
        If the arguments are not those of the shape.
    """
    numbers = list(args)
    if _begins_with_system(name, numbers):
        system = numbers.pop(0)
        assert isinstance(system, Const)  # noqa: S101 - for the type checker: just tested
        if str(system.value or "ICRS").upper() != "ICRS":
            raise QueryError(f"positions are ICRS here, not {system.value}", place)
    flat = [part for argument in numbers for part in (argument.args if _is_point(argument) else (argument,))]  # type: ignore[union-attr]
    flat = [as_kind(part, "real", place) for part in flat]
    if name == "POINT":
        if len(flat) != 2:
            raise QueryError("POINT takes right ascension and declination", place)
        return Call("point", tuple(flat), POINT)
    if name == "CIRCLE":
        if len(flat) != 3:
            raise QueryError("CIRCLE takes a centre and a radius in degrees", place)
        return Call("circle", tuple(flat), REGION)
    if len(flat) < 6 or len(flat) % 2:
        raise QueryError("POLYGON takes three or more positions", place)
    return Call("polygon", tuple(flat), REGION)


def _begins_with_system(name: str, args: Sequence[Expr]) -> bool:
    """Whether a coordinate system stands before the numbers: a text, or NULL where there is one number too
    many."""
    if not args or not isinstance(args[0], Const):
        return False
    if args[0].value is not None or any(_is_point(argument) for argument in args):
        return isinstance(args[0].value, str)
    return len(args) == {"POINT": 3, "CIRCLE": 4}.get(name, len(args) | 1)


def point_of(expression: Expr, place: int | None) -> tuple[Expr, Expr]:
    """Right ascension and declination of a position."""
    if not _is_point(expression):
        raise QueryError("a POINT is expected here", place)
    assert isinstance(expression, Call)  # noqa: S101 - for the type checker: just tested
    return expression.args[0], expression.args[1]


def contains(inner: Expr, outer: Expr, either_way: bool, place: int | None) -> Expr:
    """1 if a position lies in a region (its rim included), 0 if not; as a `Case` that `is_containment` knows.

    Raises
    ------
    QueryError
        If the arguments are others.
    """
    if either_way and not _is_point(inner):
        inner, outer = outer, inner
    if not (_is_point(inner) and isinstance(outer, Call) and outer.type == REGION):
        if (
            either_way
            and isinstance(inner, Call)
            and isinstance(outer, Call)
            and inner.function == outer.function == "circle"
        ):
            apart = Call("separation", (*inner.args[:2], *outer.args[:2]), DOUBLE)
            return _one_or_zero(
                Call("le", (apart, Call("add", (inner.args[2], outer.args[2]), DOUBLE)), BOOLEAN)
            )
        raise QueryError("a POINT in a CIRCLE or POLYGON is what we can tell", place)
    assert isinstance(inner, Call)  # noqa: S101 - for the type checker: just tested
    if outer.function == "circle":
        apart = Call("separation", (*inner.args, *outer.args[:2]), DOUBLE)
        return _one_or_zero(Call("le", (apart, outer.args[2]), BOOLEAN))
    return _one_or_zero(_in_polygon(inner.args, outer.args, place))


def is_containment(expression: Expr) -> Expr | None:
    """The condition of which `expression` is the 1 or 0; None if it is something else."""
    if isinstance(expression, Case) and len(expression.branches) == 2:
        (test, one), (denial, zero) = expression.branches
        values = (one.value, zero.value) if isinstance(one, Const) and isinstance(zero, Const) else ()
        if values == (1, 0) and denial == Call("not", (test,), BOOLEAN):
            return test
    return None


def _one_or_zero(test: Expr) -> Expr:
    bit = integer(1)
    return Case(
        ((test, Const(1, bit)), (Call("not", (test,), BOOLEAN), Const(0, bit))), Const(None, bit), bit
    )


def _is_point(expression: Expr) -> bool:
    return isinstance(expression, Call) and expression.type == POINT


def _in_polygon(point: Sequence[Expr], corners: Sequence[Expr], place: int | None) -> Expr:
    """On the inner side of every edge's great circle, which tells for a convex polygon."""
    values = [corner.value if isinstance(corner, Const) else None for corner in corners]
    if any(not isinstance(value, float) for value in values):
        raise QueryError("the corners of a POLYGON are numbers", place)
    degrees = [float(value) for value in values if isinstance(value, float)]
    vectors = [_vector(ra, decl) for ra, decl in zip(degrees[::2], degrees[1::2], strict=True)]
    normals = [_cross(a, b) for a, b in zip(vectors, vectors[1:] + vectors[:1], strict=True)]
    sides = {_dot(n, v) > 0 for n in normals for v in vectors if abs(_dot(n, v)) > 1e-15}
    if len(sides) != 1:
        raise QueryError("a POLYGON must be convex", place, "divide it into convex ones joined by OR")
    sign = 1.0 if sides.pop() else -1.0
    ra, decl = (Call("RADIANS", (part,), DOUBLE) for part in point)
    across = Call("COS", (decl,), DOUBLE)
    xyz = (
        Call("multiply", (across, Call("COS", (ra,), DOUBLE)), DOUBLE),
        Call("multiply", (across, Call("SIN", (ra,), DOUBLE)), DOUBLE),
        Call("SIN", (decl,), DOUBLE),
    )
    test: Expr | None = None
    for normal in normals:
        terms = [
            Call("multiply", (axis, Const(sign * n, DOUBLE)), DOUBLE)
            for axis, n in zip(xyz, normal, strict=True)
        ]
        total = Call("add", (Call("add", (terms[0], terms[1]), DOUBLE), terms[2]), DOUBLE)
        inside = Call("ge", (total, Const(0.0, DOUBLE)), BOOLEAN)
        test = inside if test is None else Call("and", (test, inside), BOOLEAN)
    assert test is not None  # noqa: S101 - for the type checker: there are edges
    return test


Vector = tuple[float, float, float]


def _vector(ra: float, decl: float) -> Vector:
    a, d = math.radians(ra), math.radians(decl)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
