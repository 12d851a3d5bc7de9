"""Positions and regions of ADQL as values: double precision numbers in a row, as DALI writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ._errors import QueryError
from ._sphere import area, centroid, position, vector
from ._stcs import Shape, in_icrs, numbers, region
from ._tree import Call, Const, Expr
from ._types import DOUBLE, GEOMETRY, UNKNOWN, Type, integer, text
from ._typing import as_kind

__all__ = [
    "area_of", "cast_to_geometry", "centroid_of", "coordinate", "coordinates", "fixed", "is_geometry",
    "of_text", "shape", "system_of",
]  # fmt: skip

_FIXED_NUMBERS = {"POINT": 2, "CIRCLE": 3, "BOX": 4}
_TAKES = {
    "POINT": "right ascension and declination",
    "CIRCLE": "a centre and a radius in degrees",
    "BOX": "a centre, a width and a height in degrees",
    "POLYGON": "three or more positions",
}
_WHOLE_SKY = 4.0 * math.pi * (180.0 / math.pi) ** 2


def is_geometry(kind: Type) -> bool:
    """Whether a type is a position's or a region's."""
    return kind.kind in GEOMETRY


def shape(name: str, args: Sequence[Expr], any_system: bool, place: int | None) -> Expr:
    """POINT, CIRCLE, BOX or POLYGON; before the numbers may stand a coordinate system, which must mean ICRS
    unless `any_system`.

    Raises
    ------
    QueryError
        If the arguments are not those of the shape.
    """
    rest = list(args)
    if _begins_with_system(name, rest):
        system = rest.pop(0)
        written = system.value if isinstance(system, Const) else ""
        if not any_system and not in_icrs(str(written or "")):
            raise QueryError(f"positions are ICRS here, not {written}", place, "convert them before")
    flat: list[Expr] = []
    for argument in rest:
        flat += coordinates(argument) if argument.type.kind == "point" else (argument,)
    return _made(name, [as_kind(part, "real", place) for part in flat], place)


def _made(name: str, flat: Sequence[Expr], place: int | None) -> Expr:
    wanted = _FIXED_NUMBERS.get(name)
    wrong = len(flat) != wanted if wanted else len(flat) < 6 or len(flat) % 2
    if wrong:
        raise QueryError(f"{name} takes {_TAKES[name]}", place)
    if name == "BOX":
        return Call("polygon", tuple(_corners_of_box(*flat)), Type("polygon", length=8))
    kind = {"POINT": Type("point"), "CIRCLE": Type("circle")}.get(name, Type("polygon", length=len(flat)))
    return Call(name.lower(), tuple(flat), kind)


def _corners_of_box(ra: Expr, decl: Expr, width: Expr, height: Expr) -> list[Expr]:
    """ADQL's box is the polygon of the places half a width and half a height off the centre."""
    corners = []
    for across, up in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        corners += [_moved(ra, across, width), _moved(decl, up, height)]
    return corners


def _moved(start: Expr, share: float, length: Expr) -> Expr:
    if isinstance(start, Const) and isinstance(length, Const):
        values = (start.value, length.value)
        known = [float(v) for v in values if isinstance(v, int | float)]
        return Const(known[0] + share * known[1] if len(known) == 2 else None, DOUBLE)
    return Call("add", (start, Call("multiply", (Const(share, DOUBLE), length), DOUBLE)), DOUBLE)


