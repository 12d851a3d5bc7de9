"""Polygons of fixed corners on the sphere: their area, their middle, their convex parts.

Edges are arcs of great circles; of the two sides of the boundary the smaller one is meant. Corners are unit
vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["Vector", "area", "centroid", "convex_parts", "cross", "dot", "meet", "position", "unit", "vector"]

Vector = tuple[float, float, float]

_SQUARE_DEGREES = (180.0 / math.pi) ** 2
_ROUNDING = 1e-15


def vector(ra: float, decl: float) -> Vector:
    """The unit vector to a position in degrees."""
    a, d = math.radians(ra), math.radians(decl)
    return math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)


def position(v: Vector) -> tuple[float, float]:
    """Right ascension from 0 to 360 and declination, degrees."""
    return math.degrees(math.atan2(v[1], v[0])) % 360.0, math.degrees(
        math.atan2(v[2], math.hypot(v[0], v[1]))
    )


def cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(v: Vector) -> Vector:
    """The direction of a vector; itself if it has none."""
    length = math.sqrt(dot(v, v)) or 1.0
    return v[0] / length, v[1] / length, v[2] / length


def area(corners: Sequence[Vector]) -> float:
    """Square degrees: the solid angles of the triangles from the first corner (Van Oosterom and Strackee
    1983), with their signs."""
    total = 0.0
    a = corners[0]
    for b, c in pairwise(corners[1:]):
        total += 2.0 * math.atan2(dot(a, cross(b, c)), 1.0 + dot(a, b) + dot(b, c) + dot(c, a))
    steradians = abs(total) % (4.0 * math.pi)
    return min(steradians, 4.0 * math.pi - steradians) * _SQUARE_DEGREES


def centroid(corners: Sequence[Vector]) -> Vector:
    """The middle of the area: the integral of the position over it is half the sum of the edges' normals,
    each as long as its edge's arc (by Stokes)."""
    total: Vector = (0.0, 0.0, 0.0)
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        normal = cross(a, b)
        arc = math.atan2(math.sqrt(dot(normal, normal)), dot(a, b))
        n = unit(normal)
        total = (total[0] + arc * n[0], total[1] + arc * n[1], total[2] + arc * n[2])
    middle = unit(total)
    towards = (sum(c[0] for c in corners), sum(c[1] for c in corners), sum(c[2] for c in corners))
    return middle if dot(middle, towards) >= 0.0 else (-middle[0], -middle[1], -middle[2])


def convex_parts(corners: Sequence[Vector]) -> list[list[Vector]] | None:
    """Convex polygons that make up the polygon, corners counter-clockwise as seen from within the sphere's
    outside; None if it crosses itself, has no area, or reaches beyond a hemisphere."""
    distinct = [v for v, before in zip(corners, [corners[-1], *corners[:-1]], strict=True) if v != before]
    if len(distinct) < 3:
        return None
    middle = centroid(distinct)
    if any(dot(middle, v) <= 1e-6 for v in distinct):
        return None
    flat = _projected(distinct, middle)
    total = sum(_turn((0.0, 0.0), p, q) for p, q in zip(flat, [*flat[1:], flat[0]], strict=True))
    if total == 0.0:
        return None
    if total < 0.0:
        distinct.reverse()
        flat.reverse()
    if _crosses_itself(flat):
        return None
    around = list(range(len(flat)))
    turns = [_turn(flat[i - 1], flat[i], flat[(i + 1) % len(flat)]) for i in around]
    if all(turn >= 0.0 for turn in turns):
        return [distinct]
    return _ears(flat, around, distinct)


Flat = tuple[float, float]


def _projected(corners: Sequence[Vector], middle: Vector) -> list[Flat]:
    """On the tangent plane at `middle`, where great circles are straight lines."""
    other = (0.0, 0.0, 1.0) if abs(middle[2]) < 0.9 else (1.0, 0.0, 0.0)
    east = unit(cross(other, middle))
    north = cross(middle, east)
    return [(dot(east, v) / dot(middle, v), dot(north, v) / dot(middle, v)) for v in corners]


def _turn(a: Flat, b: Flat, c: Flat) -> float:
    """Twice the area of the triangle, positive if it goes round to the left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _crosses_itself(flat: Sequence[Flat]) -> bool:
    number = len(flat)
    edges = [(flat[i], flat[(i + 1) % number]) for i in range(number)]
    return any(
        _turn(*edges[i], edges[j][0]) * _turn(*edges[i], edges[j][1]) < 0.0
        and _turn(*edges[j], edges[i][0]) * _turn(*edges[j], edges[i][1]) < 0.0
        for i in range(number)
        for j in range(i + 2, number)
        if (j + 1) % number != i
    )


def _ears(flat: Sequence[Flat], around: list[int], corners: Sequence[Vector]) -> list[list[Vector]] | None:
    """Triangles, cut off one after the other where a corner sticks out and no other corner is within."""
    parts: list[list[Vector]] = []
    while len(around) > 3:
        for place in range(len(around)):
            i, j, k = around[place - 1], around[place], around[(place + 1) % len(around)]
            triangle = (flat[i], flat[j], flat[k])
            if _turn(*triangle) < 0.0:
                continue
            others = (m for m in around if m not in (i, j, k) and flat[m] not in triangle)
            if any(_within(flat[m], triangle) for m in others):
                continue
            if _turn(*triangle) > 0.0:
                parts.append([corners[i], corners[j], corners[k]])
            del around[place]
            break
        else:
            return None
    return [*parts, [corners[i] for i in around]]


def _within(point: Flat, triangle: tuple[Flat, Flat, Flat]) -> bool:
    a, b, c = triangle
    return _turn(a, b, point) >= 0.0 and _turn(b, c, point) >= 0.0 and _turn(c, a, point) >= 0.0


def meet(one: Sequence[Sequence[Vector]], other: Sequence[Sequence[Vector]]) -> bool:
    """Whether two areas, each given as its convex parts, have a point in common."""
    return any(_convex_meet(a, b) for a in one for b in other)


def _convex_meet(a: Sequence[Vector], b: Sequence[Vector]) -> bool:
    if any(_inside(v, a) for v in b) or any(_inside(v, b) for v in a):
        return True
    edges = [list(zip(part, [*part[1:], part[0]], strict=True)) for part in (a, b)]
    return any(_arcs_cross(*p, *q) for p in edges[0] for q in edges[1])


def _inside(v: Vector, part: Sequence[Vector]) -> bool:
    return all(dot(cross(a, b), v) >= -_ROUNDING for a, b in zip(part, [*part[1:], part[0]], strict=True))


def _arcs_cross(a: Vector, b: Vector, c: Vector, d: Vector) -> bool:
    n, m = cross(a, b), cross(c, d)
    line = cross(n, m)
    sides = (
        -dot(cross(a, n), line), dot(cross(b, n), line),
        -dot(cross(c, m), line), dot(cross(d, m), line),
    )  # fmt: skip
    return all(s >= 0.0 for s in sides) or all(s <= 0.0 for s in sides)
