"""Every function and operator of the language, once, with its meaning in each engine.

A value that does not exist (the logarithm of a negative flux, a quotient by zero, an exponential beyond the
range of double precision) is NULL in every engine, where the engines alone would say NaN, infinity or an error.

In the templates ``{0}`` and ``{1}`` are the arguments, already rendered; they may stand several times.
"""

# ruff: noqa: E501 - a table with a function on each line is easier to read than one that is wrapped

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

import numpy as np
import numpy.typing as npt

from ._types import BOOLEAN, DOUBLE, Kind, Type, integer, text

__all__ = ["AGGREGATES", "FUNCTIONS", "SPECIAL", "SYNONYMS", "Function"]

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    Attributes
    ----------
    name
        As users write it, in any case; those in lower case have no name for users.
    arguments
        The kind of each argument. "real" takes any number and makes it double precision.
    type
        Of the result, from the types of the arguments.
    duckdb, postgresql
        The meaning in an engine.
    stream
        The meaning on numpy arrays of doubles, NaN for NULL; None if the stream leaves it to DuckDB.
    description
        For users.
    """

    name: str
    arguments: tuple[Kind, ...]
    type: Callable[..., Type]
    duckdb: str
    postgresql: str
    stream: Callable[..., Float64] | None
    description: str


def _real(*_: Type) -> Type:
    return DOUBLE


def _boolean(*_: Type) -> Type:
    return BOOLEAN


def _same(first: Type, *_: Type) -> Type:
    return first


def _numbers(
    name: str, sql: str, stream: Callable[..., Float64], description: str, arguments: int = 1
) -> Function:
    real: tuple[Kind, ...] = ("real",)
    return Function(name, real * arguments, _real, sql, sql, _quietly(stream), description)


def _quietly(stream: Callable[..., Float64]) -> Callable[..., Float64]:
    """Without numpy's warnings, and with infinity and NaN as NULL."""

    def finite(*arguments: Float64) -> Float64:
        with np.errstate(all="ignore"):
            result = np.asarray(stream(*arguments), np.float64)
        return np.where(np.isfinite(result), result, np.nan)

    return finite


