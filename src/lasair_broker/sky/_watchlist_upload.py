"""Uploaded watchlists: any usual file in, checked rows and every fault out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.sky._watchlist_angles import angles, numbers
from lasair_broker.sky._watchlist_columns import Column, RawTable, UploadError, find_columns, scale
from lasair_broker.sky._watchlist_text import read_text

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

MAX_ROWS = 1_000_000
MAX_BYTES = 512 * 1024**2
LEAST_RADIUS, LARGEST_RADIUS = 1.0, 3600.0
"""Arcseconds."""
LONGEST_NAME, LONGEST_NOTES = 256, 4096
_PROBLEMS_LISTED = 1000

UPLOAD_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("ra", pa.float64(), nullable=False),
        pa.field("decl", pa.float64(), nullable=False),
        pa.field("radius", pa.float64(), nullable=False),
        pa.field("notes", pa.string()),
    ]
)


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a row, and what to write instead.

    Attributes
    ----------
    place
        "line 7" or "row 7": where it is in the file, from 1.
    column
        The column's name in the file; empty if the row as a whole is wrong.
    value
        What stands there.
    problem, advice
        For people.
    """

    place: str
    column: str
    value: str
    problem: str
    advice: str

    def __str__(self) -> str:
        where = f"{self.place}, {self.column}" if self.column else self.place
        what = f"“{self.value}” {self.problem}" if self.value else self.problem
        return f"{where}: {what}; {self.advice}"


@dataclass(frozen=True)
class WatchlistUpload:
    """What an uploaded file holds.

    Attributes
    ----------
    rows
        The good rows, as UPLOAD_SCHEMA: degrees with 0 ≤ ra < 360, arcseconds.
    problems
        The first thousand faults, in order of the file.
    num_problems
        How many there are in all.
    columns
        The file's name of each column used.
    """

    rows: pa.Table
    problems: tuple[RowProblem, ...] = ()
    num_problems: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)


def read_watchlist(
    data: bytes,
    *,
    default_radius: float = 5.0,
    columns: Mapping[str, str] | None = None,
    max_rows: int = MAX_ROWS,
) -> WatchlistUpload:
    """Read a watchlist from CSV (or | ; tab or space between fields), VOTable, FITS or Parquet.

    The kind of file is told from its beginning, columns by their usual names, or by their places if there is
    no header: ``RA,Dec,ID[,radius in arcseconds[,notes]]``. Positions are ICRS, in degrees or sexagesimal.

    Parameters
    ----------
    data
        The file.
    default_radius
        For rows without a radius, arcseconds, 1 to 3600.
    columns
        Names of columns in the file by what they are (ra, decl, name, radius, notes), where the usual names
        do not find them.
    max_rows
        Larger files are refused.

    Raises
    ------
    UploadError
        If the file as a whole cannot be used. Faults of rows are not raised, but all collected.
    """
    if not LEAST_RADIUS <= default_radius <= LARGEST_RADIUS:
        raise UploadError(f"the radius must be 1 to 3600 arcseconds, not {default_radius:g}")
    if len(data) > MAX_BYTES:
        raise UploadError(f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are allowed")
    raw = _read(data, max_rows, columns)
    if not len(raw.row_numbers):
        raise UploadError("the file has no rows")
    if len(raw.row_numbers) > max_rows:
        raise UploadError(f"the file has {len(raw.row_numbers):,} rows; at most {max_rows:,} are allowed")
    return _check(raw, find_columns(raw.columns, columns), default_radius)


def _read(data: bytes, max_rows: int, columns: Mapping[str, str] | None) -> RawTable:
    # astropy's readers take a second to import, which only those who upload should wait for.
    from lasair_broker.sky._watchlist_files import read_fits, read_parquet, read_votable

    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"PAR1"):
        return read_parquet(data, max_rows)
    if head.startswith(b"SIMPLE  ="):
        return read_fits(data)
    if head.startswith((b"<?xml", b"<VOTABLE", b"<!--")):
        return read_votable(data)
    if head.startswith(b"\x1f\x8b"):
        raise UploadError("the file is compressed with gzip; unpack it first")
    return read_text(data, columns)


def _check(raw: RawTable, used: Mapping[str, Column], default_radius: float) -> WatchlistUpload:
    found = _Problems(raw)
    for row, problem in (raw.broken or {}).items():
        found.broken(row, problem)
    ra = _angle(used["ra"], "ra", found)
    found.add(
        used["ra"],
        ~((ra >= 0.0) & (ra <= 360.0)) & ~np.isnan(ra),
        "is not a right ascension",
        "write 0 to 360 degrees, or h:m:s",
    )
    decl = _angle(used["decl"], "decl", found)
    outside = ~(np.abs(decl) <= 90.0) & ~np.isnan(decl)
    swapped = bool(outside.any() and (np.abs(ra[~np.isnan(ra)]) <= 90.0).all())
    found.add(
        used["decl"],
        outside,
        "is not a declination",
        "RA and Dec seem to be exchanged" if swapped else "write −90 to 90 degrees, or d:m:s",
    )
    n = len(raw.row_numbers)
    radius = np.full(n, default_radius)
    if "radius" in used:
        radius = _radius(used["radius"], default_radius, found)
    stand_in = pc.binary_join_element_wise(
        pa.scalar(raw.places), pa.array(raw.row_numbers).cast(pa.string()), " "
    )
    name = stand_in
    if "name" in used:
        name = pc.coalesce(_text(used["name"]), stand_in)
        too_long = np.asarray(pc.greater(pc.utf8_length(name), LONGEST_NAME))
        found.add(used["name"], too_long, "is too long", f"use at most {LONGEST_NAME} characters")
    notes = pa.nulls(n, pa.string())
    if "notes" in used:
        notes = _text(used["notes"])
        too_long = np.asarray(pc.fill_null(pc.greater(pc.utf8_length(notes), LONGEST_NOTES), False))
        found.add(used["notes"], too_long, "is too long", f"use at most {LONGEST_NOTES} characters")
    rows = pa.table(
        [name, pa.array(np.where(ra == 360.0, 0.0, ra)), pa.array(decl), pa.array(radius), notes],
        schema=UPLOAD_SCHEMA,
    )
    bad = found.bad_rows()
    if bad.any():
        rows = rows.filter(pa.array(~bad))
    return WatchlistUpload(
        rows, found.listed(), found.count, {role: column.name for role, column in used.items()}
    )


