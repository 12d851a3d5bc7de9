"""A light curve drawn with letters, for a terminal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["chart"]


def chart(
    time: npt.NDArray[np.float64],
    flux: npt.NDArray[np.float64],
    band: list[str | None],
    width: int = 80,
    height: int = 14,
) -> list[str]:
    """Draw points as the letters of their bands; where points of several bands fall together, ``*``.

    Parameters
    ----------
    time, flux
        Points in any units; those that are not finite are left out.
    band
        The letter of each point; None is drawn as ``?``.
    width, height
        Of the lines, in characters, and of the drawing above the time scale.

    Returns
    -------
    list of str
        The lines from top to bottom, with the flux scale on the left and the time scale below; empty if
        there is no point to draw.
    """
    good = np.isfinite(time) & np.isfinite(flux)
    if not good.any():
        return []
    time, flux = time[good], flux[good]
    letters = [b[0] if b else "?" for b, keep in zip(band, good, strict=True) if keep]
    low, high = min(float(flux.min()), 0.0), max(float(flux.max()), 0.0)
    span = (high - low) or 1.0
    zero = round(high / span * (height - 1))
    labels = {0: f"{high:,.0f}", height - 1: f"{low:,.0f}", zero: "0"}
    gutter = max(len(text) for text in labels.values())
    width = max(width - gutter - 2, 20)
    start, stop = float(time.min()), float(time.max())
    duration = (stop - start) or 1.0
    column = np.clip(((time - start) / duration * (width - 1)).round().astype(int), 0, width - 1)
    row = np.clip(((high - flux) / span * (height - 1)).round().astype(int), 0, height - 1)
    cells = [[" "] * width for _ in range(height)]
    cells[zero] = ["·"] * width
    for x, y, letter in zip(column, row, letters, strict=True):
        here = cells[y][x]
        cells[y][x] = letter if here in (" ", "·", letter) else "*"
    lines = [f"{labels.get(y, ''):>{gutter}} ┤{''.join(cells[y])}" for y in range(height)]
    ends = f"{start:.2f}".ljust(width - len(f"{stop:.2f}")) + f"{stop:.2f}"
    return [*lines, " " * (gutter + 2) + ends]
