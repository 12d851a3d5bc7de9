"""Which column of an uploaded table is which."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class UploadError(ValueError):
    """A file as a whole cannot be read as a watchlist; the message says why and what to give instead."""


@dataclass(frozen=True)
class Column:
    """A column as it came: text or numbers, NULL where missing."""

    name: str
    values: pa.Array
    unit: str = ""
    ucd: str = ""


@dataclass(frozen=True)
class RawTable:
    """A table as it came.

    Attributes
    ----------
    columns
        All of one length.
    row_numbers
        Where each row is in the file, from 1: its line if the file is text.
    places
        "line" or "row": what row_numbers count.
    broken
        Rows (indices) that do not fit the table, with what is wrong.
    """

    columns: Sequence[Column]
    row_numbers: npt.NDArray[np.int64]
    places: str = "row"
    broken: Mapping[int, str] | None = None


_NAMES: dict[str, tuple[str, ...]] = {
    "ra": (
        "ra",
        "raj2000",
        "radeg",
        "raicrs",
        "rightascension",
        "ra2000",
        "alpha",
        "alphaj2000",
        "meanra",
        "ramean",
        "sra",
        "rahms",
        "rah",
    ),
    "decl": (
        "decl",
        "dec",
        "de",
        "decj2000",
        "dej2000",
        "decdeg",
        "decldeg",
        "dedeg",
        "deicrs",
        "decicrs",
        "declination",
        "dec2000",
        "de2000",
        "delta",
        "deltaj2000",
        "meandec",
        "decmean",
        "sdec",
        "decdms",
    ),
    "name": (
        "name",
        "id",
        "objectname",
        "objname",
        "designation",
        "mainid",
        "identifier",
        "ident",
        "object",
        "objectid",
        "objid",
        "sourcename",
        "sourceid",
        "source",
        "targetname",
        "target",
        "star",
        "starname",
        "label",
        "oid",
    ),
    "radius": ("radius", "searchradius", "coneradius", "matchradius", "rad"),
    "notes": ("notes", "note", "comment", "comments", "remarks", "remark", "description"),
}
_UCDS = {"ra": "pos.eq.ra", "decl": "pos.eq.dec", "name": "meta.id"}
_UNIT_ENDINGS = ("deg", "arcsec", "arcmin", "rad", "hours")

_TO_DEGREES = {
    **dict.fromkeys(("", "deg", "degree", "degrees", "d", "°"), 1.0),
    **dict.fromkeys(("rad", "radian", "radians"), float(np.degrees(1.0))),
    **dict.fromkeys(("h", "hr", "hour", "hours", "hourangle"), 15.0),
}
_TO_ARCSEC = {
    **dict.fromkeys(("", "arcsec", "arcsecs", "arcsecond", "arcseconds", '"', "as"), 1.0),
    **dict.fromkeys(("arcmin", "arcmins", "arcminute", "arcminutes", "'"), 60.0),
    **dict.fromkeys(("deg", "degree", "degrees"), 3600.0),
}


def find_columns(columns: Sequence[Column], chosen: Mapping[str, str] | None = None) -> dict[str, Column]:
    """The columns of ra, decl and, if there are any, name, radius and notes.

    Parameters
    ----------
    columns
        All columns of the file.
    chosen
        Columns by what they are, for instance ``{"ra": "lon"}``; the others are found by name, then by UCD.

    Raises
    ------
    UploadError
        If ra or decl is not found, or a chosen column is not there.
    """
    chosen = dict(chosen or {})
    seen = ", ".join(column.name for column in columns)
    unknown = set(chosen) - set(_NAMES)
    if unknown:
        raise UploadError(
            f"cannot choose a column for {', '.join(sorted(unknown))}; choose {', '.join(_NAMES)}"
        )
    found: dict[str, Column] = {}
    for role, name in chosen.items():
        same = [column for column in columns if column.name == name]
        if not same:
            raise UploadError(f"there is no column {name}; the file has {seen}")
        found[role] = same[0]
    for role, names in _NAMES.items():
        free = [column for column in columns if column not in found.values()]
        if role not in found:
            ranked = sorted(
                (names.index(plain), i)
                for i, column in enumerate(free)
                if (plain := split_unit(column.name)[0]) in names
            )
            by_ucd = [c for c in free if role in _UCDS and c.ucd.lower().startswith(_UCDS[role])]
            main = [c for c in by_ucd if c.ucd.lower().endswith("meta.main")]
            best = [free[i] for _, i in ranked[:1]] or main or by_ucd
            if best:
                found[role] = best[0]
    missing = [role for role in ("ra", "decl") if role not in found]
    if missing:
        wanted = " and ".join(f"{role} (or {', '.join(_NAMES[role][1:5])}…)" for role in missing)
        raise UploadError(f"no column for {wanted}; the file has {seen or 'none'}. Rename one or choose it")
    return found


def split_unit(name: str) -> tuple[str, str]:
    """The plain form of a column's name (lower case, letters and digits) and the unit written in it.

    ``RA (deg)`` and ``ra_deg`` are ("ra", "deg"); ``RAdeg`` is ("radeg", "").
    """
    unit = ""
    bracketed = re.fullmatch(r"(.*?)\s*[(\[]\s*([^)\]]*?)\s*[)\]]", name.strip())
    if bracketed:
        name, unit = bracketed[1], bracketed[2].lower()
    else:
        ended = re.fullmatch(rf"(.+)[_ ]({'|'.join(_UNIT_ENDINGS)})", name.strip(), re.IGNORECASE)
        if ended:
            name, unit = ended[1], ended[2].lower()
    return re.sub(r"[^a-z0-9]", "", name.lower()), unit


def scale(role: str, column: Column) -> float:
    """The factor from the column's unit to degrees, or to arcseconds for the radius.

    Raises
    ------
    UploadError
        If the unit is unknown.
    """
    table = _TO_ARCSEC if role == "radius" else _TO_DEGREES
    unit = (column.unit or split_unit(column.name)[1]).strip().lower()
    plain = unit.strip("\"'") or unit
    if unit in table or plain in table:
        return table.get(unit, table.get(plain, 1.0))
    if re.search(r"[:hdm]", plain) and pa.types.is_string(column.values.type):  # "h:m:s" describes text
        return 1.0
    known = ", ".join(dict.fromkeys(u for u in table if len(u) > 2))
    raise UploadError(
        f"column {column.name}: the unit {column.unit or unit} is not known; use one of {known}"
    )
