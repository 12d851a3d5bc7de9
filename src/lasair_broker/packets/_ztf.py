"""Packets of the Zwicky Transient Facility, schemas 3.x and 4.x: magnitudes become difference fluxes in nJy.

- `jd` is the start of the exposure in UTC. The history does not say how long an exposure was, and a
  detection must have one time in all packets, so the middle is half of ZTF's standard 30 s later; forced
  photometry states its own.
- A magnitude on the difference image is a flux with the sign of `isdiffpos` ("t" or "1" is brighter than
  the template).
- Entries of `prv_candidates` without `magpsf` are images without a detection: `diffmaglim` is their 5 σ
  limit.
- Forced photometry is in counts, with a zero point of its own for each image.
- Missing values are null, -999 or -99999.
- `pid` is the exposure (first digits), the readout channel (two digits) and a constant "15"; checked on
  real packets.
- The total flux is that of the reference source plus the difference, if the nearest source of the reference
  image is at the place (1.4″) and point-like: Förster et al. 2021, AJ 161, 242. The reference's noise is
  part of the difference's, so the variance of the total is the difference of the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ._columns import Column
from ._convert import magnitude_to_nJy, present
from ._lsst import LIMIT_SIGMAS
from ._mapping import Part, Rule, Survey, same
from ._times import jd_utc_to_mjd_tai
from ._ztf_ids import ztf_object_id

__all__ = ["ZTF"]

_STANDARD_EXPOSURE = 30.0
_SENTINELS = (-999.0, -99999.0)
"""What stands for a missing value."""
_FLUX_ERROR = 0.4 * math.log(10.0)
"""Relative error of a flux for an error of one magnitude."""
_REFERENCE_RADIUS = 1.4
_SOLAR_SYSTEM_RADIUS = 5.0
"""Arcseconds within which a known body's predicted position makes it the cause of a detection."""
_SECONDS = 86400.0

_BANDS = ("g", "r", "i")
_POSITIVE, _NEGATIVE = frozenset({"t", "1"}), frozenset({"f", "0"})

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def _number(column: Column) -> tuple[Float64, Bool]:
    """Values as doubles, and which are there and no sentinel; the others are 0."""
    values = column.values.astype(np.float64)
    there = present(column) & np.isfinite(values)
    for sentinel in _SENTINELS:
        there &= values != sentinel
    return np.where(there, values, 0.0), there


def _measured(column: Column) -> Column:
    return Column(*_number(column))


def _middle(start: Column) -> Column:
    return Column(jd_utc_to_mjd_tai(start.values) + 0.5 * _STANDARD_EXPOSURE / _SECONDS, start.valid)


def _middle_of(start: Column, exposure: Column) -> Column:
    seconds, known = _number(exposure)
    half = 0.5 * np.where(known, seconds, _STANDARD_EXPOSURE)
    return Column(jd_utc_to_mjd_tai(start.values) + half / _SECONDS, start.valid)


def _end(start: Column, exposure: Column) -> Column:
    seconds, known = _number(exposure)
    return Column(jd_utc_to_mjd_tai(start.values) + seconds / _SECONDS, present(start) & known)


def _band(filter_number: Column) -> Column:
    number = filter_number.values
    known = present(filter_number) & (number >= 1) & (number <= len(_BANDS))
    return Column(np.where(known, number - 1, -1).astype(np.int32), known, _BANDS)


def _sign(is_positive: Column) -> tuple[Float64, Bool]:
    """+1 or -1 for each row, and where it is known."""
    words = is_positive.words or ()
    signs = np.array([1.0 if w in _POSITIVE else -1.0 if w in _NEGATIVE else 0.0 for w in words] + [0.0])
    sign = signs[np.where(present(is_positive), is_positive.values, -1)]
    return sign, sign != 0.0


def _is_negative(is_positive: Column) -> Column:
    sign, known = _sign(is_positive)
    return Column(sign < 0.0, known)


def _flux(magnitude: Column, is_positive: Column) -> Column:
    values, there = _number(magnitude)
    sign, known = _sign(is_positive)
    return Column(sign * magnitude_to_nJy(values), there & known)


