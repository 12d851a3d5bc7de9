"""How the kernels of this package are compiled, and the kernel that describes a light curve as a whole."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

__all__ = ["BAND_VALUES", "CURVE_VALUES", "describe"]

NUM_BANDS = 6
BAND_VALUES = (
    "number",
    "snrMax",
    "brightness",  # relative to the brightest band
    "chi2",
    "scatter",
    "skew",
    "significant",
    "negative",
    "latest",
    "riseTime",
    "fadeTime",
    "vonNeumann",
    "before",
    "slopeEarly",
    "slopeLate",
)
COLOURS = ("ug", "gr", "ri", "iz", "zy", "gi")
_PAIRS = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [1, 3]])
EPOCHS = ("First", "Peak", "Latest")
CURVE_VALUES = (
    "age",
    "timeToPeak",
    "timeSincePeak",
    "sinceDetection",
    "detections",
    "nights",
    "peakMag",
    "peakSnr",
    "firstMag",
    "latestMag",
    "widthAboveHalf",
    "fractionDetected",
    "fractionNegative",
    "chi2Before",
    "snrBefore",
    "jumpNight",
    "jumpHour",
    "latestToPeak",
    "riseRate",
    "fadeRate",
    "span",
    "secondPeak",
    "numPeaks",
    *(f"colour{epoch}_{colour}" for epoch in EPOCHS for colour in COLOURS),
)

kernel = njit(cache=True, nogil=True, error_model="numpy")
_ZERO_POINT = 31.4
_SIGNIFICANT = 3.0
_SAME = 1e-4  # d; a forced measurement of the exposure that made the detection

Float64 = npt.NDArray[np.float64]


@kernel
def unite(offsets, time, flux, error, band, f_offsets, f_time, f_flux, f_error, f_band, window):  # type: ignore[no-untyped-def]  # see describe
    """Detections and forced measurements of each object in order of time, one for each exposure and band.

    Forced measurements earlier than `window` days before the first detection are left out.
    """
    n = len(offsets) - 1
    most = len(time) + len(f_time)
    out_offsets = np.zeros(n + 1, np.int64)
    t, f, e = np.empty(most), np.empty(most), np.empty(most)
    b, found = np.empty(most, np.int8), np.empty(most, np.int8)
    at = 0
    for i in range(n):
        j, k = offsets[i], f_offsets[i]
        stop, f_stop = offsets[i + 1], f_offsets[i + 1]
        begin = -math.inf
        if j < stop:
            begin = time[j] - window
        while k < f_stop and not f_time[k] >= begin:
            k += 1
        while j < stop or k < f_stop:
            detection = k >= f_stop or (j < stop and time[j] <= f_time[k] + _SAME)
            if detection:
                t[at], f[at], e[at], b[at], found[at] = time[j], flux[j], error[j], band[j], 1
                good = b[at] >= 0 and abs(f[at]) < math.inf and 0.0 < e[at] < math.inf and t[at] == t[at]
                j += 1
            else:
                t[at], f[at], e[at], b[at], found[at] = f_time[k], f_flux[k], f_error[k], f_band[k], 0
                good = b[at] >= 0 and abs(f[at]) < math.inf and 0.0 < e[at] < math.inf and t[at] == t[at]
                back = at - 1
                while good and back >= out_offsets[i] and t[at] - t[back] <= 2 * _SAME:
                    if b[back] == b[at]:
                        good = False
                    back -= 1
                k += 1
            if good:
                at += 1
        out_offsets[i + 1] = at
    return out_offsets, t[:at], f[:at], e[:at], b[:at], found[:at]


@kernel
def describe(offsets, time, flux, error, band, found, curve, bands):  # type: ignore[no-untyped-def]
    """Fill `curve` (objects, CURVE_VALUES) and `bands` (objects, bands, BAND_VALUES), NaN where undefined.

    Times in days, fluxes in nJy; `found` is 1 for detections. docs/classification.md says what they are.
    """
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        curve[i, :] = math.nan
        bands[i, :, :] = math.nan
        if stop > start:
            _one(
                time[start:stop],
                flux[start:stop],
                error[start:stop],
                band[start:stop],
                found[start:stop],
                curve[i],
                bands[i],
            )


@kernel
def _one(t, f, e, b, found, curve, bands):  # type: ignore[no-untyped-def]  # see describe
    n = len(t)
    first, last_found = -1, -1
    detections = 0
    for k in range(n):
        if found[k]:
            if first < 0:
                first = k
            last_found = k
            detections += 1
    if first < 0:
        first, last_found = 0, n - 1
    t0, now = t[first], t[n - 1]
    # The peak: the most significant positive excursion's brightest point.
    peak, peak_flux, peak_snr = -1, -math.inf, 0.0
    for k in range(n):
        if f[k] > peak_flux and f[k] > _SIGNIFICANT * e[k]:
            peak, peak_flux = k, f[k]
    deepest = 0.0
    for k in range(n):
        peak_snr = max(peak_snr, abs(f[k]) / e[k])
        deepest = max(deepest, abs(f[k]))
    scale = peak_flux if peak >= 0 else deepest
    curve[0] = now - t0
    if peak >= 0:
        curve[1] = t[peak] - t0
        curve[2] = now - t[peak]
        curve[6] = _ZERO_POINT - 2.5 * math.log10(peak_flux)
        curve[17] = f[last_found] / peak_flux
    curve[3] = now - t[last_found]
    curve[4] = detections
    nights, night = 0, -math.inf
    for k in range(n):
        if found[k] and math.floor(t[k]) != night:
            night = math.floor(t[k])
            nights += 1
    curve[5] = nights
    curve[7] = math.log10(max(peak_snr, 1e-3))
    if f[first] > 0:
        curve[8] = _ZERO_POINT - 2.5 * math.log10(f[first])
    if f[last_found] > 0:
        curve[9] = _ZERO_POINT - 2.5 * math.log10(f[last_found])
    above_first, above_last = math.inf, -math.inf
    significant = negative = after = 0
    chi2_before = sum_before = 0.0
    before = 0
    for k in range(n):
        if peak >= 0 and f[k] > 0.5 * peak_flux:
            above_first, above_last = min(above_first, t[k]), max(above_last, t[k])
        if k >= first:
            after += 1
            if f[k] > _SIGNIFICANT * e[k]:
                significant += 1
            if f[k] < -_SIGNIFICANT * e[k]:
                negative += 1
        elif t[k] < t0 - 0.5:
            before += 1
            chi2_before += (f[k] / e[k]) ** 2
            sum_before += f[k] / e[k]
    if above_last >= above_first:
        curve[10] = above_last - above_first
    curve[11] = significant / max(after, 1)
    curve[12] = negative / max(after, 1)
    if before > 0:
        curve[13] = math.log10(chi2_before / before + 1e-3)
        curve[14] = sum_before / math.sqrt(before)
    _jumps(t, f, e, b, scale, curve)
    _rates(t, f, e, b, t0, peak, peak_flux, curve)
    curve[20] = now - t[0]
    _peaks(t, f, e, b, peak, peak_flux, curve)
    if peak >= 0:
        _colours(t, f, e, b, t0 - 0.02, t0 + 1.5, 23, curve)
        _colours(t, f, e, b, t[peak] - 4.0, t[peak] + 4.0, 23 + len(_PAIRS), curve)
    else:
        _colours(t, f, e, b, t0 - 0.02, t0 + 1.5, 23, curve)
    _colours(t, f, e, b, t[last_found] - 5.0, now, 23 + 2 * len(_PAIRS), curve)
    for band in range(NUM_BANDS):
        _band(t, f, e, b, band, t0, first, scale, bands[band])


@kernel
def _jumps(t, f, e, b, scale, curve):  # type: ignore[no-untyped-def]  # see describe
    """Largest changes within a night and an hour in one band, in sigma (log10) and relative to the peak."""
    night = hour = 0.0
    for k in range(len(t)):
        j = k - 1
        while j >= 0 and t[k] - t[j] < 0.6:
            if b[j] == b[k]:
                change = abs(f[k] - f[j]) / math.sqrt(e[k] * e[k] + e[j] * e[j])
                night = max(night, change)
                if t[k] - t[j] < 0.05:
                    hour = max(hour, change)
                break
            j -= 1
    curve[15] = night
    curve[16] = hour


@kernel
def _rates(t, f, e, b, t0, peak, peak_flux, curve):  # type: ignore[no-untyped-def]  # see describe
    """Magnitudes a day gained from the first significant point in the peak's band, and lost after it."""
    if peak < 0:
        return
    for k in range(peak):
        if b[k] == b[peak] and t[k] >= t0 - 20.0 and f[k] > _SIGNIFICANT * e[k] and t[peak] - t[k] > 0.3:
            curve[18] = 2.5 * math.log10(peak_flux / f[k]) / (t[peak] - t[k])
            break
    for k in range(len(t) - 1, peak, -1):
        if b[k] == b[peak] and f[k] > 0 and t[k] - t[peak] > 0.3:
            floor = max(f[k], e[k])
            curve[19] = 2.5 * math.log10(peak_flux / floor) / (t[k] - t[peak])
            break


