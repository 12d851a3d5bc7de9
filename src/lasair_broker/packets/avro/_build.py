"""Levels made from numpy arrays, to be encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._columns import Decoded, Level
from ._errors import ColumnError
from ._memory import addresses
from ._plan import VIEW

__all__ = ["Binary", "Text", "build", "build_level"]

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Text:
    """A text column: for each row a number into `words`, or -1 for null."""

    codes: npt.NDArray[Any]
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Binary:
    """A bytes column: row i is ``buffer[offsets[i] : offsets[i] + lengths[i]]``; a negative length is null.

    `buffer` is uint8 and is not copied, so rows may share what they have in common.
    """

    buffer: npt.NDArray[np.uint8]
    offsets: npt.NDArray[Any]
    lengths: npt.NDArray[Any]


class _Views:
    """Collects the buffers that the text and bytes columns of a level point into."""

    def __init__(self) -> None:
        self.buffers: list[Array] = []

    @property
    def bases(self) -> Int64:
        return addresses(self.buffers)[0]

    def add(self, buffer: Array, offset: Array, length: Array) -> Array:
        if len(offset) != len(length):
            raise ColumnError("offsets and lengths differ in number")
        there = length > 0
        if (there & ((offset < 0) | (offset + length > len(buffer)))).any():
            raise ColumnError("offsets and lengths reach beyond the buffer")
        views = np.zeros(len(offset), VIEW)
        views["offset"] = offset
        views["length"] = np.maximum(length, 0)
        views["datum"] = len(self.buffers)
        self.buffers.append(buffer)
        return views

    def words(self, words: Sequence[bytes], codes: Array) -> Array:
        ends = np.cumsum([0, *map(len, words)])
        buffer = np.frombuffer(b"".join(words) or b"\0", np.uint8)
        if len(codes) and codes.max() >= len(words):
            raise ColumnError("a text code is beyond the words")
        there = np.maximum(codes, 0)
        starts, sizes = np.append(ends[:-1], 0), np.append(np.diff(ends), 0)
        return self.add(buffer, starts[there], np.where(codes < 0, 0, sizes[there]))


def _sequence(values: Any) -> tuple[Array, list[bytes]]:
    """Codes and words of a sequence of str, bytes or None."""
    known: dict[bytes, int] = {}
    codes = np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        if value is None:
            codes[row] = -1
        else:
            word = value if isinstance(value, bytes) else str(value).encode()
            codes[row] = known.setdefault(word, len(known))
    return codes, list(known)


def build_level(
    columns: Mapping[str, Any],
    valid: Mapping[str, npt.ArrayLike] | None = None,
    offsets: npt.ArrayLike | None = None,
    *,
    num_rows: int | None = None,
    nan_is_null: bool = False,
) -> Level:
    """A level from columns by dotted path.

    Parameters
    ----------
    columns
        Numbers and booleans as numpy arrays; a masked array is null where masked. Text as `Text`, as a list
        of str or None, or as a numpy string array; bytes as `Binary` or as a list of bytes or None. The
        branch of a union as integers.
    valid
        For any path which rows are there; also for nullable records and arrays, under their own path. Without
        that, a nullable record is there in all rows if any column of it is given.
    offsets
        For any level but the root: the rows of row i of the parent are ``offsets[i]:offsets[i + 1]``.
    num_rows
        The number of rows, needed only if there are neither columns nor offsets.
    nan_is_null
        Take NaN in float columns as null.

    Raises
    ------
    ColumnError
        If columns differ in length.
    """
    views = _Views()
    values: dict[str, Array] = {}
    there: dict[str, npt.NDArray[np.bool_]] = {}
    for path, column in columns.items():
        mask: Array | None = None
        if isinstance(column, Text):
            codes = np.asarray(column.codes)
            values[path] = views.words([word.encode() for word in column.words], codes)
            mask = codes < 0
        elif isinstance(column, Binary):
            lengths = np.asarray(column.lengths)
            buffer = np.ascontiguousarray(column.buffer, np.uint8)
            values[path] = views.add(buffer, np.asarray(column.offsets), lengths)
            mask = lengths < 0
        else:
            array = column if isinstance(column, np.ndarray) else np.asarray(column)
            if array.dtype.kind in "OUS":
                codes, words = _sequence(column)
                values[path] = views.words(words, codes)
                mask = codes < 0
            else:
                values[path] = np.asarray(array)
                if isinstance(column, np.ma.MaskedArray):
                    mask = np.ma.getmaskarray(column)
                if nan_is_null and array.dtype.kind == "f":
                    mask = np.isnan(values[path]) if mask is None else mask | np.isnan(values[path])
        if mask is not None and mask.any():
            there[path] = ~mask
    for path, given in (valid or {}).items():
        array = np.asarray(given, np.bool_)
        there[path] = array & there[path] if path in there else array
    starts = None if offsets is None else np.ascontiguousarray(offsets, np.int64)
    if num_rows is None:
        sizes = [len(array) for array in (*values.values(), *there.values())]
        num_rows = sizes[0] if sizes else int(starts[-1]) if starts is not None and len(starts) else 0
    for path, array in (*values.items(), *there.items()):
        if array.shape != (num_rows,):
            raise ColumnError(f"{path} has shape {array.shape}, expected ({num_rows},)")
    return Level(num_rows, starts, values, there, {}, views.bases, views.buffers)


def build(num_rows: int, levels: Mapping[str, Level | Mapping[str, Any]]) -> Decoded:
    """Columns to be encoded: `num_rows` datums, with levels by path ("" is the root).

    A level is what `build_level` gives; of the root, a mapping of its columns will do.
    """
    made = {
        path: level if isinstance(level, Level) else build_level(level, num_rows=None if path else num_rows)
        for path, level in levels.items()
    }
    root = made.setdefault("", build_level({}, num_rows=num_rows))
    if root.num_rows != num_rows:
        raise ColumnError(f"the root has {root.num_rows} rows, not {num_rows}")
    for path, level in made.items():
        if path and level.offsets is None:
            raise ColumnError(f"level {path!r} has no offsets")
    none = np.zeros(num_rows, np.int64)
    return Decoded(num_rows, np.zeros(num_rows, np.uint8), made, none, none, none, none)
