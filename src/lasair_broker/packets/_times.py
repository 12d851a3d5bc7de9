"""Time scales at the door: what surveys write as Julian dates or POSIX times in UTC becomes MJD in TAI."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

__all__ = [
    "in_range",
    "jd_utc_to_mjd_tai",
    "mjd_tai_now",
    "mjd_tai_to_mjd_utc",
    "mjd_tai_to_utc",
    "mjd_utc_to_mjd_tai",
    "posix_micros_to_mjd_tai",
]

MJD_OF_POSIX_EPOCH = 40587.0
"""MJD of 1970-01-01."""

_POSIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# TAI - UTC in seconds from each MJD (UTC) on: IERS Bulletin C. None is announced after 2017; the General
# Conference on Weights and Measures has resolved to stop adding them.
LEAP_SECONDS = np.array(
    [
        (41317, 10), (41499, 11), (41683, 12), (42048, 13), (42413, 14), (42778, 15), (43144, 16),
        (43509, 17), (43874, 18), (44239, 19), (44786, 20), (45151, 21), (45516, 22), (46247, 23),
        (47161, 24), (47892, 25), (48257, 26), (48804, 27), (49169, 28), (49534, 29), (50083, 30),
        (50630, 31), (51179, 32), (53736, 33), (54832, 34), (56109, 35), (57204, 36), (57754, 37),
    ],
    np.float64,
)  # fmt: skip


FIRST_MJD, LAST_MJD = 1.0, 1e10
"""Wide enough for the invented times of template packets (1.5e9), too narrow for most corrupt doubles."""


def in_range(mjd: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which MJD (days) may be the time of an observation; NaN may not."""
    return np.asarray((mjd >= FIRST_MJD) & (mjd < LAST_MJD))


def mjd_utc_to_mjd_tai(mjd: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """MJD in TAI (days) of MJD in UTC (days); dates before 1972 get the 10 s of 1972. NaN stays NaN."""
    utc = np.asarray(mjd, np.float64)
    place = np.searchsorted(LEAP_SECONDS[:, 0], utc, side="right") - 1
    offset = LEAP_SECONDS[np.maximum(place, 0), 1]
    return np.asarray(utc + offset / 86400.0)


def mjd_tai_to_mjd_utc(mjd: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """MJD in UTC (days) of MJD in TAI (days); dates before 1972 as above. NaN stays NaN."""
    tai = np.asarray(mjd, np.float64)
    place = np.searchsorted(LEAP_SECONDS[:, 0] + LEAP_SECONDS[:, 1] / 86400.0, tai, side="right") - 1
    offset = LEAP_SECONDS[np.maximum(place, 0), 1]
    return np.asarray(tai - offset / 86400.0)


def jd_utc_to_mjd_tai(jd: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """MJD in TAI (days) of Julian dates in UTC (days). A double holds a Julian date to 40 μs."""
    return mjd_utc_to_mjd_tai(np.asarray(jd, np.float64) - 2400000.5)


def posix_micros_to_mjd_tai(micros: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """MJD in TAI (days) of microseconds since 1970-01-01 UTC (Avro's timestamp-micros)."""
    return mjd_utc_to_mjd_tai(MJD_OF_POSIX_EPOCH + np.asarray(micros, np.float64) / 86400e6)


def mjd_tai_to_utc(mjd: float) -> datetime:
    """The date and time of MJD in TAI (days), to the microsecond, as a double has it.

    Raises
    ------
    ValueError, OverflowError
        If it is not between the years 1 and 9999.
    """
    return _POSIX_EPOCH + timedelta(
        microseconds=round((float(mjd_tai_to_mjd_utc(mjd)) - MJD_OF_POSIX_EPOCH) * 86400e6)
    )


def mjd_tai_now() -> float:
    """The present moment, MJD in TAI (days), by the clock of this machine."""
    return float(posix_micros_to_mjd_tai(time.time() * 1e6))
