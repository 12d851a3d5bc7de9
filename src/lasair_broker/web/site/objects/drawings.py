"""Drawings that the server makes: lines as SVG, which follow the colours of the page and need no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.time import Time

from lasair_broker.web.objects.observability import Night

Float64 = npt.NDArray[np.float64]

WIDTH, HEIGHT = 640.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 36.0, 8.0, 10.0, 30.0
_PROBABLE, _MOST_LINES = 0.1, 6
_TWILIGHTS = ((0.0, "civil"), (-6.0, "nautical"), (-12.0, "astronomical"), (-18.0, "night"))


@dataclass(frozen=True, slots=True)
class Elevations:
    """A drawing of a night.

    Attributes
    ----------
    target, moon
        Points of lines, as SVG writes them.
    shades
        Of the twilights and the night, each lying over the one before: x, width, name.
    hours, levels
        Place and label of the marks of both axes.
    """

    target: str
    moon: str
    shades: list[tuple[float, float, str]]
    hours: list[tuple[float, str]]
    levels: list[tuple[float, str]]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def elevations(night: Night) -> Elevations:
    """Elevation of the object and of the Moon over a night, from sunset to sunrise (or noon to noon)."""
    down = night.sun < 0.0
    first, last = (
        (int(np.argmax(down)), len(down) - 1 - int(np.argmax(down[::-1])))
        if down.any()
        else (0, len(down) - 1)
    )
    first, last = max(0, first - 3), min(len(down) - 1, last + 3)
    mjd = night.mjd[first : last + 1]

    def x(when: Any) -> Any:
        return _LEFT + (when - mjd[0]) / (mjd[-1] - mjd[0]) * (WIDTH - _LEFT - _RIGHT)

    def line(values: Float64) -> str:
        """Points above the horizon; below it the line runs along it."""
        y = _y(np.clip(values[first : last + 1], 0.0, 90.0))
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(mjd), y, strict=True))

    shades = []
    for below, name in _TWILIGHTS:
        inside = np.flatnonzero(night.sun[first : last + 1] < below)
        if inside.size:
            begin, end = float(x(mjd[inside[0]])), float(x(mjd[inside[-1]]))
            shades.append((begin, end - begin, name))
    whole = np.arange(np.ceil(mjd[0] * 24.0), mjd[-1] * 24.0) / 24.0
    hours = [
        (float(x(when)), f"{round(when * 24.0) % 24:02d}") for when in whole[:: 2 if len(whole) > 12 else 1]
    ]
    levels = [(float(_y(np.float64(level))), f"{level}°") for level in (0, 30, 60, 90)]
    return Elevations(line(night.elevation), line(night.moon), shades, hours, levels)


def moment(night: Night, place: int) -> dict[str, Any]:
    """What holds at a place of the night's times."""
    return {
        "utc": Time(night.mjd[place], format="mjd", scale="utc").strftime("%Y-%m-%d %H:%M"),
        "elevation": float(night.elevation[place]),
        "airmass": None if night.elevation[place] <= 0.0 else float(night.airmass[place]),
        "moon": float(night.moon[place]),
        "moon_distance": float(night.moon_distance[place]),
        "sun": float(night.sun[place]),
    }


def hourly(night: Night) -> list[dict[str, Any]]:
    """`moment` at every full hour at which the Sun is down."""
    minutes = np.round(night.mjd * 1440.0).astype(np.int64) % 60
    nearest = np.flatnonzero((minutes < 10) & (night.sun < 0.0))
    return [moment(night, int(place)) for place in nearest]


@dataclass(frozen=True, slots=True)
class ClassHistory:
    """A drawing of how a model's probabilities went with every detection.

    Attributes
    ----------
    lines
        Of each class that was ever probable: its name, and points as SVG writes them.
    dates, levels
        Place and label of the marks of both axes.
    """

    model: str
    lines: list[tuple[str, str]]
    dates: list[tuple[float, str]]
    levels: list[tuple[float, str]]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def class_histories(rows: list[dict[str, Any]], leaves: Sequence[str]) -> list[ClassHistory]:
    """A drawing for each model that has spoken at two times or more.

    Parameters
    ----------
    rows
        Of `classification_history`.
    leaves
        The classes to draw: those that were at some time more probable than 0.1, at most six.
    """
    found = []
    for model in sorted({row["model"] for row in rows}):
        mine = sorted(
            (row for row in rows if row["model"] == model), key=lambda row: row["newestSourceMjdTai"]
        )
        first, last = mine[0]["newestSourceMjdTai"], mine[-1]["newestSourceMjdTai"]
        if first == last:
            continue

        def x(mjd: float, first: float = first, last: float = last) -> float:
            return float(_LEFT + (mjd - first) / (last - first) * (WIDTH - _LEFT - _RIGHT))

        most = {leaf: max((row[leaf] or 0.0) for row in mine) for leaf in leaves}
        shown = sorted((leaf for leaf in leaves if most[leaf] >= _PROBABLE), key=lambda leaf: -most[leaf])
        lines = [
            (
                leaf,
                " ".join(f"{x(r['newestSourceMjdTai']):.1f},{_y(90.0 * (r[leaf] or 0.0)):.1f}" for r in mine),
            )
            for leaf in shown[:_MOST_LINES]
        ]
        dates = [(x(mjd), f"{mjd:.0f}") for mjd in np.linspace(first, last, 5)]
        levels = [(float(_y(0.9 * level)), f"{level} %") for level in (0, 50, 100)]
        found.append(ClassHistory(model, lines, dates, levels))
    return found


def _y(elevation: Any) -> Any:
    return _TOP + (1.0 - elevation / 90.0) * (HEIGHT - _TOP - _BOTTOM)
