"""Every feature that needs no fit, once more: an object at a time, in plain NumPy, from its definition."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import scipy.constants
import scipy.integrate
import scipy.optimize
import scipy.stats
from curve_batches import Curve, Point

BANDS = "ugrizy"
MAG = 2.5 / math.log(10)
WAVELENGTH = {
    "lsst": dict(zip(BANDS, (0.36707, 0.48269, 0.62232, 0.75460, 0.86901, 0.97103), strict=True)),
    "ztf": {"g": 0.47465, "r": 0.63664, "i": 0.78290},
}
EXTINCTION = {
    "lsst": dict(zip(BANDS, (4.145, 3.237, 2.273, 1.684, 1.323, 1.088), strict=True)),
    "ztf": {"g": 3.172, "r": 2.271, "i": 1.682},
}


class Value(NamedTuple):
    """What a feature should be, and the size of what was subtracted to get it, which rounding goes by."""

    value: float | int | str | None
    scale: float = 0.0


Features = dict[str, Value]


def single(x: float) -> float:
    """As the archive's single-precision column holds it."""
    with np.errstate(over="ignore"):
        return float(np.float32(x))


def counted(points: list[Point]) -> list[Point]:
    """Rows with a time that are not withdrawn, in time order."""
    kept = [p for p in points if math.isfinite(p.time) and math.isnan(p.withdrawn)]
    return sorted(kept, key=lambda p: p.time)


def known(x: float) -> bool:
    return math.isfinite(single(x))


def measured(points: list[Point]) -> list[Point]:
    return [
        p
        for p in counted(points)
        if p.band in BANDS and known(p.flux) and known(p.error) and single(p.error) > 0
    ]


