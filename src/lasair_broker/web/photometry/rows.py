"""Points as they come from users: read, checked, and brought to the archive's units and time scale."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.time import Time

from lasair_broker.packets import ztf_object_id
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid

MOST_POINTS = 10_000
"""At most so many are added at once."""

SCALES = ("tai", "utc", "tt", "tdb")

NANOJANSKY = {"nJy": 1.0, "uJy": 1e3, "mJy": 1e6, "Jy": 1e9}
MAGNITUDES = ("mag(AB)", "mag(Vega)")
UNITS = (*NANOJANSKY, *MAGNITUDES)

COLUMNS = ("diaObjectId", "mjd", "scale", "band", "value", "error", "unit", "is_limit", "instrument")

_LONGEST = {"band": 32, "instrument": 100}
_ZERO_POINT = 31.4  # of AB magnitudes of fluxes in nJy
_FIRST_MJD, _LAST_MJD = -60_000.0, 100_000.0  # years 1694 to 2132
_PROBLEMS_LISTED = 1000
_LARGEST_ID = 2**63 - 1
_TRUE, _FALSE = ("true", "1", "yes", "t"), ("false", "0", "no", "f", "")


@dataclass(frozen=True, slots=True)
class Point:
    """A point that is right: the fields of `PhotometryPoint`."""

    diaObjectId: int
    midpointMjdTai: float
    band: str
    value: float
    error: float | None
    unit: str
    is_limit: bool
    time: float
    scale: str
    psfFlux: float | None
    psfFluxErr: float | None
    instrument: str


def read_csv(data: bytes) -> list[tuple[str, dict[str, str]]]:
    """The rows of a CSV file, each with its place ("line 7") and by column.

    Raises
    ------
    Invalid
        If it is not text with a header of our columns, or a line has not as many fields as the header.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid({"file": f"is not text in UTF-8: byte {error.start}"}) from None
    if "\x00" in text:
        raise Invalid({"file": "holds a character that no text has (NUL)"})
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[str, dict[str, str]]] = []
    header: list[str] = []
    try:
        for fields in lines:
            if not any(field.strip() for field in fields) or fields[0].lstrip().startswith("#"):
                continue
            if not header:
                header = _header(fields)
                continue
            if len(fields) != len(header):
                raise Invalid(
                    {f"line {lines.line_num}": f"has {len(fields)} fields, the header {len(header)}"}
                )
            if len(rows) == MOST_POINTS:
                raise Invalid({"file": f"has more than {MOST_POINTS:,} rows; send it in parts"})
            rows.append((f"line {lines.line_num}", dict(zip(header, fields, strict=True))))
    except csv.Error as error:
        raise Invalid({f"line {lines.line_num}": f"cannot be read: {error}"}) from None
    if not rows:
        raise Invalid(
            {"file": f"has no rows; give a header with {', '.join(COLUMNS)}, and a line each point"}
        )
    return rows


def checked(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    diaObjectId: int | None = None,
    instrument: str = "",
    most: int = MOST_POINTS,
) -> list[Point]:
    """The points of rows as they came from a user.

    Parameters
    ----------
    rows
        Each with its place, for errors; see `COLUMNS`.
    diaObjectId, instrument
        Of rows that name none.
    most
        So many at once.

    Raises
    ------
    Invalid
        Naming each fault by its row and column, and what to give instead.
    """
    if not 1 <= len(rows) <= most:
        raise Invalid({"": f"give 1 to {most:,} points at once, not {len(rows):,}"})
    faults: dict[str, str] = {}
    found = [_Row(place, row, faults).point(diaObjectId, instrument) for place, row in rows]
    known = _known(one.diaObjectId for one in found if one is not None)
    for (place, _), one in zip(rows, found, strict=True):
        if one is not None and one.diaObjectId not in known:
            faults[f"{place}, diaObjectId"] = f"there is no object {one.diaObjectId} in the archive"
    if faults:
        raise Invalid(dict(list(faults.items())[:_PROBLEMS_LISTED]))
    return _in_tai([one for one in found if one is not None])


def _header(fields: Sequence[str]) -> list[str]:
    spelt = {name.lower(): name for name in (*COLUMNS, "objectId")}
    names = [spelt.get(field.strip().lower(), field.strip()) for field in fields]
    unknown = [name for name in names if name not in spelt.values()]
    if unknown:
        raise Invalid({"header": f"{unknown[0][:40]!r} is no column; choose from {', '.join(COLUMNS)}"})
    if len(set(names)) < len(names):
        raise Invalid({"header": "names a column twice"})
    return names


def _known(ids: Iterable[int]) -> set[int]:
    asked = sorted(set(ids))
    held = archive().rows_of_objects("objects", asked, ["diaObjectId"])
    return set(held.column("diaObjectId").to_pylist())


