"""The light curves of a batch as the kernels want them: usable measurements, in time order and by band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.lightcurve._kernel import kernel
from lasair_broker.packets import SourceTable

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]

NUM_BANDS = 6


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one light curve table with the columns that every kernel needs, as it stands in the batch.

    Attributes
    ----------
    offsets
        ``offsets[i]:offsets[i + 1]`` are the rows of object i, in time order.
    time
        Mid-exposure, MJD TAI in days; NaN for rows that do not count: withdrawn, or without a time.
    band
        Code into `BANDS`, -1 for any other band.
    flux, error
        Difference flux and its error in nJy, NaN where missing.
    """

    offsets: Int64
    time: Float64
    band: Int8
    flux: Float32
    error: Float32

    @classmethod
    def of(cls, table: SourceTable) -> Rows:
        """The rows of diaSources, diaForcedSources or diaNondetectionLimits (which have no fluxes)."""
        time = table.numpy("midpointMjdTai")
        if "psfFlux" not in table.schema.names:
            missing = float32(np.full(len(time), np.nan))
            return cls(
                offsets=_for_kernels(table.offsets, np.int64),
                time=float64(time),
                band=_for_kernels(table.numpy("band"), np.int8),
                flux=missing,
                error=missing,
            )
        withdrawn = ~np.isnan(table.numpy("timeWithdrawnMjdTai"))
        if withdrawn.any():
            time = np.where(withdrawn, np.nan, time)
        return cls(
            offsets=_for_kernels(table.offsets, np.int64),
            time=float64(time),
            band=_for_kernels(table.numpy("band"), np.int8),
            flux=float32(table.numpy("psfFlux")),
            error=float32(table.numpy("psfFluxErr")),
        )


@dataclass(frozen=True, slots=True)
class Measurements:
    """Rows with a known band, a finite time, a finite flux and a finite positive error; all in float64.

    Attributes
    ----------
    offsets, time, flux, error, band
        In time order, ``offsets[i]:offsets[i + 1]`` for object i.
    band_offsets, band_time, band_flux, band_error
        The same measurements by band: those of object i in band b are group g = 6 i + b, at
        ``band_offsets[g]:band_offsets[g + 1]``.
    """

    offsets: Int64
    time: Float64
    flux: Float64
    error: Float64
    band: Int8
    band_offsets: Int64
    band_time: Float64
    band_flux: Float64
    band_error: Float64

    @classmethod
    def of(cls, rows: Rows) -> Measurements:
        """The measurements among `rows`."""
        num_objects = len(rows.offsets) - 1
        offsets = np.zeros(num_objects + 1, np.int64)
        band_offsets = np.zeros(NUM_BANDS * num_objects + 1, np.int64)
        time, flux, error = np.empty((3, len(rows.time)))
        band = np.empty(len(rows.time), np.int8)
        _measured(
            rows.offsets,
            rows.time,
            rows.band,
            rows.flux,
            rows.error,
            offsets,
            band_offsets,
            time,
            flux,
            error,
            band,
        )
        total = int(offsets[-1])
        time, flux, error, band = time[:total], flux[:total], error[:total], band[:total]
        band_time, band_flux, band_error = np.empty((3, total))
        _by_band(offsets, time, flux, error, band, band_offsets, band_time, band_flux, band_error)
        return cls(offsets, time, flux, error, band, band_offsets, band_time, band_flux, band_error)


@kernel
def _measured(  # type: ignore[no-untyped-def]  # see Measurements
    offsets,
    time,
    band,
    flux,
    error,
    new_offsets,
    band_offsets,
    new_time,
    new_flux,
    new_error,
    new_band,
):
    """Keep the measurements among the rows, and count them by object and band."""
    at = total = 0
    for i in range(len(offsets) - 1):
        for j in range(offsets[i], offsets[i + 1]):
            b, f, e = band[j], flux[j], error[j]
            if b >= 0 and abs(time[j]) < math.inf and abs(f) < math.inf and 0.0 < e < math.inf:
                new_time[at] = time[j]
                new_flux[at] = f
                new_error[at] = e
                new_band[at] = b
                at += 1
                band_offsets[NUM_BANDS * i + b + 1] += 1
        for group in range(NUM_BANDS * i, NUM_BANDS * (i + 1)):
            total += band_offsets[group + 1]
            band_offsets[group + 1] = total
        new_offsets[i + 1] = at


@kernel
def _by_band(offsets, time, flux, error, band, band_offsets, band_time, band_flux, band_error):  # type: ignore[no-untyped-def]  # see Measurements
    place = np.empty(NUM_BANDS, np.int64)
    for i in range(len(offsets) - 1):
        for b in range(NUM_BANDS):
            place[b] = band_offsets[NUM_BANDS * i + b]
        for j in range(offsets[i], offsets[i + 1]):
            k = place[band[j]]
            place[band[j]] += 1
            band_time[k] = time[j]
            band_flux[k] = flux[j]
            band_error[k] = error[j]


def float64(values: npt.NDArray[np.generic]) -> Float64:
    """`values` as the contiguous read-only doubles that kernels are compiled for."""
    return _for_kernels(values, np.float64)


def float32(values: npt.NDArray[np.generic]) -> Float32:
    """`values` as the contiguous read-only single-precision numbers that kernels are compiled for."""
    return _for_kernels(values, np.float32)


def _for_kernels(values: npt.NDArray[np.generic], dtype: type[np.generic]) -> npt.NDArray[Any]:
    # Numba compiles anew for each mixture of writeable and read-only arguments, seconds each time.
    column = np.ascontiguousarray(values, dtype).view()
    column.flags.writeable = False
    return column
