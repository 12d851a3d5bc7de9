"""How the values of a column are distributed, for who writes a query: of an even sample of the rows that
everybody may read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker import schema
from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import NotFound
from lasair_broker.web.kept import kept

__all__ = ["Bin", "Distribution", "distribution"]

SAMPLE = 20_000
"""About so many rows are looked at."""

_BINS = 24
_KEPT_SECONDS = 3600.0
_SECONDS = 10.0
_OUTSIDE = 0.005
"""The part at either end of numbers that is left out of the bins, so that a few do not hide the rest."""

_LOGARITHMIC = 300.0
"""Positive numbers that span more than this factor get bins that grow by a factor."""


@dataclass(frozen=True)
class Bin:
    """Values that lie together: from `low` to below `high`, or, of words, just `low`."""

    low: float | str
    high: float | None
    count: int


@dataclass(frozen=True)
class Distribution:
    """What the values of a column are like.

    Attributes
    ----------
    rows
        How many were looked at.
    missing
        How many of these have no value.
    bins
        In order; of words the most frequent first.
    outside
        Values that are in no bin.
    least, median, most
        Of numbers; None of others.
    logarithmic
        Whether bins grow by a factor.
    """

    rows: int
    missing: int
    bins: Sequence[Bin]
    outside: int = 0
    least: float | None = None
    median: float | None = None
    most: float | None = None
    logarithmic: bool = False


@kept(_KEPT_SECONDS)
def distribution(table: str, column: str) -> Distribution:
    """The distribution of a column of a table that queries may read.

    Raises
    ------
    NotFound
        If there is no such column.
    archive.QueryError
        If it takes too long.
    """
    found = schema.table(table) if table in PUBLIC.relations else None
    if found is None or column not in found.by_name:
        raise NotFound(f"there is no column {table[:40]}.{column[:60]}")
    held = archive().status().tables.get(table)
    every = max(1, -(-held.rows // SAMPLE)) if held else 1
    # By a number that says nothing of the place: the first rows of a table are of one part of the sky.
    key = next((name for name in ("diaSourceId", "diaObjectId") if name in found.by_name), None)
    where = f" WHERE MOD({key}, {every}) = 0" if every > 1 and key else ""
    query = parse(f"SELECT {column} FROM {table}{where}", catalogue_for(None))  # noqa: S608 - names of the schema
    values = archive().query(query.render, max_rows=2 * SAMPLE, timeout=_SECONDS).column(0)
    return distribution_of(values)


def distribution_of(values: pa.ChunkedArray) -> Distribution:
    """The distribution of some values."""
    known = values.drop_null()
    missing = len(values) - len(known)
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return Distribution(len(values), missing, *_words(known))
    numbers = known.cast(pa.float64(), safe=False).to_numpy()
    numbers = np.sort(numbers[np.isfinite(numbers)])
    if not len(numbers):
        return Distribution(len(values), missing, ())
    edges, logarithmic = _edges(numbers, whole=pa.types.is_integer(kind))
    counts, _ = np.histogram(numbers, edges)
    bins = [
        Bin(low, high, count)
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]
    return Distribution(
        len(values),
        missing,
        bins,
        len(numbers) - int(counts.sum()),
        float(numbers[0]),
        float(numbers[(len(numbers) - 1) // 2]),
        float(numbers[-1]),
        logarithmic,
    )


def _edges(numbers: npt.NDArray[np.float64], *, whole: bool) -> tuple[npt.NDArray[np.float64], bool]:
    """The limits of bins for sorted numbers, and whether they grow by a factor."""
    if whole and numbers[-1] - numbers[0] < _BINS:
        return np.arange(numbers[0], numbers[-1] + 2.0), False
    low, high = np.quantile(numbers, [_OUTSIDE, 1.0 - _OUTSIDE], method="inverted_cdf").tolist()
    if high <= low:
        low, high = float(numbers[0]), float(numbers[-1])
    if high <= low:  # all the same
        width = max(abs(low), 1.0) * 1e-6
        return np.array([low - width, low + width]), False
    logarithmic = low > 0.0 and high / _LOGARITHMIC > low
    if not logarithmic and not np.isfinite(high - low):
        return np.array([low, high]), False
    with np.errstate(over="ignore"):  # at the end of what can be written as a number
        edges = (np.geomspace if logarithmic else np.linspace)(low, high, _BINS + 1)
    return np.clip(edges, low, high), logarithmic


def _words(known: pa.ChunkedArray) -> tuple[list[Bin], int]:
    """The most frequent of values that are no numbers, and how many others there are."""
    counted = pc.value_counts(known.cast(pa.string()).combine_chunks()).to_pylist()
    ordered = sorted(counted, key=lambda each: (-each["counts"], each["values"]))
    bins = [Bin(each["values"], None, each["counts"]) for each in ordered[:_BINS]]
    return bins, len(known) - sum(each.count for each in bins)