def _if(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


def _exp(x: Float64) -> Float64:
    return np.where(x < -700.0, 0.0, np.where(x <= 700.0, np.exp(np.clip(x, -700.0, 700.0)), np.nan))


def _power(x: Float64, y: Float64) -> Float64:
    plain = np.where(np.abs(y * np.log(np.abs(x))) <= 700.0, np.power(x, y), np.nan)
    at_zero = np.where(y == 0.0, 1.0, np.where(y > 0.0, 0.0, np.nan))
    beyond = (np.abs(y) > 1e300) | np.isnan(y)
    return np.where(beyond | np.isnan(x), np.nan, np.where(x == 0.0, at_zero, plain))


_POWER = (
    "CASE WHEN abs({1}) > 1e300 THEN NULL WHEN {0} = 0 AND {1} = 0 THEN 1 WHEN {0} = 0 AND {1} > 0 THEN 0 "
    "WHEN {0} = 0 OR ({0} < 0 AND {1} <> floor({1})) THEN NULL "
    "WHEN abs({1} * ln(abs({0}))) <= 700 THEN power({0}, {1}) END"
)
_ANGLE = "abs({0}) <= 1e15"
"""Beyond this a double does not tell an angle any more, and PostgreSQL refuses infinity."""


def _angle(function: Callable[[Float64], Float64]) -> Callable[[Float64], Float64]:
    return lambda x: np.where(np.abs(x) <= 1e15, function(x), np.nan)


def _rounded(x: Float64, scale: Float64) -> Float64:
    return np.where(np.abs(x) < 1e15, np.sign(x) * np.floor(np.abs(x) * scale + 0.5) / scale, x)


def _truncated(x: Float64, scale: Float64) -> Float64:
    return np.where(np.abs(x) < 1e15, np.sign(x) * np.floor(np.abs(x) * scale) / scale, x)


def _remainder(x: Float64, y: Float64) -> Float64:
    return np.where((y != 0.0) & (np.abs(x) < 1e300), x - y * np.trunc(x / y), np.nan)


_HAVERSINE = (
    "(power(sin(radians({3} - {1}) / 2), 2) + "
    "cos(radians({1})) * cos(radians({3})) * power(sin(radians({2} - {0}) / 2), 2))"
)
# Not least(1, …), which takes a missing value for the larger one.
_SEPARATION = f"degrees(2 * asin(sqrt(CASE WHEN {_HAVERSINE} > 1 THEN 1 ELSE {_HAVERSINE} END)))"


def _separation(ra1: Float64, decl1: Float64, ra2: Float64, decl2: Float64) -> Float64:
    a1, d1, a2, d2 = (np.radians(x) for x in (ra1, decl1, ra2, decl2))
    square = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    separation: Float64 = np.degrees(2 * np.arcsin(np.minimum(1.0, np.sqrt(square))))
    return separation


_IS_NUMBER = r"{0} ~ '^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{{1,2}})?\s*$'"

# What letters beyond these become depends on engine and locale; ADQL asks for these.
_LOWER = f"translate({{0}}, '{ascii_uppercase}', '{ascii_lowercase}')"
_UPPER = f"translate({{0}}, '{ascii_lowercase}', '{ascii_uppercase}')"

_LIST = (
    # Operators. Integers are 64-bit and never overflow, as `_check` counts their bits.
    Function("add", (), _same, "({0} + {1})", "({0} + {1})", None, "sum"),
    Function("subtract", (), _same, "({0} - {1})", "({0} - {1})", None, "difference"),
    Function("multiply", (), _same, "({0} * {1})", "({0} * {1})", None, "product"),
    _numbers("divide", "({0} / nullif({1}, 0))", lambda x, y: np.where(y == 0.0, np.nan, x / y), "quotient", 2),
    Function("negate", (), _same, "(-{0})", "(-{0})", None, "negative"),
    Function("integer_mod", (), _same, _if("{1} <> 0", "{0} % {1}"), _if("{1} <> 0", "{0} % {1}"), None, "remainder"),
    _numbers("real_mod", _if("{1} <> 0 AND abs({0}) < 1e300", "{0} - {1} * trunc({0} / {1})"), _remainder, "remainder", 2),
    *(
        Function(name, (), _same, "[{0}]", "ARRAY[{0}]", None, "a row of numbers, which `_render` writes")
        for name in ("point", "circle", "polygon")
    ),
    Function("element", (), _real, "({0})[{1}]", "({0})[{1}]", None, "number of a position or region"),
    Function("concatenate", ("text", "text"), _same, "({0} || {1})", "({0} || {1})", None, "two texts as one"),
    Function("to_real", (), _real, "CAST({0} AS DOUBLE)", "CAST({0} AS double precision)", None, "as double precision"),
    Function("to_long", (), _same, "CAST({0} AS BIGINT)", "CAST({0} AS bigint)", None, "as 64-bit integer"),
    Function("boolean_to_integer", (), _same, "CAST({0} AS INTEGER)", "CAST({0} AS integer)", None, "1 or 0"),
    Function("integer_to_text", (), _same, "CAST({0} AS VARCHAR)", "CAST({0} AS text)", None, "in digits"),
    Function(
        "text_to_real", ("text",), _real,
        "CASE WHEN regexp_matches({0}, '^\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d{{1,2}})?\\s*$') "
        "THEN TRY_CAST({0} AS DOUBLE) END",
        _if(_IS_NUMBER, "CAST({0} AS double precision)"), None, "the number that a text says",
    ),
    Function("json_to_real", (), _real, "TRY_CAST({0} AS DOUBLE)", _if(_IS_NUMBER, "CAST({0} AS double precision)"), None, "number"),
    Function("and", (), _boolean, "({0} AND {1})", "({0} AND {1})", None, "both"),
    Function("or", (), _boolean, "({0} OR {1})", "({0} OR {1})", None, "either"),
    Function("not", (), _boolean, "(NOT {0})", "(NOT {0})", None, "not"),
    Function("is_null", (), _boolean, "({0} IS NULL)", "({0} IS NULL)", None, "missing"),
    Function("is_not_null", (), _boolean, "({0} IS NOT NULL)", "({0} IS NOT NULL)", None, "present"),
    *(
        Function(name, (), _boolean, f"({{0}} {sign} {{1}})", f"({{0}} {sign} {{1}})", None, sign)
        for name, sign in (("eq", "="), ("ne", "<>"), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))
    ),
    # A backslash is an escape in PostgreSQL unless told otherwise. DuckDB's own LIKE needs exponential time for
    # some patterns, and cannot be interrupted in it: `_render` gives it a regular expression, which does not.
    Function("like", ("text", "text"), _boolean, "regexp_full_match({0}, {1})", "({0} LIKE {1} ESCAPE '')", None, "pattern"),
    # ADQL's numbers
    Function("ABS", (), _same, "abs({0})", "abs({0})", np.abs, "absolute value"),
    _numbers("CEILING", "ceil({0})", np.ceil, "smallest whole number not below x"),
    _numbers("FLOOR", "floor({0})", np.floor, "largest whole number not above x"),
    _numbers("round_to", "CASE WHEN abs({0}) < 1e15 THEN sign({0}) * floor(abs({0}) * {1} + 0.5) / {1} ELSE {0} END", _rounded, "", 2),
    _numbers("truncate_to", "CASE WHEN abs({0}) < 1e15 THEN sign({0}) * floor(abs({0}) * {1}) / {1} ELSE {0} END", _truncated, "", 2),
    _numbers("EXP", "CASE WHEN {0} < -700 THEN 0 WHEN {0} <= 700 THEN exp({0}) END", _exp, "e to the power x; NULL beyond 1e304"),
    _numbers("LOG", _if("{0} > 0", "ln({0})"), lambda x: np.log(np.where(x > 0, x, np.nan)), "natural logarithm; NULL if x is not positive"),
    _numbers("LOG10", _if("{0} > 0", "ln({0}) / 2.302585092994046"), lambda x: np.log(np.where(x > 0, x, np.nan)) / 2.302585092994046, "logarithm to base 10; NULL if x is not positive"),
    _numbers("POWER", _POWER, _power, "x to the power y; NULL where there is no real value, and beyond 1e±304", 2),
    _numbers("SQRT", _if("{0} >= 0", "sqrt({0})"), np.sqrt, "square root; NULL of a negative number"),
    _numbers("PI", "pi()", lambda: np.asarray(np.pi), "3.14159…", 0),
    _numbers("DEGREES", "({0} * 57.29577951308232)", lambda x: x * 57.29577951308232, "radians in degrees"),
    _numbers("RADIANS", "({0} * 0.017453292519943295)", lambda x: x * 0.017453292519943295, "degrees in radians"),
    _numbers("SIN", _if(_ANGLE, "sin({0})"), _angle(np.sin), "sine"),
    _numbers("COS", _if(_ANGLE, "cos({0})"), _angle(np.cos), "cosine"),
    _numbers("TAN", _if(_ANGLE, "tan({0})"), _angle(np.tan), "tangent"),
    _numbers("COT", _if(_ANGLE + " AND {0} <> 0", "1 / tan({0})"), _angle(lambda x: np.where(x == 0, np.nan, 1 / np.tan(x))), "cotangent"),
    _numbers("ASIN", _if("abs({0}) <= 1", "asin({0})"), np.arcsin, "angle whose sine is x; NULL beyond ±1"),
    _numbers("ACOS", _if("abs({0}) <= 1", "acos({0})"), np.arccos, "angle whose cosine is x; NULL beyond ±1"),
    _numbers("ATAN", "atan({0})", np.arctan, "angle whose tangent is x"),
    _numbers("ATAN2", "atan2({0}, {1})", np.arctan2, "angle of the direction from (0, 0) to (x, y)", 2),
    _numbers("SIGN", "CAST(sign({0}) AS double precision)", np.sign, "-1, 0 or 1"),
    Function("RAND", (), _real, "random()", "random()", None, "random number from 0 to 1"),
    # Texts
    Function("LOWER", ("text",), _same, _LOWER, _LOWER, None, "text with the letters A to Z as small ones"),
    Function("UPPER", ("text",), _same, _UPPER, _UPPER, None, "text with the letters a to z as capitals"),
    Function("LENGTH", ("text",), lambda *_: integer(31), "length({0})", "length({0})", None, "number of characters"),
    Function("json_path", (), lambda *_: text(10_000), _if("json_valid({0})", "json_extract_string({0}, {1})"),
             "(CAST({0} AS jsonb) #>> CAST({1} AS text[]))", None, "value at a path of a JSON text"),
    # Lasair's
    _numbers("FLUX2MAG", _if("{0} > 0", "31.4 - 2.5 * (ln({0}) / 2.302585092994046)"),
             lambda x: 31.4 - 2.5 * (np.log(np.where(x > 0, x, np.nan)) / 2.302585092994046),
             "AB magnitude of a flux in nJy; NULL if it is not positive"),
    _numbers("separation", _SEPARATION, _separation, "degrees between two positions", 4),
)  # fmt: skip

