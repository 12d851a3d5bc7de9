"""Tables of events, CSV or Parquet, by a mapping of their columns."""

from __future__ import annotations

import csv as text_csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from lasair_broker.context.events._event import containment_scale, shortened
from lasair_broker.context.events._mapping import TableMapping, shipped_mappings
from lasair_broker.context.events._times import mjd_tai
from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import mjd_utc_to_mjd_tai
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import angles

__all__ = ["RefusedRow", "read_table", "recognised"]

Float64 = npt.NDArray[np.float64]

_DEGREES = {"arcsec": 1.0 / 3600.0, "arcmin": 1.0 / 60.0, "deg": 1.0}
_JD_OF_MJD = 2_400_000.5
_FIRST_MJD, _LAST_MJD = -700_000.0, 200_000.0
"""About 60 BC, before any event that is told of, and the year 2406: other numbers are no dates."""

_FIRST_JD = 1_721_425.5
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_DECIMAL_DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(\.\d+)?")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was left out: its number (the first row of a CSV file after the header is line 2), its
    column, and why."""

    line: int
    column: str
    reason: str


def read_table(content: bytes, mapping: TableMapping) -> tuple[pa.Table, list[RefusedRow]]:
    """Rows of `external_events` from a table, and the rows that cannot be.

    Raises
    ------
    EventError
        If it is no table, or lacks a column that the mapping needs.
    """
    table = _as_text(content)
    columns = {value: _column(table, names) for value, names in mapping.columns}
    for needed in ("name", "ra", "decl"):
        if columns[needed] is None:
            sought = ", ".join(getattr(mapping.columns, needed))
            raise EventError(
                f"it has no column {sought} for {needed}; there are {', '.join(table.column_names)}"
            )
    ra = angles(_given(columns, "ra", table.num_rows), hours=mapping.hours)
    decl = angles(_given(columns, "decl", table.num_rows), hours=False)
    refused: list[RefusedRow] = []
    names = [
        shortened(text or "", "eventName") for text in _given(columns, "name", table.num_rows).to_pylist()
    ]
    good = np.array([bool(name) for name in names], np.bool_)
    _refuse(refused, ~good, mapping.columns.name, "the name is missing")
    for values, limit, column in ((ra, 360.0, mapping.columns.ra), (decl, 90.0, mapping.columns.decl)):
        bad = good & ~(np.abs(values) <= limit)
        _refuse(refused, bad, column, f"no angle of at most {limit:g} degrees")
        good &= ~bad
    times = {}
    for value in ("time", "published"):
        times[value], bad = _times(_given(columns, value, table.num_rows), mapping.scale)
        _refuse(refused, bad & good, getattr(mapping.columns, value), "no time")
    flux, error, unit = _fluxes(columns, mapping, table.num_rows)
    rows = {
        "origin": pa.repeat(mapping.origin, table.num_rows),
        "eventName": pa.array(names),
        "revision": pa.repeat(pa.scalar(0, pa.int32()), table.num_rows),
        "kind": _words(columns, "kind", mapping.kind, table.num_rows),
        "eventClass": _words(columns, "eventClass", None, table.num_rows),
        "regime": _words({}, "regime", mapping.regime, table.num_rows),
        "band": _words(columns, "band", mapping.band, table.num_rows),
        "flux": _null(flux),
        "fluxErr": _null(error),
        "fluxUnit": pa.array([unit] * table.num_rows, pa.string()),
        "role": pa.repeat("observation", table.num_rows),
        "eventMjdTai": _null(times["time"]),
        "noticeMjdTai": _null(np.where(np.isnan(times["published"]), times["time"], times["published"])),
        "ra": _null(np.where(good, ra, np.nan) % 360.0),
        "decl": _null(decl),
        "errorRadius": _null(_radius(columns, mapping, table.num_rows)).cast(pa.float32(), safe=False),
        "retracted": pa.repeat(False, table.num_rows),
        "url": _urls(columns, mapping, names),
    }
    schema = arrow_schema("external_events")
    whole = [rows[f.name] if f.name in rows else pa.nulls(table.num_rows, f.type) for f in schema]
    kept = pa.table(whole, names=schema.names).cast(schema).filter(pa.array(good))
    return kept, sorted(refused, key=lambda row: row.line)


def recognised(content: bytes) -> TableMapping | None:
    """The mapping that comes with Lasair and knows most columns of a table; None if none fits, or several."""
    table = _as_text(content)
    there = set(table.column_names)
    fits: dict[str, int] = {}
    shipped = shipped_mappings()
    for name, mapping in shipped.items():
        known = {value: bool(set(names) & there) for value, names in mapping.columns}
        if all(known[value] for value in ("name", "ra", "decl")):
            fits[name] = sum(known.values())
    best = [name for name, count in fits.items() if count == max(fits.values())]
    return shipped[best[0]] if len(best) == 1 else None


def _as_text(content: bytes) -> pa.Table:
    try:
        if content[:4] == b"PAR1":
            table = pq.read_table(io.BytesIO(content))
        else:
            head = content[:100_000].split(b"\n", 1)[0].decode("utf-8-sig", "replace")
            names = next(text_csv.reader([head.rstrip("\r")]), [])
            options = csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=["", "null"],
            )
            table = csv.read_csv(
                io.BytesIO(content), parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=options,
            )  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise EventError(f"it cannot be read as a table: {error}") from None
    simple = [i for i, field in enumerate(table.schema) if not pa.types.is_nested(field.type)]
    table = table.select(simple)
    names = [name.strip() for name in table.column_names]
    if len(set(names)) < len(names):
        raise EventError("it has two columns of one name")
    texts = [pc.utf8_trim_whitespace(column.cast(pa.string()).combine_chunks()) for column in table.columns]
    return pa.table(texts, names=names)


def _column(table: pa.Table, names: Sequence[str]) -> pa.StringArray | None:
    name = next((name for name in names if name in table.column_names), None)
    if name is None:
        return None
    text = table.column(name).combine_chunks()
    return pc.if_else(pc.equal(text, ""), None, text)


def _given(columns: dict[str, pa.StringArray | None], value: str, count: int) -> pa.StringArray:
    found = columns.get(value)
    return pa.nulls(count, pa.string()) if found is None else found


def _words(
    columns: dict[str, pa.StringArray | None], value: str, default: str | None, count: int
) -> pa.StringArray:
    words = _given(columns, value, count)
    return words if default is None else pc.fill_null(words, default)


def _numbers(columns: dict[str, pa.StringArray | None], value: str, count: int) -> Float64:
    """Numbers; NaN where there is none: a brightness that cannot be read costs no event its place."""
    text = _given(columns, value, count)
    numeric = pc.fill_null(pc.match_substring_regex(text, f"^({_NUMBER.pattern})$"), False)
    values = pc.cast(pc.if_else(numeric, text, None), pa.float64())
    return np.array(values.to_numpy(zero_copy_only=False), np.float64)  # a copy, to be written to


def _fluxes(
    columns: dict[str, pa.StringArray | None], mapping: TableMapping, count: int
) -> tuple[Float64, Float64, str | None]:
    if columns["flux"] is not None:
        return _numbers(columns, "flux", count), _numbers(columns, "fluxErr", count), mapping.flux_unit
    if columns["magnitude"] is None:
        return np.full(count, np.nan), np.full(count, np.nan), None
    flux = 10.0 ** (0.4 * (31.4 - _numbers(columns, "magnitude", count)))
    error = _numbers(columns, "magnitudeErr", count) * flux * 0.4 * math.log(10.0)
    return flux, error, "nJy"


def _radius(columns: dict[str, pa.StringArray | None], mapping: TableMapping, count: int) -> Float64:
    radius = _numbers(columns, "errorRadius", count)
    radius[~(radius > 0.0)] = np.nan if mapping.error is None else mapping.error
    return radius * _DEGREES[mapping.error_unit] * containment_scale(mapping.containment)


def _urls(
    columns: dict[str, pa.StringArray | None], mapping: TableMapping, names: Sequence[str]
) -> pa.StringArray:
    stated = _given(columns, "url", len(names))
    if mapping.url is None:
        return stated
    made = pa.array([mapping.url.replace("{name}", name) for name in names], pa.string())
    return pc.coalesce(stated, made)


def _times(text: pa.StringArray, scale: str) -> tuple[Float64, npt.NDArray[np.bool_]]:
    """MJD TAI, NaN where there is none; and which of those that are there are no times."""
    distinct = text.dictionary_encode()
    known = [_time(word, scale) for word in distinct.dictionary.to_pylist()]
    places = distinct.indices.fill_null(len(known)).to_numpy()
    times = np.array([*known, np.nan])[places]
    return times, np.isnan(times) & (places < len(known))


def _time(text: str, scale: str) -> float:
    mjd = _told_time(text, scale)
    return mjd if _FIRST_MJD <= mjd <= _LAST_MJD else math.nan


def _told_time(text: str, scale: str) -> float:
    try:
        if _NUMBER.fullmatch(text):
            value = float(text)
            mjd = value - _JD_OF_MJD if value >= _FIRST_JD else value
            # Other scales than UTC run along with TAI: the first day of MJD tells how far apart.
            return float(mjd_utc_to_mjd_tai(mjd)) if scale == "utc" else mjd + mjd_tai("1858-11-17", scale)
        found = _DECIMAL_DAY.fullmatch(text)
        if found:
            year, month, date, fraction = found.groups()
            return mjd_tai(f"{year}-{month:0>2}-{date:0>2}", scale) + float(fraction or 0.0)
        return mjd_tai(text, scale)
    except EventError:
        return math.nan


def _refuse(refused: list[RefusedRow], bad: npt.NDArray[np.bool_], names: Sequence[str], reason: str) -> None:
    refused += [RefusedRow(int(row) + 2, "/".join(names), reason) for row in np.flatnonzero(bad)]


def _null(values: Float64) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
