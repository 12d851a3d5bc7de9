"""A slow description of a light curve, written from what the values mean, not from the kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

PAIRS = {"ug": (0, 1), "gr": (1, 2), "ri": (2, 3), "iz": (3, 4), "zy": (4, 5), "gi": (1, 3)}


@dataclass(frozen=True)
class Point:
    time: float
    flux: float
    error: float
    band: int
    found: bool


def united(detections: list[Point], forced: list[Point], window: float) -> list[Point]:
    """Detections, and forced measurements of other exposures, in order of time."""
    usable = [p for p in detections if p.band >= 0 and math.isfinite(p.flux) and p.error > 0]
    begin = detections[0].time - window if detections else -math.inf
    kept = list(usable)
    for p in forced:
        doubled = any(q.band == p.band and abs(q.time - p.time) <= 1e-4 for q in kept)
        if p.time >= begin and p.band >= 0 and math.isfinite(p.flux) and p.error > 0 and not doubled:
            kept.append(p)
    return sorted(kept, key=lambda p: (p.time, not p.found))


def described(points: list[Point]) -> dict[str, float]:
    """Some of the values of the curve as a whole; NaN where there is none."""
    found = [p for p in points if p.found]
    first, last = (found[0], found[-1]) if found else (points[0], points[-1])
    t0, now = first.time, points[-1].time
    bright = [p for p in points if p.flux > 3 * p.error]
    peak = max(bright, key=lambda p: (p.flux, -p.time)) if bright else None
    nan = math.nan
    after = [p for p in points if points.index(p) >= points.index(first)]
    before = [p for p in points[: points.index(first)] if p.time < t0 - 0.5]
    above = [p.time for p in points if peak and p.flux > 0.5 * peak.flux]
    values = {
        "age": now - t0,
        "timeToPeak": peak.time - t0 if peak else nan,
        "timeSincePeak": now - peak.time if peak else nan,
        "sinceDetection": now - last.time,
        "detections": len(found),
        "nights": len({math.floor(p.time) for p in found}),
        "peakMag": 31.4 - 2.5 * math.log10(peak.flux) if peak else nan,
        "peakSnr": math.log10(max(max(abs(p.flux) / p.error for p in points), 1e-3)),
        "latestToPeak": last.flux / peak.flux if peak else nan,
        "widthAboveHalf": max(above) - min(above) if above else nan,
        "fractionDetected": sum(p.flux > 3 * p.error for p in after) / len(after),
        "fractionNegative": sum(p.flux < -3 * p.error for p in after) / len(after),
        "snrBefore": sum(p.flux / p.error for p in before) / math.sqrt(len(before)) if before else nan,
        "chi2Before": math.log10(np.mean([(p.flux / p.error) ** 2 for p in before]) + 1e-3)
        if before
        else nan,
        "span": now - points[0].time,
    }
    ranges = {"First": (t0 - 0.02, t0 + 1.5), "Latest": (last.time - 5.0, now)}
    if peak:
        ranges["Peak"] = (peak.time - 4.0, peak.time + 4.0)
    for epoch in ("First", "Peak", "Latest"):
        for name, pair in PAIRS.items():
            values[f"colour{epoch}_{name}"] = (
                _colour(points, pair, *ranges[epoch]) if epoch in ranges else nan
            )
    return values


def _colour(points: list[Point], pair: tuple[int, int], begin: float, end: float) -> float:
    means, variances = [], []
    for band in pair:
        mine = [p for p in points if p.band == band and begin <= p.time <= end]
        if not mine:
            return math.nan
        weight = sum(p.error**-2 for p in mine)
        means.append(sum(p.flux * p.error**-2 for p in mine) / weight)
        variances.append(1.0 / weight)
    size = abs(means[0]) + abs(means[1])
    return (means[0] - means[1]) / size if size > 2.0 * math.sqrt(sum(variances)) else math.nan