FUNCTIONS = {function.name: function for function in _LIST}
"""Every function by its name."""

SPECIAL = {
    "MOD": ("MOD(x, y), x % y", "remainder of x / y with the sign of x; NULL if y is 0"),
    "ROUND": ("ROUND(x), ROUND(x, digits)", "x rounded to so many digits behind the point, halves away from 0"),
    "TRUNCATE": ("TRUNCATE(x), TRUNCATE(x, digits)", "x cut off after so many digits behind the point"),
    "COALESCE": ("COALESCE(a, b, …)", "the first that is not NULL"),
    "IFNULL": ("IFNULL(a, b)", "a, or b if that is NULL"),
    "NULLIF": ("NULLIF(a, b)", "a, but NULL if it equals b"),
    "GREATEST": ("GREATEST(a, b, …)", "the largest; NULL if one is NULL"),
    "LEAST": ("LEAST(a, b, …)", "the smallest; NULL if one is NULL"),
    "IF": ("IF(condition, a, b)", "a if the condition is true, else b"),
    "CONCAT": ("CONCAT(a, b, …), a || b", "the texts one after the other; NULL if one is NULL"),
    "JSON_EXTRACT": ("JSON_EXTRACT(text, '$.name.list[0]')", "the value at a path of a JSON text"),
    "JSON_VALUE": ("JSON_VALUE(text, '$.name')", "the same"),
    "MJDNOW": ("mjdnow()", "this moment, MJD TAI"),
    "RAND": ("RAND()", "a random number from 0 to 1"),
    "POINT": ("POINT(ra, decl)", "a position; shown as its two numbers"),
    "CIRCLE": ("CIRCLE(ra, decl, radius), CIRCLE(point, radius)", "the places at most a radius from a centre"),
    "BOX": ("BOX(ra, decl, width, height)", "the POLYGON whose corners are half a width and half a height off"),
    "POLYGON": ("POLYGON(ra1, decl1, ra2, decl2, …)", "the smaller area within arcs of great circles; it need not be convex, and must not cross itself"),
    "REGION": ("REGION('Circle ICRS 10 20 1')", "a region written in STC-S: Position, Circle, Box, Polygon, Union, Intersection, Not"),
    "CONTAINS": ("CONTAINS(inner, outer) = 1", "1 if a position or region lies in a region, its rim included; else 0"),
    "INTERSECTS": ("INTERSECTS(a, b) = 1", "1 if two regions have a point in common; else 0"),
    "DISTANCE": ("DISTANCE(point, point), DISTANCE(ra1, decl1, ra2, decl2)", "degrees between two positions"),
    "AREA": ("AREA(region)", "square degrees"),
    "CENTROID": ("CENTROID(region)", "the middle of a region, a position"),
    "COORD1": ("COORD1(point)", "right ascension of a position"),
    "COORD2": ("COORD2(point)", "declination of a position"),
    "COORDSYS": ("COORDSYS(region)", "'ICRS': a name that stands before the numbers of a shape must mean that"),
}  # fmt: skip
"""The functions whose meaning depends on their arguments, made of others when a query is checked: how they
are written, and what they are."""

SYNONYMS = {
    "LN": "LOG",
    "CEIL": "CEILING",
    "POW": "POWER",
    "CHAR_LENGTH": "LENGTH",
    "LCASE": "LOWER",
    "UCASE": "UPPER",
    "RANDOM": "RAND",
}
"""Other names of functions."""

AGGREGATES = {
    "COUNT": "rows, or values that are not NULL",
    "SUM": "sum of the values",
    "AVG": "mean of the values",
    "MIN": "smallest value",
    "MAX": "largest value",
}
"""The functions of groups, with what they are."""