def arrays(points: list[Point]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = np.array([p.time for p in points], float)
    f = np.array([single(p.flux) for p in points], float)
    e = np.array([single(p.error) for p in points], float)
    return t, f, e


def line(t: np.ndarray, y: np.ndarray, e: np.ndarray) -> tuple[float, float, float]:
    """Slope of the weighted straight line, its error, and the scale of rounding in it."""
    w = 1 / e**2
    dt = (t - t[0]) - np.sum(w * (t - t[0])) / np.sum(w)
    variance = np.sum(w * dt**2)
    mean = np.sum(w * y) / np.sum(w)
    scale = np.sum(w * np.abs(dt) * (np.abs(y) + abs(mean))) / variance
    return float(np.sum(w * dt * y) / variance), float(1 / math.sqrt(variance)), float(scale) * 1e-8


def counting(curve: Curve) -> Features:
    points = counted(curve.detections)
    with_flux = [p for p in points if known(p.flux)]
    positive = [p for p in with_flux if single(p.flux) > 0]
    reliable = [single(p.reliability) for p in points if known(p.reliability)]
    out: Features = {
        "nDiaSources": Value(len(points)),
        "nPosDiaSources": Value(len(positive)),
        "nPosDiaSourcesNights": Value(len({math.floor(p.time + 0.5) for p in positive})),
        "nNights": Value(len({math.floor(p.time + 0.5) for p in points})),
        "nSourcesGood": Value(sum(r > 0.5 for r in reliable)),
        "nForcedSources": Value(
            sum(known(p.flux) and known(p.error) and single(p.error) > 0 for p in counted(curve.forced))
        ),
        "medianR": Value(float(np.median(reliable)) if reliable else None),
        "latestR": Value(single(points[-1].reliability) if points else None),
        "firstDiaSourceMjdTai": Value(points[0].time if points else None),
        "lastDiaSourceMjdTai": Value(points[-1].time if points else None),
        "latest_psfFlux": Value(single(with_flux[-1].flux) if with_flux else None),
        "fracNegative": Value(
            sum(single(p.flux) < 0 for p in with_flux) / len(with_flux) if with_flux else None
        ),
    }
    in_bands = [p for p in with_flux if p.band in BANDS]
    brightest = max(in_bands, key=lambda p: single(p.flux), default=None)  # the first of equals
    out["peakPsfFlux"] = Value(single(brightest.flux) if brightest else None)
    out["peakMJD"] = Value(brightest.time if brightest else None)
    out["peakBand"] = Value(brightest.band if brightest else None)
    for b in BANDS:
        mine = [p for p in with_flux if p.band == b]
        out[f"n{b}Sources"] = Value(sum(p.band == b for p in points))
        out[f"{b}_psfFlux"] = Value(single(mine[-1].flux) if mine else None)
        out[f"{b}_latestMJD"] = Value(mine[-1].time if mine else None)
    return out


def statistics(curve: Curve) -> Features:
    out: Features = {}
    for b in BANDS:
        mine = [p for p in measured(curve.detections) if p.band == b]
        values: Features = {}
        if mine:
            values = one_band(*arrays(mine))
        values["psfFluxNdata"] = Value(len(mine))
        for name in STATISTICS:
            out[f"{b}_{name}"] = values.get(name, Value(None))
    return out


STATISTICS = (
    *[
        "psfFluxMean",
        "psfFluxMeanErr",
        "psfFluxSigma",
        "psfFluxMin",
        "psfFluxMax",
        "psfFluxMaxSlope",
        "psfFluxErrMean",
    ],
    *[
        "psfFluxNdata",
        "snrMax",
        "excessVariance",
        "skew",
        "kurtosis",
        "stetsonK",
        "vonNeumann",
        "reducedChi2",
        "slope",
        "slopeErr",
    ],
    *["magSlope", "magSlopeErr", "riseSlope", "fadeSlope", "maxJump"],
)


def one_band(t: np.ndarray, f: np.ndarray, e: np.ndarray) -> Features:
    n = len(f)
    w = 1 / e**2
    mean = float(np.sum(w * f) / np.sum(w))
    size = float(np.max(np.abs(f)))
    out: Features = {
        "psfFluxMean": Value(mean, size),
        "psfFluxMeanErr": Value(1 / math.sqrt(np.sum(w))),
        "psfFluxMin": Value(float(f.min())),
        "psfFluxMax": Value(float(f.max())),
        "psfFluxErrMean": Value(float(e.mean())),
        "snrMax": Value(float(np.max(f / e))),
    }
    out |= rates(t, f, e)
    if n < 2:
        return out
    variance = float(np.var(f, ddof=1)) if f.min() < f.max() else 0.0
    chi2 = float(np.sum((f - mean) ** 2 * w))
    out["psfFluxSigma"] = Value(math.sqrt(variance))
    out["reducedChi2"] = Value(chi2 / (n - 1), float(np.sum(w)) * (1e-9 * size) ** 2 * 1e6)
    jumps = [abs(f[k + 1] - f[k]) / math.hypot(e[k + 1], e[k]) for k in range(n - 1)]
    out["maxJump"] = Value(max(jumps))
    slopes = [(f[k + 1] - f[k]) / (t[k + 1] - t[k]) for k in range(n - 1) if t[k + 1] > t[k]]
    if slopes:
        out["psfFluxMaxSlope"] = Value(max(slopes))
        slope, err, scale = line(t, f, e)
        out["slope"] = Value(slope, scale)
        out["slopeErr"] = Value(err)
    plain = float(f.mean())
    if abs(plain) > 1e-6 * size:
        noise = float(np.mean(e**2))
        out["excessVariance"] = Value((variance - noise) / plain**2, (variance + noise) / plain**2)
    if variance > 0:
        out["stetsonK"] = Value(float(np.sum(np.abs(f - mean) / e)) / math.sqrt(n * chi2))
        out["vonNeumann"] = Value(float(np.sum(np.diff(f) ** 2)) / ((n - 1) * variance))
        if n > 2:
            out["skew"] = Value(float(scipy.stats.skew(f, bias=False)), 1.0 * n)
        if n > 3:
            out["kurtosis"] = Value(float(scipy.stats.kurtosis(f, bias=False)), 10.0 * n)
    return out


def rates(t: np.ndarray, f: np.ndarray, e: np.ndarray) -> Features:
    out: Features = {}
    good = np.flatnonzero(f >= 3 * e)
    if len(good) == 0:
        return out
    first, last = good[0], good[-1]
    top = good[np.argmax(f[good])]
    magnitude = -2.5 * np.log10(np.where(f > 0, f, 1.0))
    if t[top] - t[first] >= 0.02:
        gain = float(magnitude[first] - magnitude[top])
        out["riseSlope"] = Value(gain / (t[top] - t[first]), 1e-6 / (t[top] - t[first]))
    if t[last] - t[top] >= 0.02:
        loss = float(magnitude[last] - magnitude[top])
        out["fadeSlope"] = Value(loss / (t[last] - t[top]), 1e-6 / (t[last] - t[top]))
    late = good[t[good] >= t[-1] - 7.0]
    if len(late) and t[late[-1]] - t[late[0]] >= 0.02:
        slope, err, scale = line(t[late], magnitude[late], np.hypot(MAG * e[late] / f[late], 0.001))
        out["magSlope"] = Value(slope, scale)
        out["magSlopeErr"] = Value(err)
    return out


def means(curve: Curve) -> Features:
    out: Features = {}
    rows = {
        "fpFluxMean": [(p.band, p.flux, p.error) for p in counted(curve.forced)],
        "scienceFluxMean": [(p.band, p.science, p.science_error) for p in counted(curve.detections)],
    }
    for (name, points), b in itertools.product(rows.items(), BANDS):
        good = [
            (single(f), single(e))
            for band, f, e in points
            if band == b and known(f) and known(e) and single(e) > 0
        ]
        out[f"{b}_{name}"] = out[f"{b}_{name}Err"] = Value(None)
        if good:
            f, e = np.array(good).T
            out[f"{b}_{name}"] = Value(float(np.average(f, weights=e**-2)), float(np.max(np.abs(f))))
            out[f"{b}_{name}Err"] = Value(float(np.sum(e**-2) ** -0.5))
    return out


def jump(curve: Curve) -> Features:
    points = measured(curve.detections)
    departures = []
    for b in BANDS:
        t, f, e = arrays([p for p in points if p.band == b])
        age = (points[-1].time if points else math.nan) - t
        old, new = (age > 10) & (age <= 70), age <= 10
        if old.sum() >= 5 and new.any():
            sigma = max(float(np.std(f[old], ddof=1)), math.sqrt(np.mean(e[old] ** 2)))
            departures.append(float(np.max(np.abs(f[new] - f[old].mean()))) / sigma)
    departures.sort(reverse=True)
    return {
        f"jump{k + 1}": Value(departures[k], 1e-6 * departures[0]) if k < len(departures) else Value(None)
        for k in range(2)
    }


def planck_ratio(blue: float, red: float, temperature: float) -> float:
    """Ratio of blackbody fluxes per frequency, from SI constants."""
    x = scipy.constants.h * scipy.constants.c / (scipy.constants.k * temperature * 1e3)
    top = (blue * 1e-6) ** -3 / math.expm1(x / (blue * 1e-6))
    return top / ((red * 1e-6) ** -3 / math.expm1(x / (red * 1e-6)))


def temperature(blue: float, red: float, colour: float) -> float | None:
    def too_blue(log_t: float) -> float:
        return -2.5 * math.log10(planck_ratio(blue, red, math.exp(log_t))) - colour

    low, high = math.log(1.0), math.log(100.0)
    if too_blue(low) < 0 or too_blue(high) > 0:
        return None
    return math.exp(scipy.optimize.brentq(too_blue, low, high, xtol=1e-13))


def pair_colours(curve: Curve, survey: str, ebv: float | None) -> Features:
    names = [f"{which}Pair{what}" for which in ("latest", "penultimate") for what in PAIR_VALUES]
    names += ["firstPairMJD", "firstPairColourMag", "firstPairColourBands", "peakPairColourMag"]
    names += ["peakPairColourBands", "colourSlope", "colourSlopeErr", "colourReducedChi2"]
    out: Features = {name: Value(None) for name in names}
    points = measured(curve.detections)
    found = []
    for a, b in itertools.pairwise(points):
        if b.time - a.time < 40 / 1440 and a.band != b.band and single(a.flux) > 0 and single(b.flux) > 0:
            blue, red = sorted((a, b), key=lambda p: BANDS.index(p.band))
            colour = 2.5 * math.log10(single(red.flux)) - 2.5 * math.log10(single(blue.flux))
            err = MAG * math.hypot(*(single(p.error) / single(p.flux) for p in (blue, red)))
            found.append((0.5 * (a.time + b.time), f"{blue.band}-{red.band}", colour, err))
    if not found:
        return out
    for which, (time, bands, colour, err) in zip(("latest", "penultimate"), found[::-1], strict=False):
        out[f"{which}PairMJD"] = Value(time)
        out[f"{which}PairColourBands"] = Value(bands)
        out[f"{which}PairColourMag"] = Value(colour, 1.0)
        out[f"{which}PairColourMagErr"] = Value(err)
        blue, red = bands.split("-")
        waves, dust = WAVELENGTH[survey], EXTINCTION[survey]
        if blue in waves and red in waves:
            intrinsic = colour - (dust[blue] - dust[red]) * (ebv or 0.0)
            kelvin = temperature(waves[blue], waves[red], intrinsic)
            if kelvin is not None:
                step = 1e-5
                high, low = (planck_ratio(waves[blue], waves[red], kelvin * (1 + s)) for s in (step, -step))
                slope = -2.5 * math.log10(high / low) / (2 * step * kelvin)
                out[f"{which}PairColourTemp"] = Value(kelvin, 1000 * kelvin / abs(slope * kelvin) * 1e-3)
                out[f"{which}PairColourTempErr"] = Value(err / abs(slope), 100 * err / abs(slope))
    out["firstPairMJD"], out["firstPairColourBands"] = Value(found[0][0]), Value(found[0][1])
    out["firstPairColourMag"] = Value(found[0][2], 1.0)
    brightest = max(points, key=lambda p: single(p.flux))
    nearest = min(found, key=lambda pair: abs(pair[0] - brightest.time))
    out["peakPairColourMag"], out["peakPairColourBands"] = Value(nearest[2], 1.0), Value(nearest[1])
    same = [pair for pair in found if pair[1] == found[-1][1]]
    if len(same) > 1:
        t, c, e = (np.array([pair[k] for pair in same]) for k in (0, 2, 3))
        e = np.hypot(e, 0.001)
        mean = np.average(c, weights=e**-2)
        out["colourReducedChi2"] = Value(
            float(np.sum(((c - mean) / e) ** 2)) / (len(c) - 1), float(np.sum(e**-2)) * 1e-12
        )
        if t[-1] - t[0] >= 0.02:
            slope, err, scale = line(t, c, e)
            out["colourSlope"], out["colourSlopeErr"] = Value(slope, scale + err), Value(err)
    return out


PAIR_VALUES = ("MJD", "ColourBands", "ColourMag", "ColourMagErr", "ColourTemp", "ColourTempErr")


def before_and_between(curve: Curve) -> Features:
    detections = [p.time for p in counted(curve.detections)]
    missed = [p.time for p in counted(curve.limits)]
    out: Features = {f"{b}_preSnr": Value(None) for b in BANDS}
    before: dict[str, list[tuple[float, float]]] = {b: [] for b in BANDS}
    for p in counted(curve.forced):
        f, e = single(p.flux), single(p.error)
        if not (known(f) and known(e) and e > 0):
            continue
        if abs(f) < 5 * e and not any(p.time - 1e-4 <= t <= p.time + 1e-4 for t in detections):
            missed.append(p.time)
        if detections and p.band in BANDS and p.time < detections[0] - 1e-4:
            before[p.band].append((f, e))
    for b, pairs in before.items():
        if pairs:
            f, e = np.array(pairs).T
            scale = float(np.sum(np.abs(f) / e**2) / math.sqrt(np.sum(e**-2)))
            out[f"{b}_preSnr"] = Value(float(np.sum(f / e**2) / math.sqrt(np.sum(e**-2))), scale)
    out["lastNondetectionMJD"] = Value(max(missed, default=None))
    out["nondetectionGap"] = out["nondetectionDuty"] = Value(None)
    if detections:
        early = [t for t in missed if t < detections[0]]
        if early:
            out["nondetectionGap"] = Value(detections[0] - max(early))
        between = sum(detections[0] <= t <= detections[-1] for t in missed)
        out["nondetectionDuty"] = Value(between / (between + len(detections)))
    return out


def scatter(curve: Curve) -> Features:
    out: Features = {
        name: Value(None) for name in ("posScatter", "posReducedChi2", "posDrift", "posDriftErr")
    }
    points = [p for p in counted(curve.detections) if math.isfinite(p.ra) and math.isfinite(p.decl)]
    n = len(points)
    if n < 2:
        return out
    t = np.array([p.time for p in points])
    turn = np.array([math.remainder(p.ra - curve.ra, 360.0) for p in points])
    x = turn * math.cos(math.radians(curve.decl)) * 3600
    y = np.array([p.decl - curve.decl for p in points]) * 3600
    size = float(np.max(np.hypot(x, y))) + 1e-3
    out["posScatter"] = Value(math.sqrt(np.var(x, ddof=1) + np.var(y, ddof=1)), 1e-5 * size)
    e = np.array([single(p.position_error) * 3600.0 for p in points])
    all_known = bool(np.all(np.isfinite(e) & (e > 0)))
    if not all_known:
        e = np.ones(n)
    if all_known:
        chi2 = sum(float(np.sum((z - np.average(z, weights=e**-2)) ** 2 / e**2)) for z in (x, y))
        out["posReducedChi2"] = Value(chi2 / (2 * (n - 1)), float(np.sum(e**-2)) * (1e-8 * size) ** 2 * 1e4)
    if t[-1] - t[0] >= 0.02:
        (x_slope, err, x_scale), (y_slope, _, y_scale) = line(t, x, e), line(t, y, e)
        out["posDrift"] = Value(math.hypot(x_slope, y_slope), 1e3 * (x_scale + y_scale))
        if all_known:
            out["posDriftErr"] = Value(err)
    return out


def reference(curve: Curve, survey: str = "lsst", ebv: float | None = None) -> Features:
    """All features of a light curve that need neither a fit nor a host."""
    return (
        counting(curve)
        | statistics(curve)
        | means(curve)
        | jump(curve)
        | pair_colours(curve, survey, ebv)
        | before_and_between(curve)
        | scatter(curve)
    )


def luminosity_distance(z: float, hubble: float = 70.0, omega: float = 0.3) -> float:
    """Mpc, by adaptive quadrature."""
    integral = scipy.integrate.quad(lambda a: (omega * (1 + a) ** 3 + 1 - omega) ** -0.5, 0, z, epsrel=1e-12)[
        0
    ]
    return float(299792.458 / hubble * (1 + z) * integral)
