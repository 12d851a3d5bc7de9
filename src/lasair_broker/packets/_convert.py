"""Conversions of single columns at the door: times, fluxes, magnitudes, missing values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from ._columns import Column
from ._times import posix_micros_to_mjd_tai

__all__ = [
    "FLUX_ZERO_POINT",
    "magnitude_to_nJy",
    "micros",
    "present",
    "renamed",
    "scaled",
    "zero_is_null",
]

FLUX_ZERO_POINT = 31.4
"""AB magnitude of 1 nJy (Oke & Gunn 1983, ApJ 266, 713: 3631 Jy is magnitude 0)."""


def present(column: Column) -> npt.NDArray[np.bool_]:
    """Which values of a column are there."""
    return np.ones(len(column.values), np.bool_) if column.valid is None else column.valid


def magnitude_to_nJy(magnitude: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Flux in nJy of AB magnitudes."""
    with np.errstate(over="ignore"):
        return np.asarray(10.0 ** (0.4 * (FLUX_ZERO_POINT - magnitude)))


def scaled(factor: float) -> Callable[[Column], Column]:
    """The column times a constant, in doubles."""

    def convert(column: Column) -> Column:
        return Column(column.values.astype(np.float64) * factor, column.valid)

    return convert


def zero_is_null(column: Column) -> Column:
    """A number that refers to another table, where 0 (or less) means that it refers to nothing."""
    with np.errstate(invalid="ignore"):
        return Column(column.values, present(column) & (column.values > 0))


def micros(column: Column) -> Column:
    """MJD TAI of microseconds since 1970 UTC."""
    return Column(posix_micros_to_mjd_tai(column.values), column.valid)


def renamed(words: Mapping[str, str]) -> Callable[[Column], Column]:
    """A text column with some of its words replaced."""

    def convert(column: Column) -> Column:
        return Column(column.values, column.valid, tuple(words.get(w, w) for w in column.words or ()))

    return convert
