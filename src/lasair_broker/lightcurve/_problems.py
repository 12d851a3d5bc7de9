"""Which light curves look like a transient, and their points laid out for fitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.lightcurve._curves import Float64, Int8, Int64, Measurements
from lasair_broker.lightcurve._kernel import kernel

Bool = npt.NDArray[np.bool_]

_FEWEST_DETECTIONS = 5
_BEFORE = 4  # forced measurements before the first detection that join a fit
SHORTEST = 0.02  # d from the first to the last detection
_LONGEST = 200.0  # d
_MOST_NEGATIVE = 0.2  # share of negative fluxes, beyond which it is not something new


@dataclass(frozen=True, slots=True)
class Problems:
    """Points to be fitted, ragged.

    Attributes
    ----------
    rows
        The light curve (object, or 6 x object + band) that each of p problems is about.
    offsets
        The points of problem k are ``offsets[k]:offsets[k + 1]``, in time order; none is empty.
    reference
        Time of the brightest point of each problem, MJD TAI.
    time, flux, error, band
        Of each point; time in days from the problem's reference.
    """

    rows: Int64
    offsets: Int64
    reference: Float64
    time: Float64
    flux: Float64
    error: Float64
    band: Int8

    def sums(self, values: Float64) -> Float64:
        """Sums over the points of each problem."""
        total: Float64 = np.add.reduceat(values, self.offsets[:-1]) if len(self.rows) else np.zeros(0)
        return total

    def of_points(self, values: Float64) -> Float64:
        """Values of problems, repeated for their points."""
        return np.repeat(values, np.diff(self.offsets))


def may_be_transient(curves: Measurements) -> Bool:
    """Objects with 5 or more detections over 0.02 to 200 days, at most a fifth of them negative."""
    out = np.zeros(len(curves.offsets) - 1, np.bool_)
    _may_be_transient(curves.offsets, curves.time, curves.flux, out)
    return out


@kernel
def _may_be_transient(offsets, time, flux, out):  # type: ignore[no-untyped-def]  # see may_be_transient
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        if stop - start < _FEWEST_DETECTIONS:
            continue
        length = time[stop - 1] - time[start]
        if not SHORTEST <= length <= _LONGEST:
            continue
        negative = 0
        for k in range(start, stop):
            negative += flux[k] < 0.0
        out[i] = negative <= _MOST_NEGATIVE * (stop - start)


def object_problems(curves: Measurements, forced: Measurements, wanted: Bool) -> Problems:
    """The points of whole objects, after up to 4 forced measurements before the first detection."""
    rows = np.flatnonzero(wanted)
    first = curves.time[curves.offsets[rows]]
    return _problems(
        rows,
        first,
        (curves.offsets, curves.time, curves.flux, curves.error, curves.band),
        (forced.offsets, forced.time, forced.flux, forced.error, forced.band),
    )


def band_problems(curves: Measurements, forced: Measurements, wanted: Bool, fewest: int) -> Problems:
    """The points of single bands of wanted objects, alike, where there are `fewest` or more."""
    number = np.diff(curves.band_offsets).reshape(-1, 6)
    rows = np.flatnonzero((wanted[:, None] & (number > 0)).ravel())
    first = curves.time[curves.offsets[rows // 6]]
    # Single-band fits have no use for the band.
    no_band, no_forced_band = np.zeros(len(curves.time), np.int8), np.zeros(len(forced.time), np.int8)
    mine = (curves.band_offsets, curves.band_time, curves.band_flux, curves.band_error, no_band)
    before = (forced.band_offsets, forced.band_time, forced.band_flux, forced.band_error, no_forced_band)
    found = _problems(rows, first, mine, before)
    enough = np.diff(found.offsets) >= fewest
    return found if enough.all() else _problems(rows[enough], first[enough], mine, before)


_Ragged = tuple[Int64, Float64, Float64, Float64, Int8]


def _problems(rows: Int64, first: Float64, detections: _Ragged, forced: _Ragged) -> Problems:
    forced_start, forced_stop = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    _before(rows, first, forced[0], forced[1], forced_start, forced_stop)
    sizes = detections[0][rows + 1] - detections[0][rows] + forced_stop - forced_start
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    time, flux, error = np.empty((3, int(offsets[-1])))
    band = np.empty(int(offsets[-1]), np.int8)
    reference = np.empty(len(rows))
    _lay_out(
        rows, forced_start, forced_stop, *detections, *forced[1:], offsets, reference, time, flux, error, band
    )
    return Problems(rows, offsets, reference, time, flux, error, band)


@kernel
def _before(rows, first, offsets, time, start, stop):  # type: ignore[no-untyped-def]  # see object_problems
    """The last few forced measurements before the first detection, as ranges."""
    for k in range(len(rows)):
        begin, end = offsets[rows[k]], offsets[rows[k]]
        while end < offsets[rows[k] + 1] and time[end] < first[k]:
            end += 1
        start[k], stop[k] = max(begin, end - _BEFORE), end


@kernel
def _lay_out(  # type: ignore[no-untyped-def]  # see object_problems
    rows,
    forced_start,
    forced_stop,
    offsets,
    time,
    flux,
    error,
    band,
    forced_time,
    forced_flux,
    forced_error,
    forced_band,
    new_offsets,
    reference,
    new_time,
    new_flux,
    new_error,
    new_band,
):
    at = 0
    for k in range(len(rows)):
        for j in range(forced_start[k], forced_stop[k]):
            new_time[at], new_flux[at] = forced_time[j], forced_flux[j]
            new_error[at], new_band[at] = forced_error[j], forced_band[j]
            at += 1
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            new_time[at], new_flux[at] = time[j], flux[j]
            new_error[at], new_band[at] = error[j], band[j]
            at += 1
        brightest = new_offsets[k]
        for j in range(new_offsets[k], at):
            if new_flux[j] > new_flux[brightest]:
                brightest = j
        reference[k] = new_time[brightest]
        for j in range(new_offsets[k], at):
            new_time[j] -= reference[k]
