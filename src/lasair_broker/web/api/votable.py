"""Tables as VOTable (IVOA, version 1.4) in BINARY2, written a column at a time."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["MEDIA_TYPE", "votable"]

MEDIA_TYPE = "application/x-votable+xml"

_ROWS_AT_ONCE = 20_000
_LINE_BYTES = 57 * 1024
"""A multiple of 3, so that lines of base64 follow each other without padding."""

_NUMBERS: dict[pa.DataType, tuple[str, str]] = {
    pa.int8(): ("short", ">i2"),
    pa.uint8(): ("short", ">i2"),
    pa.int16(): ("short", ">i2"),
    pa.uint16(): ("int", ">i4"),
    pa.int32(): ("int", ">i4"),
    pa.uint32(): ("long", ">i8"),
    pa.int64(): ("long", ">i8"),
    pa.float32(): ("float", ">f4"),
    pa.float64(): ("double", ">f8"),
}
"""VOTable's data type and its bytes, for each of Arrow's; a text stands for all else."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a column: their bytes one after the other, where each begins (n + 1 places), and the
    bytes of a character."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    size: int


def votable(table: pa.Table, *, name: str = "result", more: bool = False) -> Iterator[bytes]:
    """A table as a VOTable document, part by part.

    Units, UCDs and descriptions are those in the metadata of the table's fields ("unit", "ucd",
    "description"). Binary columns are left out. Texts outside ASCII make their column one of unicodeChar.

    Parameters
    ----------
    name
        Of the table.
    more
        Whether there are more rows than these; the document says so, as DALI has it.
    """
    fields = [f for f in table.schema if not (pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type))]
    table = table.select([f.name for f in fields])
    wide = [_is_wide(table.column(n)) for n in range(len(fields))]
    head = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
        '<RESOURCE type="results">\n<INFO name="QUERY_STATUS" value="OK"/>\n'
        f'<TABLE name={quoteattr(name)} nrows="{table.num_rows}">\n'
    ]
    head += [_field(number, *each) for number, each in enumerate(zip(fields, wide, strict=True))]
    yield ("".join(head) + '<DATA>\n<BINARY2>\n<STREAM encoding="base64">\n').encode()
    kept = b""
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        kept += _rows(table.slice(start, _ROWS_AT_ONCE), wide)
        whole = len(kept) - len(kept) % _LINE_BYTES
        yield b"".join(
            base64.b64encode(kept[n : n + _LINE_BYTES]) + b"\n" for n in range(0, whole, _LINE_BYTES)
        )
        kept = kept[whole:]
    yield base64.b64encode(kept) + b"\n</STREAM>\n</BINARY2>\n</DATA>\n</TABLE>\n"
    if more:
        yield b'<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'
    yield b"</RESOURCE>\n</VOTABLE>\n"


def _field(number: int, field: pa.Field, wide: bool) -> str:
    about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    kind = {"name": field.name, "ID": f"col{number}"}
    if pa.types.is_boolean(field.type):
        kind["datatype"] = "boolean"
    elif field.type in _NUMBERS:
        kind["datatype"] = _NUMBERS[field.type][0]
    else:
        kind |= {"datatype": "unicodeChar" if wide else "char", "arraysize": "*"}
        if pa.types.is_timestamp(field.type):
            kind["xtype"] = "timestamp"
    kind |= {name: about[name] for name in ("unit", "ucd") if about.get(name)}
    attributes = " ".join(f"{name}={quoteattr(_printable(value))}" for name, value in kind.items())
    description = about.get("description", "")
    inner = f"<DESCRIPTION>{escape(_printable(description))}</DESCRIPTION>" if description else ""
    return f"<FIELD {attributes}>{inner}</FIELD>\n"


def _printable(text: str) -> str:
    """Without the characters that XML cannot have."""
    return "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")


