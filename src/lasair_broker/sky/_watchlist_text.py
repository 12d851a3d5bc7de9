"""Watchlists as text: CSV and its relatives, with or without a header, comments, rows of uneven length."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.sky._watchlist_angles import angles
from lasair_broker.sky._watchlist_columns import Column, RawTable, UploadError, find_columns

Int64 = npt.NDArray[np.int64]

_WITHOUT_HEADER = ("ra", "decl", "name", "radius", "notes")
"""What columns are by their place: Lasair's ``RA,Dec,ID[,radius]``, and notes."""

_DELIMITERS = ("|", "\t", ";", ",")
_LOOKED_AT = 50


def read_text(data: bytes, chosen: Mapping[str, str] | None = None) -> RawTable:
    """The rows of a text file as columns of trimmed text, NULL where a field is empty or not there.

    Parameters
    ----------
    chosen
        Names of columns by what they are, where the user has said so.

    Raises
    ------
    UploadError
        If there are no rows, or the header has no columns for a position.
    """
    lines = _lines(data)
    plain = pc.utf8_trim_whitespace(lines)
    comment = np.asarray(pc.starts_with(plain, "#"))
    rows = np.flatnonzero(~comment & np.asarray(pc.not_equal(plain, "")))
    if not len(rows):
        raise UploadError("the file has no rows; give lines such as 123.45,-6.78,my star")
    text = plain.take(pa.array(rows))
    delimiter = _delimiter(text)
    if delimiter == "|" and pc.all(pc.starts_with(text, "|")).as_py():
        text = pc.utf8_slice_codeunits(pc.utf8_rtrim(text, "|"), 1)
    numbers = rows.astype(np.int64) + 1
    fields, numbers = _split(text, numbers, delimiter)
    first = [_clean(field) for field in fields[0].as_py()]
    names = _commented_header(plain, comment, int(numbers[0]) - 1, delimiter, len(first), chosen)
    if names is None and _is_header(first, chosen):
        names = first
        fields, numbers = fields.slice(1), numbers[1:]
        _find(names, chosen)  # says so if none fits
        if not len(fields):
            raise UploadError("the file has a header but no rows")
    lengths = np.diff(fields.offsets.to_numpy())
    if names is None:
        names = list(_WITHOUT_HEADER[: max(2, min(int(lengths.max()), len(_WITHOUT_HEADER)))])
    names = [name or f"column {k + 1}" for k, name in enumerate(names)]
    broken = {
        int(
            i
        ): f"has {lengths[i]} fields where {len(names)} are expected; quote fields that hold {delimiter!r}"
        for i in np.flatnonzero(lengths > len(names))
    }
    columns = [Column(name, _field(fields, lengths, k)) for k, name in enumerate(names)]
    return RawTable(columns, numbers, "line", broken)


def _lines(data: bytes) -> pa.StringArray:
    """The lines of a file, each with its line end, as views into one buffer."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode()
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:  # an old catalogue: each byte is a character
        data = data.decode("latin-1").encode()
    if b"\x00" in data:
        raise UploadError("neither text nor VOTable, FITS or Parquet; give one of these")
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(data))


def _delimiter(text: pa.StringArray) -> str:
    """The delimiter that most of the first lines have; a space if none."""
    sample = text.slice(0, _LOOKED_AT).to_pylist()
    counts = {d: sum(d in line for line in sample) for d in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: counts[d])
    return best if 2 * counts[best] >= len(sample) else " "


def _split(text: pa.StringArray, numbers: Int64, delimiter: str) -> tuple[pa.ListArray, Int64]:
    """The fields of each line, and the number of the line at which each row begins."""
    quoted = pc.any(pc.match_substring(text, '"')).as_py()
    # In a table without quotes round whole fields, " means arcseconds.
    if quoted and delimiter != " " and pc.any(pc.match_substring_regex(text, _opening(delimiter))).as_py():
        lines = text.to_pylist()
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        rows, starts, start = [], [], 0
        try:
            for row in reader:
                rows.append(row)
                starts.append(start)
                start = reader.line_num
        except csv.Error as error:
            raise UploadError(f"line {numbers[min(start, len(numbers) - 1)]}: {error}") from None
        return pa.array(rows, pa.list_(pa.string())), numbers[np.array(starts, np.int64)]
    if delimiter == " ":
        return pc.utf8_split_whitespace(text), numbers
    return pc.split_pattern(text, delimiter), numbers


def _opening(delimiter: str) -> str:
    return rf'(^|{re.escape(delimiter)})\s*"'


def _field(fields: pa.ListArray, lengths: Int64, k: int) -> pa.StringArray:
    """Field `k` of each row, trimmed; NULL if empty or not there."""
    place = fields.offsets.to_numpy()[:-1].astype(np.int64) + k
    values = pc.utf8_trim_whitespace(
        fields.values.take(pa.array(np.where(lengths > k, place, 0), mask=lengths <= k))
    )
    return pc.if_else(pc.equal(values, ""), None, values)


def _find(names: Sequence[str], chosen: Mapping[str, str] | None) -> None:
    """Raise an UploadError if these columns have no position."""
    find_columns([Column(name, pa.array([], pa.string())) for name in names], chosen)


def _is_header(first: list[str], chosen: Mapping[str, str] | None) -> bool:
    """Whether the first row holds names: neither of its first two fields is an angle."""
    if len(first) < 2 or not any(first):
        return False
    try:
        _find(first, chosen)
    except UploadError:
        return bool(np.isnan(angles(pa.array(first[:2], pa.string()), hours=True)).all()) and all(
            re.match(r"[^\W\d]", name) for name in first[:2]
        )
    return True


def _commented_header(
    plain: pa.StringArray,
    comment: npt.NDArray[np.bool_],
    first_row: int,
    delimiter: str,
    width: int,
    chosen: Mapping[str, str] | None,
) -> list[str] | None:
    """Names from a comment line right above the rows, if it names the columns of a position."""
    if first_row == 0 or not comment[first_row - 1]:
        return None
    line = plain[first_row - 1].as_py().lstrip("#").strip()
    names = [_clean(n) for n in (line.split() if delimiter == " " else line.split(delimiter))]
    if len(names) < width:
        return None
    try:
        _find(names, chosen)
    except UploadError:
        return None
    return names


def _clean(name: str) -> str:
    return name.strip().strip('"').strip()
