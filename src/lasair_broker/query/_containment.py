"""CONTAINS, INTERSECTS and DISTANCE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Literal

from ._errors import QueryError
from ._regions import coordinates, fixed, is_geometry
from ._sphere import Vector, convex_parts, cross, meet, unit, vector
from ._tree import Call, Case, Const, Expr
from ._types import BOOLEAN, DOUBLE, UNKNOWN, integer

__all__ = ["containment", "contains", "distance", "intersects"]

_ONE_OR_ZERO = integer(1)


def contains(inner: Expr, outer: Expr, place: int | None) -> Expr:
    """1 if a position or region lies in a region (its rim included), 0 if not.

    Raises
    ------
    QueryError
        If the arguments are others, or regions of which this cannot be told.
    """
    if not _geometries(inner, outer, place):
        return Const(None, _ONE_OR_ZERO)
    return _one_or_zero(_inside(inner, outer, place))


def intersects(one: Expr, other: Expr, place: int | None) -> Expr:
    """1 if two regions have a point in common, 0 if not.

    Raises
    ------
    QueryError
        As with `contains`.
    """
    if not _geometries(one, other, place):
        return Const(None, _ONE_OR_ZERO)
    return _one_or_zero(_overlap(one, other, place))


def distance(one: Expr, other: Expr, place: int | None) -> Expr:
    """Degrees between two positions."""
    for side in (one, other):
        if side.type != UNKNOWN and side.type.kind != "point":
            raise QueryError("DISTANCE takes two positions, or their four coordinates", place)
    if UNKNOWN in (one.type, other.type):
        return Const(None, DOUBLE)
    return _apart(coordinates(one), coordinates(other))


def containment(expression: Expr) -> Expr | None:
    """The condition of which `expression` is the 1 or 0; None if it is something else."""
    if isinstance(expression, Case) and len(expression.branches) == 2:
        (test, one), (denial, zero) = expression.branches
        values = (one.value, zero.value) if isinstance(one, Const) and isinstance(zero, Const) else ()
        if values == (1, 0) and denial == Call("not", (test,), BOOLEAN):
            return test
    return None


def _geometries(one: Expr, other: Expr, place: int | None) -> bool:
    """Whether both are known."""
    for side in (one, other):
        if side.type != UNKNOWN and not is_geometry(side.type):
            raise QueryError("a position or a region is expected here", place, "write POINT(ra, decl)")
    return UNKNOWN not in (one.type, other.type)


def _one_or_zero(test: Expr) -> Expr:
    bit = _ONE_OR_ZERO
    return Case(
        ((test, Const(1, bit)), (Call("not", (test,), BOOLEAN), Const(0, bit))), Const(None, bit), bit
    )


def _inside(inner: Expr, outer: Expr, place: int | None) -> Expr:
    what, where = inner.type.kind, outer.type.kind
    if where == "region" and isinstance(outer, Call):
        if outer.function == "intersection":
            return _joined("and", [_inside(inner, part, place) for part in outer.args])
        if what == "point":
            tests = [_inside(inner, part, place) for part in outer.args]
            return Call("not", (tests[0],), BOOLEAN) if outer.function == "not" else _joined("or", tests)
    if what == "region" or where == "region":
        raise QueryError("of a Union or Not we can only tell whether a POINT is in it", place)
    numbers, around = coordinates(inner), coordinates(outer)
    if where == "polygon":
        if what == "point":
            return _in_polygon(numbers, outer, place)
        if what == "circle":
            far = [_beyond(numbers, edge) for edge in _edges(outer, place)]
            return _joined("and", [_in_polygon(numbers[:2], outer, place), *far])
        if len(_parts(outer, place)) > 1:
            raise QueryError("a POLYGON in a POLYGON that is not convex is more than we can tell", place)
        return _joined("and", [_in_polygon(corner, outer, place) for corner in _pairs(numbers)])
    radius = around[2] if where == "circle" else Const(0.0, DOUBLE)
    if what == "circle":
        return _at_most(Call("add", (_apart(numbers[:2], around[:2]), numbers[2]), DOUBLE), radius)
    return _joined("and", [_at_most(_apart(corner, around[:2]), radius) for corner in _pairs(numbers)])


def _overlap(one: Expr, other: Expr, place: int | None) -> Expr:
    order = ("point", "circle", "polygon", "region")
    one, other = sorted((one, other), key=lambda side: order.index(side.type.kind))
    if one.type.kind == "point":
        return _inside(one, other, place)
    if isinstance(other, Call) and other.type.kind == "region":
        if other.function == "union":
            return _joined("or", [_overlap(one, part, place) for part in other.args])
        raise QueryError("of an Intersection or Not we can only tell whether a POINT is in it", place)
    numbers, around = coordinates(one), coordinates(other)
    if other.type.kind == "circle":
        reach = Call("add", (numbers[2], around[2]), DOUBLE)
        return _at_most(_apart(numbers[:2], around[:2]), reach)
    if one.type.kind == "circle":
        near = [Call("not", (_beyond(numbers, edge),), BOOLEAN) for edge in _edges(other, place)]
        return _joined("or", [_in_polygon(numbers[:2], other, place), *near])
    return Const(meet(_parts(one, place), _parts(other, place)), BOOLEAN)


# Conditions on positions that may be columns


def _apart(one: Sequence[Expr], other: Sequence[Expr]) -> Expr:
    return Call("separation", (*one, *other), DOUBLE)


def _at_most(value: Expr, bound: Expr) -> Expr:
    return Call("le", (value, bound), BOOLEAN)


def _joined(word: Literal["and", "or"], tests: Sequence[Expr]) -> Expr:
    return reduce(lambda one, other: Call(word, (one, other), BOOLEAN), tests)


def _pairs(numbers: Sequence[Expr]) -> list[Sequence[Expr]]:
    return [numbers[at : at + 2] for at in range(0, len(numbers), 2)]


def _in_polygon(point: Sequence[Expr], polygon: Expr, place: int | None) -> Expr:
    """In one of its convex parts, which is on the inner side of every edge's great circle."""
    xyz = _direction(point)
    inside = []
    for part in _parts(polygon, place):
        edges = zip(part, [*part[1:], part[0]], strict=True)
        sides = [_at_most(Const(0.0, DOUBLE), _along(xyz, unit(cross(a, b)))) for a, b in edges]
        inside.append(_joined("and", sides))
    return _joined("or", inside)


