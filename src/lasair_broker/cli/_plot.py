"""The picture that `lasair object ID --plot FILE.png` makes of a light curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lasair_broker.packets import BANDS

__all__ = ["BAND_COLOURS", "plot_light_curve"]

BAND_COLOURS = {
    "u": "#56b4e9",
    "g": "#008060",
    "r": "#d3330b",
    "i": "#a0159b",
    "z": "#1c2e8a",
    "y": "#7a5c1e",
}
"""Dark enough on white, distinct for colour-blind readers, in the order of wavelength."""

_MARKERS = {"u": "o", "g": "^", "r": "v", "i": "s", "z": "*", "y": "p"}


def plot_light_curve(
    path: Path, title: str, sources: pa.Table, forced: pa.Table, limits: pa.Table | None = None
) -> None:
    """Draw difference flux (nJy) against time (MJD TAI) in each band and save it at `path`.

    Detections are filled markers, forced photometry open ones, five-sigma limits arrows. The ending of `path`
    chooses the format (png, pdf, svg).

    Raises
    ------
    ValueError
        If matplotlib knows no format for the ending of `path`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for band in (*BANDS, None):
        colour = BAND_COLOURS.get(band or "", "#666666")
        marker = _MARKERS.get(band or "", "x")
        for table, filled in ((forced, False), (sources, True)):
            time, flux, error = _points(table, band)
            if len(time):
                axes.errorbar(
                    time,
                    flux,
                    yerr=error,
                    fmt=marker,
                    color=colour,
                    mfc=colour if filled else "none",
                    alpha=1.0 if filled else 0.5,
                    ms=6 if filled else 4,
                    elinewidth=0.8,
                    lw=0,
                    label=f"{band or 'other'}" if filled else None,
                )
        if limits is not None and limits.num_rows:
            mine = _in_band(limits, band)
            axes.plot(
                mine["midpointMjdTai"].to_numpy(),
                mine["limitingFlux"].to_numpy(),
                marker=r"$\downarrow$",
                color=colour,
                alpha=0.5,
                lw=0,
            )
    axes.axhline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_xlabel("MJD (TAI)")
    axes.set_ylabel("difference flux (nJy)")
    axes.set_title(title)
    axes.ticklabel_format(axis="x", useOffset=False)
    _magnitude_axis(axes)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(title="band", loc="best", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _in_band(table: pa.Table, band: str | None) -> pa.Table:
    known = np.array([b if b in BANDS else "" for b in table["band"].to_pylist()], dtype=object)
    return table.filter(pa.array(known == (band or "")))


def _points(table: pa.Table, band: str | None) -> tuple[Any, Any, Any]:
    mine = _in_band(table, band)
    time = mine["midpointMjdTai"].to_numpy().astype(float)
    flux = mine["psfFlux"].to_numpy().astype(float)
    error = mine["psfFluxErr"].to_numpy().astype(float)
    good = np.isfinite(flux)
    return time[good], flux[good], np.nan_to_num(error[good])


def _magnitude_axis(axes: Any) -> None:
    """AB magnitudes of positive fluxes on the right, at round values inside the range shown."""
    low, high = axes.get_ylim()
    if high <= 0:
        return
    brightest = 31.4 - 2.5 * np.log10(high)
    span = list(np.arange(np.ceil(brightest * 2) / 2, brightest + 4, 0.5))[:6]
    right = axes.twinx()
    right.set_ylim(low, high)
    right.set_yticks([10 ** ((31.4 - m) / 2.5) for m in span], [f"{m:.1f}" for m in span])
    right.set_ylabel("AB magnitude of the difference")
