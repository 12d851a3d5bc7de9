"""What was seen before the first detection and between detections: forced photometry and upper limits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Rows
from lasair_broker.lightcurve._kernel import kernel

NONDETECTION_VALUES = ("nondetectionGap", "nondetectionDuty", *(f"{b}_preSnr" for b in "ugrizy"))

_GAP, _DUTY, _PRE_SNR = 0, 1, 2
_DETECTION_SNR = 5.0
_SAME_EXPOSURE = 1e-4  # d; forced photometry of a visit carries the time of that visit's detection


def nondetections(
    detections: Rows, forced: Rows, limits: Rows
) -> tuple[Float64, Float64, npt.NDArray[np.int32]]:
    """Non-detections around the detections of each object.

    A non-detection is a forced measurement with |f/e| < 5 at a time (to 9 s) at which the object was not
    detected, or an upper limit of the survey.

    Returns
    -------
    Array of shape (len(NONDETECTION_VALUES), objects), NaN where undefined; the time of the newest
    non-detection (MJD TAI); and the number of forced measurements. The values are

    - nondetectionGap: days from the last non-detection before the first detection to that detection.
    - nondetectionDuty: share of non-detections among the exposures from the first to the last detection.
    - {band}_preSnr: sum(f/e^2) / sqrt(sum 1/e^2) of the forced fluxes before the first detection.
    """
    num_objects = len(detections.offsets) - 1
    out = np.full((len(NONDETECTION_VALUES), num_objects), np.nan)
    newest = np.full(num_objects, np.nan)
    number = np.zeros(num_objects, np.int32)
    _nondetections(
        detections.offsets,
        detections.time,
        forced.offsets,
        forced.time,
        forced.band,
        forced.flux,
        forced.error,
        limits.offsets,
        limits.time,
        out,
        newest,
        number,
    )
    return out, newest, number


@kernel
def _nondetections(  # type: ignore[no-untyped-def]  # see nondetections
    offsets,
    time,
    forced_offsets,
    forced_time,
    forced_band,
    forced_flux,
    forced_error,
    limit_offsets,
    limit_time,
    out,
    newest,
    number,
):
    weights = np.empty(NUM_BANDS)
    sums = np.empty(NUM_BANDS)
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        first, last, detections = math.inf, -math.inf, 0
        for j in range(start, stop):
            if math.isfinite(time[j]):
                first = min(first, time[j])
                last = max(last, time[j])
                detections += 1
        for b in range(NUM_BANDS):
            weights[b] = sums[b] = 0.0
        latest = before = -math.inf
        between = 0
        at = start
        for j in range(forced_offsets[i], forced_offsets[i + 1]):
            t, f, e = forced_time[j], float(forced_flux[j]), float(forced_error[j])
            if not (math.isfinite(t) and math.isfinite(f) and 0.0 < e < math.inf):
                continue
            number[i] += 1
            b = forced_band[j]
            if t < first - _SAME_EXPOSURE and b >= 0:
                w = 1.0 / (e * e)
                weights[b] += w
                sums[b] += w * f
            if abs(f) >= _DETECTION_SNR * e:
                continue
            # Both run in time order; rows without a time are never the same exposure.
            while at < stop and not time[at] >= t - _SAME_EXPOSURE:
                at += 1
            if at < stop and time[at] <= t + _SAME_EXPOSURE:
                continue
            latest = max(latest, t)
            if t < first:
                before = max(before, t)
            if first <= t <= last:
                between += 1
        for j in range(limit_offsets[i], limit_offsets[i + 1]):
            t = limit_time[j]
            if math.isfinite(t):
                latest = max(latest, t)
                if t < first:
                    before = max(before, t)
                if first <= t <= last:
                    between += 1
        if latest > -math.inf:
            newest[i] = latest
        if before > -math.inf and first < math.inf:
            out[_GAP, i] = first - before
        if detections > 0:
            out[_DUTY, i] = between / (between + detections)
            for b in range(NUM_BANDS):
                if weights[b] > 0.0:
                    out[_PRE_SNR + b, i] = sums[b] / math.sqrt(weights[b])
