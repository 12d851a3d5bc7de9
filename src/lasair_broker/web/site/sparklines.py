"""Light curves as small as a word, as pictures that are part of the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lasair_broker.web.archive import archive

WIDTH, HEIGHT = 120, 32
_EDGE = 3.0
_MOST_POINTS = 60
"""Of a band; more cannot be told apart."""

_COLUMNS = {
    "diaSources": ("diaObjectId", "midpointMjdTai", "band", "psfFlux"),
    "diaForcedSources": (),
    "diaNondetectionLimits": (),
}


def sparklines(diaObjectIds: Sequence[int]) -> dict[int, SafeString]:
    """For each object that has detections its difference flux over time, as an SVG element."""
    wanted = list(dict.fromkeys(diaObjectIds))
    if not wanted:
        return {}
    sources = archive().light_curves(wanted, _COLUMNS).diaSources
    return drawn(sources)


def drawn(sources: pa.Table) -> dict[int, SafeString]:
    """As `sparklines`, of detections (diaObjectId, midpointMjdTai, band, psfFlux) in order of object and
    time."""
    sources = sources.filter(sources["psfFlux"].is_valid())
    objects = sources["diaObjectId"].to_numpy()
    if not len(objects):
        return {}
    first = np.flatnonzero(np.diff(objects, prepend=objects[0] - 1))
    ends = [*first[1:], len(objects)]
    return {
        int(objects[begin]): _one(sources.slice(begin, end - begin))
        for begin, end in zip(first, ends, strict=True)
    }


def bars(values: Sequence[int], label: str) -> SafeString:
    """Counts as bars, oldest first."""
    if not values or not max(values):
        return SafeString("")
    step = WIDTH / max(len(values), 5)
    rows = (
        (
            f"{step * n + 1:.1f}",
            f"{HEIGHT - 1 - (height := max(1.0, (HEIGHT - 4) * value / max(values)) if value else 0.0):.1f}",
            f"{step - 2:.1f}",
            f"{height:.1f}",
        )
        for n, value in enumerate(values)
    )
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        "{}</svg>",
        WIDTH,
        HEIGHT,
        label,
        format_html_join("", '<rect class="bar" x="{}" y="{}" width="{}" height="{}"/>', rows),
    )


def _one(sources: pa.Table) -> SafeString:
    times, fluxes = (sources[name].to_numpy().astype(float) for name in ("midpointMjdTai", "psfFlux"))
    bands = sources["band"].to_pylist()
    x, y = _scaled(times, WIDTH), HEIGHT - _scaled(np.append(fluxes, 0.0), HEIGHT)
    zero, y = y[-1], y[:-1]
    marks = []
    for band in dict.fromkeys(bands):
        of_band = np.flatnonzero(np.array([each == band for each in bands]))
        shown = of_band[:: max(1, len(of_band) // _MOST_POINTS)]
        path = " ".join(f"{x[n]:.1f},{y[n]:.1f}" for n in shown)
        css = f"spark-{band}" if band in ("u", "g", "r", "i", "z", "y") else "spark-other"
        dots = format_html_join(
            "", '<circle cx="{}" cy="{}" r="1.6"/>', ((f"{x[n]:.1f}", f"{y[n]:.1f}") for n in shown)
        )
        marks.append((css, path, dots))
    label = (
        f"{len(fluxes)} detections in {np.ptp(times):.0f} days, "
        f"difference flux {fluxes.min():.0f} to {fluxes.max():.0f} nJy"
    )
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
        '<line class="zero" x1="0" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        WIDTH,
        HEIGHT,
        label,
        label,
        WIDTH,
        f"{zero:.1f}",
        f"{zero:.1f}",
        format_html_join("", '<g class="{}"><polyline points="{}"/>{}</g>', marks),
    )


def _scaled(values: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Values spread over the inner part of a length."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.full(len(values), size / 2)
    return _EDGE + (values - low) / (high - low) * (size - 2 * _EDGE)