@kernel
def _peaks(t, f, e, b, peak, peak_flux, curve):  # type: ignore[no-untyped-def]  # see describe
    """How high the light curve rises again in one band after it has fallen below half, and how often."""
    if peak < 0:
        return
    highest = 0.0
    number = 0
    for band in range(NUM_BANDS):
        top, low, last_error = -math.inf, math.inf, 0.0
        for k in range(len(t)):
            if b[k] != band:
                continue
            if f[k] > top:
                top, low = f[k], f[k]
            if f[k] < low:
                low = f[k]
            rise = f[k] - low
            if top > 0 and low < 0.6 * top and rise > 5.0 * math.sqrt(e[k] * e[k] + last_error * last_error):
                highest = max(highest, rise / peak_flux)
                number += 1
                top, low = f[k], f[k]
            last_error = e[k]
    curve[21] = highest
    curve[22] = number


@kernel
def _colours(t, f, e, b, begin, end, place, curve):  # type: ignore[no-untyped-def]  # see describe
    """(bluer - redder) / (|bluer| + |redder|) of weighted mean fluxes between two times, errors allowing."""
    weight, weighted = np.zeros(NUM_BANDS), np.zeros(NUM_BANDS)
    for k in range(len(t)):
        if begin <= t[k] <= end:
            w = 1.0 / (e[k] * e[k])
            weight[b[k]] += w
            weighted[b[k]] += w * f[k]
    for pair in range(len(_PAIRS)):
        blue, red = _PAIRS[pair, 0], _PAIRS[pair, 1]
        if weight[blue] > 0 and weight[red] > 0:
            x, y = weighted[blue] / weight[blue], weighted[red] / weight[red]
            size = abs(x) + abs(y)
            if size > 2.0 * math.sqrt(1.0 / weight[blue] + 1.0 / weight[red]):
                curve[place + pair] = (x - y) / size


