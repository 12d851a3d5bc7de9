"""What the detections of an object say of it where its survey says nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._source_table import SourceTable

__all__ = ["mean_positions", "standing_counts"]

Float64 = npt.NDArray[np.float64]


def standing_counts(
    sources: SourceTable, any_withdrawn: bool = True
) -> tuple[Float64, Float64, npt.NDArray[np.int32]]:
    """First and last time (MJD TAI, NaN without any) of each object's detections that are not withdrawn, and
    their number. If it is known that none is withdrawn, a column less is read."""
    time = sources.numpy("midpointMjdTai")
    offsets = sources.offsets
    if any_withdrawn:
        stands = np.isnan(sources.numpy("timeWithdrawnMjdTai"))
        time = time[stands]
        offsets = np.concatenate(([0], np.cumsum(stands)))[offsets]
    number = np.diff(offsets)
    some = number > 0
    first = np.full(len(number), np.nan)
    last = np.full(len(number), np.nan)
    first[some] = time[offsets[:-1][some]]
    last[some] = time[offsets[1:][some] - 1]
    return first, last, number.astype(np.int32)


def mean_positions(sources: SourceTable) -> tuple[Float64, Float64]:
    """Mean direction (degrees) of the detections of each object; 0, 0 for an object without any."""
    lon, lat = np.radians(sources.numpy("ra")), np.radians(sources.numpy("decl"))
    some = np.diff(sources.offsets) > 0
    starts = sources.offsets[:-1][some]
    x, y, z = np.zeros((3, len(some)))
    if some.any():
        x[some] = np.add.reduceat(np.cos(lat) * np.cos(lon), starts)
        y[some] = np.add.reduceat(np.cos(lat) * np.sin(lon), starts)
        z[some] = np.add.reduceat(np.sin(lat), starts)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