def _in_tai(points: list[Point]) -> list[Point]:
    """With the times in TAI, a scale at a time."""
    tai = np.array([point.time for point in points])
    for scale in {point.scale for point in points} - {"tai"}:
        which = np.array([point.scale == scale for point in points])
        tai[which] = Time(tai[which], format="mjd", scale=scale).tai.mjd
    return [replace(point, midpointMjdTai=float(mjd)) for point, mjd in zip(points, tai, strict=True)]


class _Row:
    """A row being checked; faults are noted where they are found."""

    def __init__(self, place: str, row: Mapping[str, Any], faults: dict[str, str]) -> None:
        self._place, self._row, self._faults = place, row, faults

    def point(self, diaObjectId: int | None, instrument: str) -> Point | None:
        before = len(self._faults)
        for name in sorted(set(self._row) - {*COLUMNS, "objectId"}):
            self._fault(name[:40], f"is no column; choose from {', '.join(COLUMNS)}")
        number = self._object(diaObjectId)
        mjd = self._number("mjd")
        if mjd is not None and not _FIRST_MJD <= mjd <= _LAST_MJD:
            self._fault("mjd", f"is {mjd:g}; give a Modified Julian Date (JD - 2400000.5)")
        scale = self._choice("scale", SCALES, "utc")
        unit = self._choice("unit", UNITS, None)
        is_limit = self._flag("is_limit")
        value, error = self._number("value"), self._number("error", needed=not is_limit)
        if error is not None and error <= 0:
            self._fault("error", "must be greater than 0: one sigma, in the unit of the value")
        if value is not None and unit in MAGNITUDES and not -30.0 <= value <= 40.0:
            self._fault("value", f"is {value:g} mag; give a magnitude from -30 to 40")
        band, made_with = self._text("band", ""), self._text("instrument", instrument)
        if len(self._faults) > before or mjd is None or value is None:
            return None
        flux, flux_error = _nanojansky(value, error, unit)
        return Point(number, mjd, band, value, error, unit, is_limit, mjd, scale, flux, flux_error, made_with)

    def _fault(self, name: str, what: str) -> None:
        self._faults.setdefault(f"{self._place}, {name}", what)

    def _given(self, name: str) -> Any:
        value = self._row.get(name)
        return value.strip() if isinstance(value, str) else value

    def _object(self, usual: int | None) -> int:
        given = self._given("diaObjectId") or self._given("objectId") or usual
        if isinstance(given, str):
            plain = given.isascii() and given.isdecimal()
            given = int(given[:20]) if plain else int(ztf_object_id([given])[0])
        if isinstance(given, int) and not isinstance(given, bool) and 0 < given <= _LARGEST_ID:
            return given
        self._fault("diaObjectId", "is missing or none; give the object's number, or its name")
        return 0

    def _number(self, name: str, *, needed: bool = True) -> float | None:
        given = self._given(name)
        if given in (None, ""):
            if needed:
                self._fault(name, "is missing; give a number")
            return None
        try:
            value = float(given) if isinstance(given, str | int | float) else math.nan
        except (ValueError, OverflowError):
            value = math.nan
        if isinstance(given, bool) or not math.isfinite(value):
            self._fault(name, f"{str(given)[:40]!r} is not a number")
            return None
        return value

    def _choice(self, name: str, choices: Sequence[str], usual: str | None) -> str:
        given = self._given(name)
        if given in (None, "") and usual is not None:
            return usual
        found = next((one for one in choices if str(given).lower() == one.lower()), None)
        if found is None:
            what = "is missing" if given in (None, "") else f"{str(given)[:40]!r} is unknown"
            self._fault(name, f"{what}; choose from {', '.join(choices)}")
        return found or ""

    def _flag(self, name: str) -> bool:
        given = self._given(name)
        text = "" if given is None else str(given).lower()
        if text not in (*_TRUE, *_FALSE):
            self._fault(name, f"{str(given)[:40]!r} is neither true nor false")
        return text in _TRUE

    def _text(self, name: str, usual: str) -> str:
        given = self._given(name) or usual
        if not isinstance(given, str) or not given:
            self._fault(name, "is missing; give a text")
            return ""
        if len(given) > _LONGEST[name] or "\x00" in given:
            self._fault(name, f"is too long or no text; give at most {_LONGEST[name]} characters")
        return given


def _nanojansky(value: float, error: float | None, unit: str) -> tuple[float | None, float | None]:
    """Flux and error in nJy; none of a Vega magnitude, whose zero point is the instrument's own.

    The error of a magnitude becomes that of the flux to first order: dF = F ln(10)/2.5 dm.
    """
    if unit in NANOJANSKY:
        scale = NANOJANSKY[unit]
        return value * scale, None if error is None else error * scale
    if unit != "mag(AB)":
        return None, None
    flux = 10.0 ** ((_ZERO_POINT - value) / 2.5)
    return flux, None if error is None else flux * math.log(10.0) / 2.5 * error


def numbered(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows that came without a file, each with its place: "row 7"."""
    return ((f"row {number}", row) for number, row in enumerate(rows, 1))
