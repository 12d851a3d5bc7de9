"""Class and distance of the host that the context stage found, and absolute magnitudes from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.lightcurve._cosmology import SPEED_OF_LIGHT
from lasair_broker.lightcurve._curves import Float64, Measurements
from lasair_broker.lightcurve._kernel import kernel
from lasair_broker.lightcurve._resources import FeatureResources
from lasair_broker.packets import AlertBatch, floats_of

ZERO_POINT = 31.4
"""AB magnitude of 1 nJy."""

_WITH_HOST = ("SN", "NT")
"""Classes that put the object at its host's distance. An ORPHAN has no host, whatever its redshift."""

_NOT_TRANSIENT = ("VS", "CV", "BS", "AGN")
"""Classes of objects that come and go: their light curves are no single outburst."""

HOST_COLUMNS = (
    "classification", "best_distance", "best_distance_err", "z", "photoZ", "photoZErr", "redshiftKind",
    "redshift",
)  # fmt: skip
"""The columns of `sherlock_classifications` from which features follow."""

_PECULIAR = 300.0  # km/s
_MAG = 5.0 / math.log(10.0)


@dataclass(frozen=True, slots=True)
class Hosts:
    """What is known of the host of each of n objects.

    Attributes
    ----------
    to_absolute
        What to add to an apparent magnitude: minus distance modulus and K correction, mag; NaN without a
        host.
    to_absolute_error
        Its error from the redshift, or from `best_distance_err`, mag; NaN if neither is known.
    may_be_transient
        False for objects of a class that is not.
    """

    to_absolute: Float64
    to_absolute_error: Float64
    may_be_transient: npt.NDArray[np.bool_]


def hosts(batch: AlertBatch, resources: FeatureResources) -> Hosts:
    """Hosts from the batch's table `sherlock_classifications`; all unknown if it has none.

    The distance modulus is of `best_distance` (Mpc) if there is one, else of `z`, else of `photoZ`. The K
    correction is -2.5 log10(1 + z), that of a spectrum flat in frequency (Hogg et al. 2002,
    astro-ph/0210394, equation 8), on every one of these ways; without a redshift it is the distance's.
    """
    num_objects = batch.objects.num_rows
    unknown = np.full(num_objects, np.nan)
    table = batch.tables.get("sherlock_classifications")
    if table is None or table.num_rows == 0:
        return Hosts(unknown, unknown, np.ones(num_objects, np.bool_))
    rows = _rows_of_objects(batch.objects.column("diaObjectId"), table.column("diaObjectId"))
    found = rows >= 0
    classes = table.column("classification").to_numpy(zero_copy_only=False)[rows]
    with_host = found & np.isin(classes, _WITH_HOST)
    distance, distance_error, z, photo_z, photo_z_error = (
        np.where(with_host, floats_of(table, name)[rows], np.nan)
        for name in ("best_distance", "best_distance_err", "z", "photoZ", "photoZErr")
    )
    if "redshiftKind" in table.column_names:
        # A redshift of the object itself goes before whatever is known of a host, and needs none.
        own = pc.fill_null(pc.equal(table.column("redshiftKind"), "tns"), False).to_numpy()[rows] & found
        own &= ~np.isin(classes, _NOT_TRANSIENT)
        z = np.where(own, floats_of(table, "redshift")[rows], z)
        distance, distance_error = (np.where(own, np.nan, v) for v in (distance, distance_error))
    distance = np.where(distance > 0.0, distance, np.nan)
    spectroscopic = z > 0.0
    redshift = np.where(spectroscopic, z, np.where(photo_z > 0.0, photo_z, np.nan))
    measured = np.isnan(distance) & np.isfinite(redshift)
    if np.any(np.isnan(redshift) & np.isfinite(distance)):
        redshift = np.where(np.isnan(redshift), resources.redshift_at(distance), redshift)
    distance = np.where(measured, resources.luminosity_distance(redshift), distance)
    with np.errstate(invalid="ignore", divide="ignore"):
        modulus = 5.0 * np.log10(distance) + 25.0
        redshift_error = np.where(spectroscopic, _PECULIAR / SPEED_OF_LIGHT, photo_z_error)
        error = _MAG * np.where(measured, redshift_error / redshift, distance_error / distance)
        return Hosts(
            to_absolute=-modulus + 2.5 * np.log10(1.0 + redshift),
            to_absolute_error=error,
            may_be_transient=~(found & np.isin(classes, _NOT_TRANSIENT)),
        )


def _rows_of_objects(objects: pa.ChunkedArray, others: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """For each object its row among `others`, -1 if it has none."""
    found = pc.index_in(objects, value_set=others.combine_chunks())
    rows: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return rows


def absolute_magnitudes(
    curves: Measurements, extinction: Float64, ebv: Float64, host: Hosts
) -> tuple[Float64, Float64, Float64]:
    """Brightest absolute magnitude of each object, its error, and its time.

    Corrected for galactic extinction; NaN where E(B-V) or the distance is not known, or no flux is positive.
    The error joins that of the flux with that of the redshift where it is known.
    """
    out = np.full((3, len(ebv)), np.nan)
    _brightest(curves.offsets, curves.time, curves.flux, curves.error, curves.band, extinction, ebv, out)
    magnitude = out[0] + host.to_absolute
    error = np.hypot(out[1], np.nan_to_num(host.to_absolute_error))
    known = np.isfinite(magnitude)
    return magnitude, np.where(known, error, np.nan), np.where(known, out[2], np.nan)


@kernel
def _brightest(offsets, time, flux, error, band, extinction, ebv, out):  # type: ignore[no-untyped-def]  # see above
    for i in range(len(offsets) - 1):
        if not math.isfinite(ebv[i]):
            continue
        for k in range(offsets[i], offsets[i + 1]):
            if flux[k] > 0.0:
                magnitude = ZERO_POINT - 2.5 * math.log10(flux[k]) - extinction[band[k]] * ebv[i]
                if not magnitude >= out[0, i]:
                    out[0, i] = magnitude
                    out[1, i] = 2.5 / math.log(10.0) * error[k] / flux[k]
                    out[2, i] = time[k]


def peak_absolute_magnitudes(peak_flux: Float64, extinction: float, ebv: Float64, host: Hosts) -> Float64:
    """Absolute magnitudes of peak fluxes (nJy as observed, in a band of this A/E(B-V)); NaN if unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        apparent = np.where(peak_flux > 0.0, ZERO_POINT - 2.5 * np.log10(peak_flux), np.nan)
    magnitudes: Float64 = apparent - extinction * ebv + host.to_absolute
    return magnitudes