def _beyond(circle: Sequence[Expr], edge: tuple[Vector, Vector]) -> Expr:
    """Whether an edge passes outside a circle: the point of it that is nearest to the centre does."""
    a, b = edge
    normal = unit(cross(a, b))
    xyz = _direction(circle[:2])
    zero, radius = Const(0.0, DOUBLE), circle[2]
    # The foot of the perpendicular is on the arc if it is on the inner side of both ends.
    on_arc = _joined(
        "and",
        [_at_most(zero, _along(xyz, cross(normal, a))), _at_most(zero, _along(xyz, cross(b, normal)))],
    )
    height = Call("ABS", (_along(xyz, normal),), DOUBLE)
    reach = Call("SIN", (Call("RADIANS", (radius,), DOUBLE),), DOUBLE)
    off_line = Call("lt", (reach, height), BOOLEAN)
    ends = [
        Call("lt", (radius, _apart(circle[:2], [Const(x, DOUBLE) for x in _degrees(end)])), BOOLEAN)
        for end in edge
    ]
    return _joined("and", [*ends, _joined("or", [Call("not", (on_arc,), BOOLEAN), off_line])])


def _degrees(v: Vector) -> tuple[float, float]:
    return math.degrees(math.atan2(v[1], v[0])), math.degrees(math.atan2(v[2], math.hypot(v[0], v[1])))


def _direction(point: Sequence[Expr]) -> tuple[Expr, Expr, Expr]:
    ra, decl = (Call("RADIANS", (part,), DOUBLE) for part in point)
    across = Call("COS", (decl,), DOUBLE)
    return (
        Call("multiply", (across, Call("COS", (ra,), DOUBLE)), DOUBLE),
        Call("multiply", (across, Call("SIN", (ra,), DOUBLE)), DOUBLE),
        Call("SIN", (decl,), DOUBLE),
    )


def _along(xyz: Sequence[Expr], direction: Vector) -> Expr:
    terms = [
        Call("multiply", (axis, Const(value, DOUBLE)), DOUBLE)
        for axis, value in zip(xyz, direction, strict=True)
    ]
    return reduce(lambda one, other: Call("add", (one, other), DOUBLE), terms[1:], terms[0])


# Polygons of fixed corners


def _corners(polygon: Expr, place: int | None) -> list[Vector]:
    numbers = fixed(polygon)
    if numbers is None:
        raise QueryError("the corners of a POLYGON or BOX are numbers here, not columns", place)
    return [vector(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def _parts(polygon: Expr, place: int | None) -> list[list[Vector]]:
    parts = convex_parts(_corners(polygon, place))
    if parts is None:
        raise QueryError(
            "the POLYGON crosses itself, has no area, or is larger than a hemisphere",
            place,
            "put its corners in order, or divide it into smaller ones joined by OR",
        )
    return parts


def _edges(polygon: Expr, place: int | None) -> list[tuple[Vector, Vector]]:
    corners = _corners(polygon, place)
    return [(a, b) for a, b in zip(corners, [*corners[1:], corners[0]], strict=True) if a != b]
