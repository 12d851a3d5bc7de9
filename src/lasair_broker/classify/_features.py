"""What the classifiers see of an object: one row of numbers, from the batch that the stream has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from lasair_broker.classify._kernel import BAND_VALUES, CURVE_VALUES, describe, unite
from lasair_broker.packets import BANDS, AlertBatch, SourceTable, floats_of

__all__ = ["FEATURES", "WINDOW", "distance_modulus", "features"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

WINDOW = 365.0
"""Days before the first detection of which forced measurements are looked at: what a Rubin packet holds."""

_FITTED_BY_BAND = ("bazinRiseRate", "bazinFallRate", "bazinReducedChi2", "magSlope", "riseSlope", "fadeSlope")
_FITTED = (
    "BBBRiseRate",
    "BBBFallRate",
    "BBBTemp",
    "BBBReducedChi2",
    "latestPairColourTemp",
    "peakPairColourMag",
    "firstPairColourMag",
    "colourSlope",
    "nondetectionGap",
    "nondetectionDuty",
    "posReducedChi2",
)
_PLACE = ("glat", "ebv")
_DISTANCE = ("redshift", "redshiftErr", "peakAbsMag", "latestAbsMag", "firstAbsMag", "widthAtRest")

FEATURES: tuple[str, ...] = (
    *CURVE_VALUES,
    *(f"{band}_{value}" for band in BANDS for value in BAND_VALUES),
    *(f"{band}_{value}" for value in _FITTED_BY_BAND for band in BANDS),
    *_FITTED,
    *_PLACE,
    *_DISTANCE,
)
"""Names of the columns of `features`; docs/classification.md says what each is."""

_SPEED_OF_LIGHT = 299_792.458
_PARSEC_MODULUS = 25.0


def features(batch: AlertBatch) -> Float32:
    """The features of each object of a batch that has gone through the light curve stage.

    Parameters
    ----------
    batch
        With the columns of `lightcurve.enrich`. Redshifts are taken from its table
        `sherlock_classifications` (`redshift`, `redshiftErr`), extinction from `ebv`.

    Returns
    -------
    Shape (objects, len(FEATURES)), single precision, NaN for what is not known.
    """
    sources, forced = batch.diaSources, batch.diaForcedSources
    united = unite(*_rows(sources), *_rows(forced), WINDOW)  # type: ignore[call-arg]  # a kernel's own count
    num_objects = batch.objects.num_rows
    curve = np.empty((num_objects, len(CURVE_VALUES)))
    bands = np.empty((num_objects, len(BANDS), len(BAND_VALUES)))
    describe(*united, curve, bands)  # type: ignore[call-arg]  # as above
    columns = [f"{band}_{value}" for value in _FITTED_BY_BAND for band in BANDS]
    fitted = [floats_of(batch.objects, name) for name in (*columns, *_FITTED)]
    galactic, ebv = np.abs(floats_of(batch.objects, "glat")), floats_of(batch.objects, "ebv")
    redshift, redshift_error = _redshifts(batch)
    found: Float32 = np.concatenate(
        [
            curve,
            bands.reshape(num_objects, -1),
            np.stack([*fitted, galactic, ebv], 1),
            _at_distance(curve, redshift, redshift_error),
        ],
        axis=1,
    ).astype(np.float32)
    return found


def _rows(table: SourceTable) -> tuple[npt.NDArray[np.generic], ...]:
    time = np.where(np.isnan(table.numpy("timeWithdrawnMjdTai")), table.numpy("midpointMjdTai"), np.nan)
    return (
        np.ascontiguousarray(table.offsets, np.int64),
        np.ascontiguousarray(time, np.float64),
        np.ascontiguousarray(table.numpy("psfFlux"), np.float64),
        np.ascontiguousarray(table.numpy("psfFluxErr"), np.float64),
        np.ascontiguousarray(table.numpy("band"), np.int8),
    )


def _redshifts(batch: AlertBatch) -> tuple[Float64, Float64]:
    """The redshift that the context stage found for each object, and its error; NaN if none."""
    unknown = np.full(batch.objects.num_rows, np.nan)
    table = batch.tables.get("sherlock_classifications")
    if table is None or table.num_rows == 0 or "redshift" not in table.column_names:
        return unknown, unknown
    found = pc.index_in(
        batch.objects.column("diaObjectId"), value_set=table.column("diaObjectId").combine_chunks()
    )
    rows = pc.fill_null(found, -1).to_numpy()
    redshift, error = (
        np.where(rows >= 0, floats_of(table, c)[rows], np.nan) for c in ("redshift", "redshiftErr")
    )
    return np.where(redshift > 0.0, redshift, np.nan), error


def _at_distance(curve: Float64, redshift: Float64, error: Float64) -> Float64:
    """What the redshift makes of the light curve; NaN without one."""
    modulus = distance_modulus(redshift)
    at = {name: place for place, name in enumerate(CURVE_VALUES)}
    peak, latest, first = (curve[:, at[name]] - modulus for name in ("peakMag", "latestMag", "firstMag"))
    width = curve[:, at["widthAboveHalf"]] / (1.0 + redshift)
    return np.stack([redshift, error, peak, latest, first, width], 1)


def distance_modulus(redshift: Float64) -> Float64:
    """Distance modulus in a flat universe with H0 = 70 km/s/Mpc and a matter density of 0.3.

    By the approximation of Pen 1999, ApJS 120, 49, good to 0.4 %: a classifier needs no particular cosmology.
    """
    matter = 0.3
    s3 = (1.0 - matter) / matter
    s = s3 ** (1.0 / 3.0)

    def eta(a: Float64 | float) -> Float64:
        series = a**-4.0 - 0.1540 * s / a**3 + 0.4304 * s**2 / a**2 + 0.19097 * s**3 / a + 0.066941 * s**4
        return np.asarray(2.0 * np.sqrt(s3 + 1.0) * series ** (-1.0 / 8.0))

    with np.errstate(invalid="ignore", divide="ignore"):
        distance = _SPEED_OF_LIGHT / 70.0 * (1.0 + redshift) * (eta(1.0) - eta(1.0 / (1.0 + redshift)))
        modulus: Float64 = 5.0 * np.log10(distance) + _PARSEC_MODULUS
    return modulus
