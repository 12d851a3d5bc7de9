"""Decoded datums: levels of columns, and the memory they are in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import ERRORS, ColumnError
from ._plan import VIEW, Column, LevelPlan, Plan
from ._text import distinct

__all__ = ["Decoded", "Level", "Store"]

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
CACHE_LINE = 64


class Store:
    """The memory of one level: all of its columns side by side in one buffer, for a number of rows.

    A slot is the memory of one column's values, of its validity bytes, or of a child level's offsets. It
    starts at a cache line of its own, and an odd number of lines after the one before: rows are written
    across all columns at once, and at distances of a power of two they would all compete for the same few
    places of the cache.
    """

    def __init__(self, level: LevelPlan, children: Sequence[int], rows: int) -> None:
        self.level = level
        self.values = {
            c.index: place for place, c in enumerate(c for c in level.columns if c.dtype is not None)
        }
        optional = [c.index for c in level.columns if c.optional]
        self.valids = {index: place for place, index in enumerate(optional, len(self.values))}
        first_child = len(self.values) + len(self.valids)
        self.offsets = {child: place for place, child in enumerate(children, first_child)}
        widths = [c.dtype.itemsize for c in level.columns if c.dtype is not None]
        self.widths = np.array(widths + [1] * len(optional) + [8] * len(children), np.int64)
        self._allocate(rows)

    def _allocate(self, rows: int) -> None:
        self.rows = rows
        lines = (self.widths * (rows + 1) + CACHE_LINE - 1) // CACHE_LINE | 1
        ends = np.cumsum(lines) * CACHE_LINE
        self.starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        # np.zeros takes untouched memory from the system: room that is not used costs nothing.
        self.buffer = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)

    @property
    def address(self) -> Int64:
        """Where each slot begins."""
        base: int = self.buffer.__array_interface__["data"][0]
        return self.starts + base

    def grow(self, rows: int, used: int) -> None:
        """Make room for `rows` rows, keeping the first `used`."""
        old, starts = self.buffer, self.starts
        self._allocate(rows)
        for slot, width in enumerate(self.widths):
            size = int(width) * (used + 1 if slot >= len(self.values) + len(self.valids) else used)
            begin, end = int(starts[slot]), int(self.starts[slot])
            self.buffer[end : end + size] = old[begin : begin + size]

    def array(self, slot: int, dtype: np.dtype[Any], rows: int) -> Array:
        """The first rows of a slot."""
        start = int(self.starts[slot])
        return self.buffer[start : start + rows * dtype.itemsize].view(dtype)


class _Lazy(Mapping[str, Array]):
    """Arrays by path, each made when first asked for: packets have hundreds, a stage reads a few."""

    def __init__(self, makers: Mapping[str, Callable[[], Array]]) -> None:
        self._makers = makers
        self._made: dict[str, Array] = {}

    def __getitem__(self, path: str) -> Array:
        made = self._made.get(path)
        if made is None:
            made = self._made[path] = self._makers[path]()
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, path: object) -> bool:
        return path in self._makers


@dataclass(frozen=True)
class Level:
    """A table of rows: the datums (root), or the items of one array or map of all datums.

    Attributes
    ----------
    num_rows
        The number of rows.
    offsets
        ``offsets[i]:offsets[i + 1]`` are the rows of row i of the parent level; None for the root.
    values
        For each path the values, shape (num_rows,). Text, bytes and fixed are views (`VIEW`: offset, length,
        datum); an enum and the branch of a union are int32. A value that is not valid is zero.
    valid
        For each path that can be missing whether it is there, shape (num_rows,). A path without an entry is
        always there. A field inside a nullable record is missing with the record. The record itself, and a
        nullable array or map, have an entry under their own path and no values.
    columns
        The columns by path: the types and logical types of the schema. Empty for a level that was built.
    """

    num_rows: int
    offsets: Int64 | None
    values: Mapping[str, Array]
    valid: Mapping[str, npt.NDArray[np.bool_]]
    columns: Mapping[str, Column] = field(default_factory=dict)
    bases: Int64 = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    owner: Any = field(default=None, repr=False)

    @staticmethod
    def build(
        columns: Mapping[str, Any],
        valid: Mapping[str, npt.ArrayLike] | None = None,
        offsets: npt.ArrayLike | None = None,
        *,
        num_rows: int | None = None,
        nan_is_null: bool = False,
    ) -> Level:
        """A level from columns, to be encoded: see `build_level` for the parameters."""
        from ._build import build_level

        return build_level(columns, valid, offsets, num_rows=num_rows, nan_is_null=nan_is_null)

    def pointers(self, path: str) -> tuple[Int64, Int64]:
        """The address and length of each value of a text, bytes or fixed field (0, 0 where missing)."""
        views = self.values[path]
        if views.dtype != VIEW:
            raise ColumnError(f"{path} is neither text nor bytes")
        length = views["length"].astype(np.int64)
        if not len(self.bases):
            return np.zeros_like(length), length
        address = self.bases[views["datum"]] + views["offset"]
        valid = self.valid.get(path)
        if valid is not None:
            address[~valid] = 0
            length[~valid] = 0
        return address, length

    def text(self, path: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Each value of a text or enum field as a number into the list of distinct words; -1 where missing.

        The words are in order of first appearance; those of an enum are the symbols of the schema.
        """
        valid = self.valid.get(path)
        if self.values[path].dtype != VIEW:
            codes = self.values[path].astype(np.int32)
            if valid is not None:
                codes[~valid] = -1
            return codes, list(self.columns[path].node.symbols)
        address, length = self.pointers(path)
        if valid is None or valid.all():
            codes, words = distinct(address, length)
        else:
            codes = np.full(self.num_rows, -1, np.int32)
            codes[valid], words = distinct(address[valid], length[valid])
        return codes, [word.decode() for word in words]

    def bytes(self, path: str, row: int) -> bytes | None:
        """A copy of one value of a text, bytes or fixed field; None where missing."""
        import ctypes

        valid = self.valid.get(path)
        if valid is not None and not valid[row]:
            return None
        view = self.values[path][row]
        return ctypes.string_at(int(self.bases[view["datum"]] + view["offset"]), int(view["length"]))