@kernel
def _band(t, f, e, b, band, t0, first, scale, out):  # type: ignore[no-untyped-def]  # see describe
    n = significant = negative = 0
    weight = weighted = total = 0.0
    top, top_at, snr, lowest = -math.inf, -1, -math.inf, math.inf
    last = -1
    steps = 0.0
    before_weight = before_weighted = 0.0
    for k in range(len(t)):
        if b[k] != band:
            continue
        if t[k] < t0 - 0.5:
            before_weight += 1.0
            before_weighted += f[k] / e[k]
        n += 1
        w = 1.0 / (e[k] * e[k])
        weight += w
        weighted += w * f[k]
        total += f[k]
        snr = max(snr, f[k] / e[k])
        lowest = min(lowest, f[k])
        if f[k] > top:
            top, top_at = f[k], k
        if f[k] > _SIGNIFICANT * e[k]:
            significant += 1
        if f[k] < -_SIGNIFICANT * e[k]:
            negative += 1
        if last >= 0:
            steps += (f[k] - f[last]) ** 2
        last = k
    out[0] = n
    if n == 0:
        return
    out[1] = math.copysign(math.log10(1.0 + abs(snr)), snr)
    out[2] = top / scale if scale > 0 else math.nan
    mean = total / n
    centre = weighted / weight
    chi2 = second = third = 0.0
    for k in range(len(t)):
        if b[k] == band:
            chi2 += ((f[k] - centre) / e[k]) ** 2
            second += (f[k] - mean) ** 2
            third += (f[k] - mean) ** 3
    if n > 1:
        out[3] = math.log10(chi2 / (n - 1) + 1e-3)
        out[4] = math.sqrt(second / (n - 1)) / scale if scale > 0 else math.nan
        if second > 0:
            out[11] = steps / second
    if n > 2 and second > 0:
        out[5] = third / n / (second / n) ** 1.5
    out[6] = significant / n
    out[7] = negative / n
    out[8] = f[last] / scale if scale > 0 else math.nan
    if top > 0:
        half_rise, half_fade = math.nan, math.nan
        for k in range(len(t)):
            if b[k] == band and t[k] < t[top_at] and f[k] < 0.5 * top:
                half_rise = t[top_at] - t[k]
            if b[k] == band and t[k] > t[top_at] and f[k] < 0.5 * top and half_fade != half_fade:
                half_fade = t[k] - t[top_at]
        out[9] = half_rise
        out[10] = half_fade
    if before_weight > 0:
        out[12] = before_weighted / math.sqrt(before_weight)
    out[13] = _slope(t, f, e, b, band, t0 - 1.0, t0 + 4.0, scale)
    out[14] = _slope(t, f, e, b, band, t[len(t) - 1] - 15.0, t[len(t) - 1], scale)


@kernel
def _slope(t, f, e, b, band, begin, end, scale):  # type: ignore[no-untyped-def]  # see describe
    """Slope of a weighted straight line in units of `scale` a day; NaN without two separate times."""
    weight = mean_t = mean_f = 0.0
    for k in range(len(t)):
        if b[k] == band and begin <= t[k] <= end:
            w = 1.0 / (e[k] * e[k])
            weight += w
            mean_t += w * (t[k] - begin)
            mean_f += w * f[k]
    if weight == 0.0 or not scale > 0:
        return math.nan
    mean_t /= weight
    mean_f /= weight
    variance = covariance = 0.0
    for k in range(len(t)):
        if b[k] == band and begin <= t[k] <= end:
            w = 1.0 / (e[k] * e[k])
            variance += w * (t[k] - begin - mean_t) ** 2
            covariance += w * (t[k] - begin - mean_t) * (f[k] - mean_f)
    if variance / weight < 0.01:
        return math.nan
    return covariance / variance / scale