def _text(column: Column) -> pa.StringArray:
    values = column.values
    if pa.types.is_floating(values.type):  # catalogue numbers stored as floats
        whole = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
        if np.all(np.isnan(whole) | (np.abs(whole) < 2.0**53) & (whole == np.floor(whole))):
            values = pa.array(whole, mask=np.isnan(whole)).cast(pa.int64())
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def _angle(column: Column, role: str, found: _Problems) -> Float64:
    """Degrees; NaN where there is a problem, which is noted."""
    factor = scale(role, column)
    if pa.types.is_string(column.values.type):
        value = angles(column.values, hours=role == "ra")
        if factor != 1.0:  # a unit is about plain numbers; what is sexagesimal says its own
            plain = numbers(column.values)
            value = np.where(np.isnan(plain), value, plain * factor)
    elif pa.types.is_floating(column.values.type) or pa.types.is_integer(column.values.type):
        value = np.array(column.values.cast(pa.float64()).to_numpy(zero_copy_only=False)) * factor
    else:
        raise UploadError(f"column {column.name} holds {column.values.type}, not angles")
    missing = np.asarray(column.values.is_null()) | _says_nan(column.values, value)
    example = (
        "write degrees (83.63) or h:m:s (05:34:32)"
        if role == "ra"
        else "write degrees (22.01) or d:m:s (22:00:52)"
    )
    found.add(column, missing, "is missing", example)
    found.add(column, np.isnan(value) & ~missing, "is not an angle", example)
    found.add(column, np.isinf(value), "is not an angle", example)
    return np.where(np.isfinite(value), value, np.nan)


def _says_nan(values: pa.Array, value: Float64) -> Bool:
    """Where a missing number is written as NaN."""
    if not pa.types.is_string(values.type):
        return np.isnan(value)
    said = pc.is_in(pc.utf8_lower(values), pa.array(["nan", "null", "none", "-", "--", "n/a"]))
    return np.asarray(pc.fill_null(said, False))


def _radius(column: Column, default_radius: float, found: _Problems) -> Float64:
    factor = scale("radius", column)
    values = column.values
    if pa.types.is_string(values.type):
        value = numbers(values)
    elif (
        pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_null(values.type)
    ):
        value = np.array(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    else:
        raise UploadError(f"column {column.name} holds {values.type}, not radii")
    missing = np.asarray(values.is_null()) | _says_nan(values, value)
    value = np.where(missing, default_radius, value * factor)
    found.add(column, np.isnan(value), "is not a number", "write arcseconds, 1 to 3600, or leave it empty")
    found.add(
        column,
        ~np.isnan(value) & ~((value >= LEAST_RADIUS) & (value <= LARGEST_RADIUS)),
        "is not a possible radius",
        "write arcseconds, 1 to 3600 (1 degree)",
    )
    return value


class _Problems:
    """Faults as they are found, whole columns at a time."""

    def __init__(self, raw: RawTable) -> None:
        self._raw = raw
        self._found: list[tuple[Column | None, npt.NDArray[np.int64], str, str]] = []
        self._broken = np.zeros(len(raw.row_numbers), np.bool_)

    def broken(self, row: int, problem: str) -> None:
        """Row `row` as a whole is wrong; nothing else is said of it."""
        self._broken[row] = True
        self._found.append((None, np.array([row]), problem, "or remove what is too much"))

    def add(self, column: Column, where: Bool, problem: str, advice: str) -> None:
        rows = np.flatnonzero(where & ~self._broken)
        if len(rows):
            self._found.append((column, rows, problem, advice))

    @property
    def count(self) -> int:
        return sum(len(rows) for _, rows, _, _ in self._found)

    def bad_rows(self) -> Bool:
        bad = np.zeros(len(self._broken), np.bool_)
        for _, rows, _, _ in self._found:
            bad[rows] = True
        return bad

    def listed(self) -> tuple[RowProblem, ...]:
        return tuple(problem for _, problem in sorted(self._first(), key=lambda p: p[0])[:_PROBLEMS_LISTED])

    def _first(self) -> Iterator[tuple[int, RowProblem]]:
        for column, rows, problem, advice in self._found:
            for row in rows[:_PROBLEMS_LISTED]:
                value = None if column is None else column.values[int(row)].as_py()
                shown = "" if value is None else str(value)[:60]
                place = f"{self._raw.places} {self._raw.row_numbers[row]}"
                yield int(row), RowProblem(place, column.name if column else "", shown, problem, advice)