def _flux_error(magnitude: Column, error: Column) -> Column:
    values, there = _number(magnitude)
    errors, known = _number(error)
    return Column(_FLUX_ERROR * errors * magnitude_to_nJy(values), there & known)


def _from_counts(counts: Column, zero_point: Column) -> Column:
    values, there = _number(counts)
    zero, known = _number(zero_point)
    return Column(values * magnitude_to_nJy(zero), there & known & (zero > 0.0))


def _reference(magnitude: Column, distance: Column, chi: Column, sharpness: Column) -> Column:
    """Flux of the point source of the reference image at the place of a detection."""
    values, there = _number(magnitude)
    arcsec, near = _number(distance)
    chi_values, has_chi = _number(chi)
    sharp_values, has_sharp = _number(sharpness)
    point_like = has_chi & (chi_values < 2.0) & has_sharp & (sharp_values > -0.13) & (sharp_values < 0.1)
    return Column(magnitude_to_nJy(values), there & near & (arcsec < _REFERENCE_RADIUS) & point_like)


def _reference_error(error: Column, *reference: Column) -> Column:
    flux = _reference(*reference)
    errors, known = _number(error)
    return Column(_FLUX_ERROR * errors * flux.values, present(flux) & known)


def _total(difference: Callable[..., Column], arguments: int) -> Callable[..., Column]:
    """Flux on the science image: of the difference (the first `arguments` columns) and the reference."""

    def convert(*columns: Column) -> Column:
        change, reference = difference(*columns[:arguments]), _reference(*columns[arguments:])
        return Column(change.values + reference.values, present(change) & present(reference))

    return convert


def _total_error(difference_error: Callable[..., Column]) -> Callable[..., Column]:
    def convert(*columns: Column) -> Column:
        change, reference = difference_error(*columns[:2]), _reference_error(*columns[2:])
        variance = change.values**2 - reference.values**2
        known = present(change) & present(reference) & (variance > 0.0)
        return Column(np.sqrt(np.where(known, variance, 0.0)), known)

    return convert


def _first_present(first: Column, second: Column) -> Column:
    a, has_a = _number(first)
    b, has_b = _number(second)
    return Column(np.where(has_a, a, b), has_a | has_b)


def _version(first: Column, first_version: Column, second_version: Column) -> Column:
    """The version of the classifier whose score `_first_present` takes."""
    _, has_first = _number(first)
    words = (*(first_version.words or ()), *(second_version.words or ()))
    later = second_version.values + len(first_version.words or ())
    known = np.where(has_first, present(first_version), present(second_version))
    return Column(np.where(has_first, first_version.values, later).astype(np.int32), known, words)