def _rows(table: pa.Table, wide: list[bool]) -> bytes:
    """Rows as BINARY2: the bits of what is missing, then each value, a text with its length before it."""
    count = table.num_rows
    flags = np.zeros((count, (table.num_columns + 7) // 8), np.uint8)
    parts: list[npt.NDArray[np.uint8] | _Texts] = [flags]
    for place, column in enumerate(table.columns):
        missing = column.is_null().to_numpy()
        part, missing_too = _values(column, missing, wide[place])
        flags[missing_too, place // 8] |= 128 >> place % 8
        parts.append(part)
    return _woven(parts, count).tobytes()


def _values(
    column: pa.ChunkedArray, missing: npt.NDArray[np.bool_], wide: bool
) -> tuple[npt.NDArray[np.uint8] | _Texts, npt.NDArray[np.bool_]]:
    """The bytes of a column: (n, width), or texts; and which values are missing."""
    if pa.types.is_boolean(column.type):
        true = column.fill_null(False).to_numpy()
        letters = np.where(missing, ord("?"), np.where(true, ord("T"), ord("F"))).astype(np.uint8)
        return letters[:, None], missing
    if column.type in _NUMBERS:
        numbers = column.fill_null(0).to_numpy().astype(_NUMBERS[column.type][1])
        return numbers.view(np.uint8).reshape(len(numbers), -1), missing
    return _encoded(_texts(column), wide), missing


def _texts(column: pa.ChunkedArray) -> pa.Array:
    """A column as texts: times as ISO 8601 in UTC, lists and structures as JSON."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = pc.strftime(column.cast(pa.timestamp("us", kind.tz)), format="%Y-%m-%dT%H:%M:%S")
    elif pa.types.is_nested(kind):
        written = [None if value is None else orjson.dumps(value).decode() for value in column.to_pylist()]
        column = pa.chunked_array([pa.array(written, pa.string())])
    texts = column.cast(pa.large_string()).fill_null("")
    combined = texts.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _is_wide(column: pa.ChunkedArray) -> bool:
    """Whether a column has texts outside ASCII."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return bool(pa.types.is_nested(column.type))
    # Of nulls alone there is no telling, and nothing to write.
    return any(pc.all(pc.string_is_ascii(chunk)).as_py() is False for chunk in column.chunks)


def _encoded(texts: pa.Array, wide: bool) -> _Texts:
    if wide:
        encoded = [text.encode("utf-16-be", "replace") for text in texts.to_pylist()]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return _Texts(
            np.frombuffer(b"".join(encoded), np.uint8), np.concatenate([[0], np.cumsum(lengths)]), 2
        )
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, 8 * texts.offset)
    data = texts.buffers()[2]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return _Texts(letters[offsets[0] : offsets[-1]], offsets - offsets[0], 1)


def _woven(parts: list[npt.NDArray[np.uint8] | _Texts], count: int) -> npt.NDArray[np.uint8]:
    """The rows: of each part its bytes, one part after the other."""
    if not any(isinstance(part, _Texts) for part in parts):
        return np.hstack([part for part in parts if not isinstance(part, _Texts)])
    widths: list[Any] = [
        4 + np.diff(part.offsets) if isinstance(part, _Texts) else np.full(count, part.shape[1])
        for part in parts
    ]
    ends = np.cumsum(sum(widths))
    out = np.empty(int(ends[-1]) if count else 0, np.uint8)
    place = np.concatenate([[0], ends[:-1]]) if count else np.empty(0, np.int64)
    for part, width in zip(parts, widths, strict=True):
        if isinstance(part, _Texts):
            lengths = np.diff(part.offsets)
            characters = (lengths // part.size).astype(">u4")
            out[place[:, None] + np.arange(4)] = characters.view(np.uint8).reshape(-1, 4)
            out[np.repeat(place + 4 - part.offsets[:-1], lengths) + np.arange(part.offsets[-1])] = part.data
        else:
            out[place[:, None] + np.arange(part.shape[1])] = part
        place = place + width
    return out