def _begins_with_system(name: str, args: Sequence[Expr]) -> bool:
    """Whether a coordinate system stands before the numbers: a text, or whatever is one too many."""
    if not args:
        return False
    first = args[0]
    if isinstance(first, Const) and isinstance(first.value, str):
        return True
    if is_geometry(first.type):
        return False
    if any(argument.type.kind == "point" for argument in args):
        return name == "POLYGON" or len(args) > _FIXED_NUMBERS[name] - 1
    return len(args) == _FIXED_NUMBERS.get(name, len(args) // 2 * 2) + 1


def of_text(written: Expr, any_system: bool, place: int | None) -> Expr:
    """REGION of an STC-S text.

    Raises
    ------
    QueryError
        If it is not a literal, or describes no region.
    """
    if not isinstance(written, Const) or not isinstance(written.value, str):
        raise QueryError("REGION takes a text", place, "write REGION('Circle ICRS 10 20 1')")
    return _of_shape(region(written.value, any_system, place), place)


def _of_shape(described: Shape, place: int | None) -> Expr:
    if not described.parts:
        return _made(described.kind, [Const(number, DOUBLE) for number in described.numbers], place)
    parts = tuple(_of_shape(part, place) for part in described.parts)
    return Call(described.kind.lower(), parts, Type("region"))


def cast_to_geometry(name: str, written: Expr, place: int | None) -> Expr:
    """CAST of a text of numbers to POINT, CIRCLE or POLYGON."""
    if is_geometry(written.type) and written.type.kind == name.lower():
        return written
    if not isinstance(written, Const) or not isinstance(written.value, str):
        raise QueryError(f"CAST to {name} takes a text of numbers", place)
    return _made(name, [Const(number, DOUBLE) for number in numbers(written.value, place)], place)


def coordinates(geometry: Expr) -> tuple[Expr, ...]:
    """The numbers that a position, a circle or a polygon is made of."""
    if isinstance(geometry, Call) and geometry.function in ("point", "circle", "polygon"):
        return geometry.args
    count = {"point": 2, "circle": 3}.get(geometry.type.kind, geometry.type.length)
    return tuple(
        Call("element", (geometry, Const(number + 1, integer(31))), DOUBLE) for number in range(count)
    )


def fixed(geometry: Expr) -> list[float] | None:
    """The coordinates, if they are numbers rather than columns."""
    values = [part.value if isinstance(part, Const) else None for part in coordinates(geometry)]
    found = [float(value) for value in values if isinstance(value, int | float)]
    return found if len(found) == len(values) else None


def coordinate(geometry: Expr, number: int, place: int | None) -> Expr:
    """COORD1 or COORD2 of a position."""
    if geometry.type == UNKNOWN:
        return Const(None, DOUBLE)
    if geometry.type.kind != "point":
        raise QueryError("a POINT is expected here", place)
    return coordinates(geometry)[number]


def centroid_of(geometry: Expr, place: int | None) -> Expr:
    """The middle of a region."""
    match geometry.type.kind:
        case "unknown":
            return Const(None, Type("point"))
        case "point":
            return geometry
        case "circle":
            return Call("point", coordinates(geometry)[:2], Type("point"))
        case "polygon":
            corners = fixed(geometry)
            if corners is None:
                raise QueryError("CENTROID of a POLYGON takes one whose corners are numbers", place)
            vectors = [vector(*pair) for pair in zip(corners[::2], corners[1::2], strict=True)]
            middle = position(centroid(vectors))
            return Call("point", tuple(Const(number, DOUBLE) for number in middle), Type("point"))
    raise QueryError("CENTROID takes a CIRCLE, a POLYGON or a BOX", place)


def area_of(geometry: Expr, place: int | None) -> Expr:
    """Square degrees."""
    match geometry.type.kind:
        case "unknown":
            return Const(None, DOUBLE)
        case "point":
            return Const(0.0, DOUBLE)
        case "circle":
            half = Call("multiply", (coordinates(geometry)[2], Const(math.radians(0.5), DOUBLE)), DOUBLE)
            square = Call("POWER", (Call("SIN", (half,), DOUBLE), Const(2.0, DOUBLE)), DOUBLE)
            return Call("multiply", (Const(_WHOLE_SKY, DOUBLE), square), DOUBLE)
        case "polygon":
            corners = fixed(geometry)
            if corners is None:
                raise QueryError("AREA of a POLYGON takes one whose corners are numbers", place)
            vectors = [vector(*pair) for pair in zip(corners[::2], corners[1::2], strict=True)]
            return Const(area(vectors), DOUBLE)
    raise QueryError("AREA takes a CIRCLE, a POLYGON or a BOX", place)


def system_of(geometry: Expr, place: int | None) -> Expr:
    """COORDSYS: every position is ICRS."""
    if not is_geometry(geometry.type) and geometry.type != UNKNOWN:
        raise QueryError("COORDSYS takes a position or a region", place)
    return Const("ICRS", text(4))