@dataclass(frozen=True)
class Decoded:
    """Datums as columns.

    The columns are in memory of their own and stay valid as long as they are referred to. Text and bytes are
    views into the messages: whoever decoded addresses must keep what is there, or pass it as `owner`.

    Attributes
    ----------
    num_rows
        The number of datums, good or bad.
    error
        For each datum 0, or why it is bad: an index into `ERRORS`. A bad datum is invalid in every column of
        the root and has no rows in the other levels.
    error_at
        For a bad datum the byte at which that was noticed.
    levels
        The tables by path: "" is the root, "prvDiaSources" the items of that array, "a.b" a nested one.
    address, length
        Where each datum is (of a bad one: what there was to read).
    owner
        What keeps the messages in memory.

    See `Decoded.build` for making one from numpy arrays.
    """

    num_rows: int
    error: npt.NDArray[np.uint8]
    levels: Mapping[str, Level]
    address: Int64
    length: Int64
    error_at: Int64
    error_column: Int64 = field(repr=False)
    plan: Plan | None = field(default=None, repr=False)
    owner: Any = field(default=None, repr=False)

    @staticmethod
    def build(num_rows: int, levels: Mapping[str, Level | Mapping[str, Any]]) -> Decoded:
        """Columns to be encoded: `num_rows` datums, with levels by path ("" is the root).

        A level is what `Level.build` gives; of the root, a mapping of its columns will do. Raises ColumnError
        if the numbers of rows do not fit together.
        """
        from ._build import build

        return build(num_rows, levels)

    def record(self, row: int) -> Any:
        """Datum `row` as a plain Python value, logical types left raw. Slow. Raises AvroError if bad."""
        from ._record import record

        return record(self, row)

    def records(self) -> Iterator[Any]:
        """All datums as plain Python values, None for a bad one. Slow, but less so than `record` for each."""
        from ._record import records

        return records(self)

    def reason(self, row: int) -> str:
        """Why datum `row` is bad, and where; empty if it is good."""
        if not self.error[row]:
            return ""
        text = f"{ERRORS[self.error[row]]}, at byte {self.error_at[row]}"
        where = int(self.error_column[row])
        if self.plan is None:
            return text
        if where < 0:
            path = self.plan.levels[-1 - where].path
        else:
            column = self.plan.columns[where]
            path = f"{self.plan.levels[column.level].path}.{column.path}".strip(".")
        return f"{text}, {path}" if path else text


def gather(
    plan: Plan, stores: Sequence[Store], rows: Int64, error: npt.NDArray[np.uint8], bases: Int64, owner: Any
) -> dict[str, Level]:
    """The levels of stores that the decoder has filled with `rows` rows each."""
    good = error == 0 if error.any() else None
    levels = {}
    for number, (level, store) in enumerate(zip(plan.levels, stores, strict=True)):
        count = int(rows[number])
        values: dict[str, Callable[[], Array]] = {}
        valid: dict[str, Callable[[], Array]] = {}
        for column in level.columns:
            if column.dtype is not None:
                values[column.path] = _maker(store, store.values[column.index], column.dtype, count)
            if column.valid_from >= 0:
                slot = store.valids[column.valid_from]
                valid[column.path] = _maker(store, slot, np.dtype(np.bool_), count)
            elif number == 0 and good is not None:
                valid[column.path] = lambda: good
        offsets = None
        if level.parent >= 0:
            parent = stores[level.parent]
            offsets = parent.array(parent.offsets[number], np.dtype(np.int64), int(rows[level.parent]) + 1)
            np.cumsum(offsets, out=offsets)
        columns = {column.path: column for column in level.columns}
        levels[level.path] = Level(count, offsets, _Lazy(values), _Lazy(valid), columns, bases, owner)
    return levels


def _maker(store: Store, slot: int, dtype: np.dtype[Any], rows: int) -> Callable[[], Array]:
    return lambda: store.array(slot, dtype, rows)
