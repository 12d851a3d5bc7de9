"""Regions written as text: the shapes of STC-S, and what CAST to a geometry takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ._errors import QueryError

__all__ = ["Shape", "in_icrs", "numbers", "region"]

_SHAPES = {"POSITION": "POINT", "CIRCLE": "CIRCLE", "POLYGON": "POLYGON", "BOX": "BOX"}
_SETS = ("UNION", "INTERSECTION", "NOT")
_ICRS = {"", "ICRS", "FK5", "J2000", "UNKNOWNFRAME"}
"""FK5 at J2000 differs from ICRS by less than 0.03″."""
_PLACES = {"BARYCENTER", "GEOCENTER", "HELIOCENTER", "LSR", "TOPOCENTER", "RELOCATABLE", "UNKNOWNREFPOS"}
_FLAVOURS = {"CARTESIAN2", "CARTESIAN3", "SPHERICAL2"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """POINT, CIRCLE, POLYGON or BOX with its numbers; or UNION, INTERSECTION or NOT of others."""

    kind: str
    numbers: tuple[float, ...] = ()
    parts: tuple[Shape, ...] = ()


def in_icrs(system: str) -> bool:
    """Whether a coordinate system's name, with the words STC-S puts behind it, means ICRS."""
    words = system.upper().split()
    return (words[0] if words else "") in _ICRS and all(w in _PLACES | _FLAVOURS for w in words[1:])


def numbers(text: str, place: int | None) -> tuple[float, ...]:
    """Numbers separated by blanks.

    Raises
    ------
    QueryError
        If there is something else among them.
    """
    found = text.split()
    for word in found:
        if not _NUMBER.fullmatch(word):
            raise QueryError(f"a number is expected, not {word}", place)
    return tuple(map(float, found))


def region(text: str, any_system: bool, place: int | None) -> Shape:
    """The region that an STC-S text describes.

    Raises
    ------
    QueryError
        If it describes none, or one in a system other than ICRS unless `any_system`.
    """
    words = re.findall(r"[()]|[^\s()]+", text)
    shape, end = _shape(words, 0, any_system, place, 0)
    if end < len(words):
        raise QueryError(f"the region ends before {words[end]}", place)
    return shape


def _shape(words: list[str], at: int, any_system: bool, place: int | None, depth: int) -> tuple[Shape, int]:
    word = words[at].upper() if at < len(words) else ""
    if depth > _DEEPEST:
        raise QueryError("the region is nested too deeply", place)
    if word not in _SHAPES and word not in _SETS:
        known = ", ".join(k.capitalize() for k in (*_SHAPES, *_SETS))
        raise QueryError(f"there is no region {word or 'without a shape'}", place, f"use {known}")
    at += 1
    system: list[str] = []
    while at < len(words) and not _NUMBER.fullmatch(words[at]) and words[at] not in "()":
        if words[at].upper() in _SHAPES:
            break
        system.append(words[at])
        at += 1
    # The reference position and the flavour may stand without a frame.
    written = " ".join(system)
    frame = "" if system and system[0].upper() in _PLACES | _FLAVOURS else written
    if not any_system and not in_icrs(frame):
        raise QueryError(f"positions are ICRS here, not {written}", place)
    if word in _SHAPES:
        start = at
        while at < len(words) and _NUMBER.fullmatch(words[at]):
            at += 1
        return Shape(_SHAPES[word], tuple(map(float, words[start:at]))), at
    if at >= len(words) or words[at] != "(":
        raise QueryError(f"{word.capitalize()} is followed by regions in parentheses", place)
    at += 1
    parts = []
    while at < len(words) and words[at] != ")":
        part, at = _shape(words, at, any_system, place, depth + 1)
        parts.append(part)
    if at >= len(words):
        raise QueryError("a parenthesis of the region is not closed", place)
    if not parts or (word == "NOT" and len(parts) != 1):
        raise QueryError(f"{word.capitalize()} takes {'one region' if word == 'NOT' else 'regions'}", place)
    return Shape(word, (), tuple(parts)), at + 1
