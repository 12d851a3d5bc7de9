"""Joins by equality."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._errors import QueryError
from ._vectors import Integers, Texts, Vector

__all__ = ["Matcher"]

Int64 = npt.NDArray[np.int64]

MOST_PAIRS = 10_000_000
"""More rows a join of two tables of a batch must not give: they would fill the memory."""


class Matcher:
    """Finds the rows of a table by the values of one of its columns. NULL matches nothing."""

    def __init__(self, column: Vector) -> None:
        self._rows = np.flatnonzero(~column.missing())
        self._numbers: dict[str, int] = {}
        values = self._as_numbers(column, new=True)[self._rows]
        order = np.argsort(values, kind="stable")
        self._sorted, self._rows = values[order], self._rows[order]

    def match(self, keys: Vector) -> tuple[Int64, Int64]:
        """All pairs of a place in `keys` and a row of the table with that value, in the order of `keys`.

        Raises
        ------
        QueryError
            If there are too many.
        """
        present = np.flatnonzero(~keys.missing())
        values = self._as_numbers(keys, new=False)[present]
        first = np.searchsorted(self._sorted, values, "left")
        count = np.searchsorted(self._sorted, values, "right") - first
        if count.sum() > MOST_PAIRS:
            raise QueryError(
                f"a join gives more than {MOST_PAIRS:,} rows on a batch", suggestion="join by diaObjectId"
            )
        left = np.repeat(present, count)
        within = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
        return left, self._rows[np.repeat(first, count) + within]

    def _as_numbers(self, column: Vector, new: bool) -> Int64:
        """Integers as they are; words by a number each, -1 for those that the table has not."""
        if isinstance(column, Integers):
            return column.values
        if not isinstance(column, Texts):
            raise TypeError("a key is a number or a text")
        if new:
            self._numbers = {word: number for number, word in enumerate(column.words)}
        numbers = [self._numbers.get(word, -1) for word in column.words]
        return np.array([*numbers, -1], np.int64)[column.codes]