def _exposure_number(process: Column) -> Column:
    return Column(process.values // 10_000, process.valid)


def _object_id(name: Column) -> Column:
    ids = np.append(ztf_object_id(name.words or ()), 0)
    values = ids[np.where(present(name), name.values, -1)]
    return Column(values, values != 0)


def _limit_time(start: Column, detected: Column, limit: Column) -> Column:
    middle = _middle(start)
    _, has_limit = _number(limit)
    return Column(middle.values, present(middle) & ~present(detected) & has_limit)


def _limit(sigmas: float) -> Callable[[Column], Column]:
    def convert(magnitude: Column) -> Column:
        values, there = _number(magnitude)
        return Column(magnitude_to_nJy(values) * (sigmas / LIMIT_SIGMAS), there)

    return convert


def _near_body(distance: Column) -> Bool:
    arcsec, known = _number(distance)
    return np.asarray(known & (arcsec >= 0.0) & (arcsec < _SOLAR_SYSTEM_RADIUS))


def _of_body(column: Column, distance: Column) -> Column:
    """A field about the nearest solar-system body, where that body is the detection."""
    near = _near_body(distance)
    if column.words is not None:
        return Column(column.values, near & present(column), column.words)
    values, there = _number(column)
    return Column(values, near & there)


_REFERENCE_FIELDS = ("magnr", "distnr", "chinr", "sharpnr")
_SOURCE = {
    "diaSourceId": same("candid"),
    "visit": (Rule(("pid",), _exposure_number),),
    "detector": same("rcid"),
    "midpointMjdTai": (Rule(("jd",), _middle),),
    "exposureEndMjdTai": (Rule(("jd", "exptime"), _end),),
    "exposureTime": (Rule(("exptime",), _measured),),
    "decl": same("dec"),
    "x": (Rule(("xpos",), _measured),),
    "y": (Rule(("ypos",), _measured),),
    "band": (Rule(("fid",), _band),),
    "psfFlux": (Rule(("magpsf", "isdiffpos"), _flux),),
    "psfFluxErr": (Rule(("magpsf", "sigmapsf"), _flux_error),),
    "apFlux": (Rule(("magap", "isdiffpos"), _flux),),
    "apFluxErr": (Rule(("magap", "sigmagap"), _flux_error),),
    "isNegative": (Rule(("isdiffpos",), _is_negative),),
    "snr": (Rule(("scorr",), _measured),),
    "templateFlux": (Rule(_REFERENCE_FIELDS, _reference),),
    "templateFluxErr": (Rule(("sigmagnr", *_REFERENCE_FIELDS), _reference_error),),
    "scienceFlux": (Rule(("magpsf", "isdiffpos", *_REFERENCE_FIELDS), _total(_flux, 2)),),
    "scienceFluxErr": (
        Rule(("magpsf", "sigmapsf", "sigmagnr", *_REFERENCE_FIELDS), _total_error(_flux_error)),
    ),
    "reliability": (Rule(("drb", "rb"), _first_present), Rule(("rb",), _measured)),
    "reliabilityVersion": (Rule(("drb", "drbversion", "rbversion"), _version), *same("rbversion")),
}
_FORCED = {
    "diaForcedSourceId": same("pid"),
    "visit": (Rule(("pid",), _exposure_number),),
    "detector": same("rcid"),
    "midpointMjdTai": (Rule(("jd", "exptime"), _middle_of), Rule(("jd",), _middle)),
    "band": (Rule(("fid",), _band),),
    "psfFlux": (Rule(("forcediffimflux", "magzpsci"), _from_counts),),
    "psfFluxErr": (Rule(("forcediffimfluxunc", "magzpsci"), _from_counts),),
    "scienceFlux": (Rule(("forcediffimflux", "magzpsci", *_REFERENCE_FIELDS), _total(_from_counts, 2)),),
    "scienceFluxErr": (
        Rule(("forcediffimfluxunc", "magzpsci", "sigmagnr", *_REFERENCE_FIELDS), _total_error(_from_counts)),
    ),
}
_LIMIT = {
    "midpointMjdTai": (Rule(("jd", "magpsf", "diffmaglim"), _limit_time),),
    "band": (Rule(("fid",), _band),),
    "limitingFlux": (Rule(("diffmaglim",), _limit(LIMIT_SIGMAS)),),
    "diaNoise": (Rule(("diffmaglim",), _limit(1.0)),),
    "programmeId": same("programid"),
}
_BODY = {
    "present": (Rule(("ssdistnr",), lambda distance: Column(_near_body(distance))),),
    "designation": (Rule(("ssnamenr", "ssdistnr"), _of_body),),
    "ephVmag": (Rule(("ssmagnr", "ssdistnr"), _of_body),),
    "ephOffset": (Rule(("ssdistnr", "ssdistnr"), _of_body),),
}

ZTF = Survey(
    name="ztf",
    signs=("objectId", "candidate.candid", "candidate.jd", "candidate.magpsf", "candidate.fid"),
    detection=Part("", "candidate.", _SOURCE),
    history=Part("prv_candidates", "", _SOURCE),
    forced=Part("fp_hists", "", _FORCED),
    limits=Part("prv_candidates", "", _LIMIT),
    objects=Part("", "", {"diaObjectId": (Rule(("objectId",), _object_id),)}),
    ss_detection=Part("", "candidate.", _BODY),
    cutouts={
        "Difference": "cutoutDifference.stampData",
        "Science": "cutoutScience.stampData",
        "Template": "cutoutTemplate.stampData",
    },
    object_name="objectId",
)
