"""Columns of a batch as numpy arrays, with SQL's three truth values, and the operators on them.

- A real is float64 with NaN for NULL: every comparison with NaN is false, which is what a condition needs.
- An integer is int64 with a mask of the rows that have a value.
- A text is a dictionary code, -1 for NULL, so an operator looks at each distinct word once.
- A truth value is two masks: the rows where it is true, and those where it is false. In the others it is
unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["COMPARISONS", "Integers", "Reals", "Texts", "Truths", "Vector", "like", "of_arrow", "taken"]

Bools = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reals:
    values: Float64

    def take(self, rows: Int64) -> Reals:
        return Reals(self.values[rows])

    def missing(self) -> Bools:
        return np.isnan(self.values)

    def arrow(self) -> pa.Array:
        return pa.array(self.values, pa.float64(), from_pandas=True)


@dataclass(frozen=True, slots=True)
class Integers:
    values: Int64
    valid: Bools | None = None

    def take(self, rows: Int64) -> Integers:
        return Integers(self.values[rows], None if self.valid is None else self.valid[rows])

    def missing(self) -> Bools:
        return np.zeros(len(self.values), np.bool_) if self.valid is None else ~self.valid

    def reals(self) -> Reals:
        values = self.values.astype(np.float64)
        if self.valid is not None:
            values[~self.valid] = np.nan
        return Reals(values)

    def arrow(self) -> pa.Array:
        return pa.array(self.values, pa.int64(), mask=None if self.valid is None else ~self.valid)


@dataclass(frozen=True, slots=True)
class Texts:
    codes: npt.NDArray[np.int32]
    words: tuple[str, ...]

    def take(self, rows: Int64) -> Texts:
        return Texts(self.codes[rows], self.words)

    def missing(self) -> Bools:
        return self.codes < 0

    def where(self, test: Callable[[str], bool]) -> Truths:
        """Where the word passes `test`."""
        # One more at the end, for code -1.
        passing = np.array([test(word) for word in self.words] + [False], np.bool_)
        true = passing[self.codes]
        return Truths(true, (self.codes >= 0) & ~true)

    def arrow(self) -> pa.Array:
        codes = pa.array(self.codes, mask=self.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.words or ("",), pa.string())).cast(
            pa.string()
        )


@dataclass(frozen=True, slots=True)
class Truths:
    true: Bools
    false: Bools

    def take(self, rows: Int64) -> Truths:
        return Truths(self.true[rows], self.false[rows])

    def missing(self) -> Bools:
        return ~(self.true | self.false)

    def arrow(self) -> pa.Array:
        return pa.array(self.true, mask=self.missing())


Vector = Reals | Integers | Texts | Truths


def taken(vector: Vector, rows: Int64) -> Vector:
    """The values at some rows; NULL for a row of -1."""
    absent = rows < 0
    if not absent.any():
        return vector.take(rows)
    if isinstance(vector, Reals):
        values = np.append(vector.values, np.nan)
        return Reals(values[rows])
    if isinstance(vector, Integers):
        valid = ~absent if vector.valid is None else np.append(vector.valid, False)[rows]
        return Integers(np.append(vector.values, 0)[rows], valid)
    if isinstance(vector, Texts):
        return Texts(np.append(vector.codes, np.int32(-1))[rows], vector.words)
    return Truths(np.append(vector.true, False)[rows], np.append(vector.false, False)[rows])


COMPARISONS: dict[str, Callable[..., Bools]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
"""The comparisons on numbers."""


def of_arrow(column: pa.Array) -> Vector | None:
    """A column of a batch; None if its type has no vector."""
    kind = column.type
    if pa.types.is_floating(kind):
        values = column.to_numpy(zero_copy_only=False)
        return Reals(np.ascontiguousarray(values, np.float64))
    if pa.types.is_integer(kind):
        valid = None if not column.null_count else column.is_valid().to_numpy(zero_copy_only=False)
        filled = column if valid is None else pc.fill_null(column, 0)
        return Integers(np.ascontiguousarray(filled.to_numpy(zero_copy_only=False), np.int64), valid)
    if pa.types.is_boolean(kind):
        true = pc.fill_null(column, False).to_numpy(zero_copy_only=False)
        false = pc.fill_null(pc.invert(column), False).to_numpy(zero_copy_only=False)
        return Truths(np.asarray(true, np.bool_), np.asarray(false, np.bool_))
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        coded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
        codes = pc.fill_null(coded.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
        return Texts(np.asarray(codes, np.int32), tuple(coded.dictionary.to_pylist()))
    return None


def like(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches a LIKE pattern, in time that does not grow exponentially with the pattern."""
    pieces = pattern.split("%")
    first, *middle, last = (_piece(piece) for piece in pieces) if len(pieces) > 1 else (_piece(pattern),) * 2
    begin, end = len(pieces[0]), len(pieces[-1])

    def matches(word: str) -> bool:
        if len(pieces) == 1:
            return first.fullmatch(word) is not None
        stop = len(word) - end
        if begin > stop or first.match(word) is None or last.match(word, stop) is None:
            return False
        at = begin
        for piece in middle:
            # The leftmost place leaves most for what follows.
            found = piece.search(word, at, stop)
            if found is None:
                return False
            at = found.end()
        return True

    return matches


def _piece(piece: str) -> re.Pattern[str]:
    """What stands between two ``%``: it has a fixed length."""
    return re.compile("".join("." if letter == "_" else re.escape(letter) for letter in piece), re.DOTALL)
