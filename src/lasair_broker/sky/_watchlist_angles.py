"""Numbers and angles written as text, a column at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Float64 = npt.NDArray[np.float64]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SEXAGESIMAL = (
    r"^(?P<sign>[+\-−]?)\s*(?P<whole>[0-9]{1,3})\s*(?P<unit>[:hd°\s])\s*"
    r"(?P<minutes>[0-9]{1,2}(?:\.[0-9]*)?)\s*(?:[m'′:\s]\s*(?P<seconds>[0-9]{1,2}(?:\.[0-9]*)?)\s*(?:s|\"|″|'')?)?"
    r"[m'′]?$"
)


def numbers(text: pa.StringArray) -> Float64:
    """Decimal numbers, shape (n,); NaN where the text is missing or is none."""
    try:
        return np.asarray(pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowInvalid:  # some are none: find out which
        numeric = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
        return np.asarray(
            pc.cast(pc.if_else(numeric, text, None), pa.float64()).to_numpy(zero_copy_only=False), np.float64
        )


def angles(text: pa.StringArray, *, hours: bool) -> Float64:
    """Angles in degrees, shape (n,); NaN where the text is missing or is no angle.

    Decimal numbers are degrees. Of sexagesimal ones ``12h34m56.7s`` are hours, ``-01d02m03s`` and
    ``1°02'03"`` degrees, ``12:34:56.7`` and ``12 34 56.7`` hours if `hours`, else degrees. Seconds may be
    left out. Minutes and seconds must be below 60, hours below 24.
    """
    degrees = numbers(text).copy()  # without NULLs it would be Arrow's own memory, which cannot be written to
    rest = np.flatnonzero(np.isnan(degrees) & ~np.asarray(text.is_null()))
    if not len(rest):
        return degrees
    parts = pc.extract_regex(text.take(pa.array(rest)), _SEXAGESIMAL)
    found = ~np.asarray(parts.is_null())
    rest, parts = rest[found], parts.filter(pa.array(found))
    whole, minutes = numbers(parts.field("whole")), numbers(parts.field("minutes"))
    seconds = np.nan_to_num(numbers(_empty_to_null(parts.field("seconds"))))
    sign, unit = parts.field("sign"), parts.field("unit")
    negative = np.asarray(pc.is_in(sign, pa.array(["-", "−"])))
    in_hours = np.asarray(pc.equal(unit, "h"))
    if hours:
        in_hours |= np.asarray(pc.is_in(unit, pa.array([":", " ", "\t"])))
    value = (whole + minutes / 60.0 + seconds / 3600.0) * np.where(in_hours, 15.0, 1.0)
    fits = (minutes < 60.0) & (seconds < 60.0) & (~in_hours | (whole < 24.0))
    degrees[rest] = np.where(fits, np.where(negative, -value, value), np.nan)
    return degrees


def _empty_to_null(text: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.equal(text, ""), None, text)
