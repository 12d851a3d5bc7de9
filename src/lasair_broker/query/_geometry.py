"""Searches by place: the exact test in the query, and before it the ranges of HEALPix cells it can be true
in."""

from __future__ import annotations

from dataclasses import replace

from lasair_broker.sky import cone_ranges

from ._scope import Entry
from ._tree import Call, ColumnRef, Const, Expr, Join, Source, TableSource, conjuncts

__all__ = ["DRIFT_ARCSEC", "with_ranges"]

DRIFT_ARCSEC = 10.0
"""A row is kept under the cell where its object was first seen; its own position may have moved by so much
since: surveys associate detections within 1″ to 3″, and the mean follows them."""

_MOST_RANGES = 4


def with_ranges(source: Source, where: Expr | None, entries: list[Entry]) -> Source:
    """`source` with each table narrowed to the cells that the conditions of `where` on its place leave
    open."""
    places = {entry.alias: entry.place for entry in entries if entry.place is not None}
    ranges: dict[str, tuple[tuple[int, int], ...]] = {}
    for condition in conjuncts(where):
        cone = _cone(condition)
        if cone is None:
            continue
        alias, columns, ra, decl, radius = cone
        place = places.get(alias)
        if place is not None and place[:2] == columns and alias not in ranges:
            found = cone_ranges(
                ra % 360.0, decl, min(radius * 3600.0, 648_000.0) + DRIFT_ARCSEC, _MOST_RANGES
            )
            ranges[alias] = tuple(found)
    return _narrowed(source, ranges) if ranges else source


def _narrowed(source: Source, ranges: dict[str, tuple[tuple[int, int], ...]]) -> Source:
    if isinstance(source, TableSource):
        return replace(source, ranges=ranges.get(source.alias))
    if isinstance(source, Join):
        # A row without a partner must not lose it, or gain one, by narrowing; only what WHERE then drops
        # may go.
        left = _narrowed(source.left, ranges) if source.kind in ("INNER", "CROSS", "LEFT") else source.left
        right = (
            _narrowed(source.right, ranges) if source.kind in ("INNER", "CROSS", "RIGHT") else source.right
        )
        return replace(source, left=left, right=right)
    return source


def _cone(condition: Expr) -> tuple[str, tuple[str, str], float, float, float] | None:
    """The alias and columns of a condition "separation from a fixed place at most so much", and the place."""
    if not isinstance(condition, Call) or condition.function not in ("le", "lt", "ge", "gt"):
        return None
    smaller, larger = condition.args if condition.function in ("le", "lt") else reversed(condition.args)
    if not (isinstance(smaller, Call) and smaller.function == "separation" and isinstance(larger, Const)):
        return None
    if not isinstance(larger.value, float) or not larger.value >= 0.0:
        return None
    first, second = smaller.args[:2], smaller.args[2:]
    moving, fixed = (second, first) if isinstance(first[0], Const) else (first, second)
    ra, decl = moving
    if not (isinstance(ra, ColumnRef) and isinstance(decl, ColumnRef) and ra.source == decl.source):
        return None
    centre = [part.value for part in fixed if isinstance(part, Const) and isinstance(part.value, float)]
    if len(centre) != 2 or not abs(centre[1]) <= 90.0 or not abs(centre[0]) <= 1e6:
        return None
    return ra.source, (ra.name, decl.name), centre[0], centre[1], larger.value
