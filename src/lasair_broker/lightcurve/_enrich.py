"""The feature stage: light curves in, columns of `objects` out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from lasair_broker.lightcurve._arrow import coalesced, columns_of, words_of
from lasair_broker.lightcurve._counting import COUNTS, FLUXES, TIMES, count, weighted_means
from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Measurements, Rows, float32, float64
from lasair_broker.lightcurve._fits import BAND_VALUES, SURFACE_VALUES, band_fits, surface_fits
from lasair_broker.lightcurve._hosts import absolute_magnitudes, hosts, peak_absolute_magnitudes
from lasair_broker.lightcurve._jumps import jumps
from lasair_broker.lightcurve._nondetections import NONDETECTION_VALUES, nondetections
from lasair_broker.lightcurve._pairs import PAIR_BANDS, PAIR_FLUXES, PAIR_TIMES, pairs
from lasair_broker.lightcurve._positions import POSITION_VALUES, positions
from lasair_broker.lightcurve._problems import may_be_transient
from lasair_broker.lightcurve._resources import REFERENCE_BAND, FeatureResources
from lasair_broker.lightcurve._statistics import STATISTICS, band_statistics
from lasair_broker.packets import BANDS, AlertBatch, floats_of
from lasair_broker.sky import galactic_latitude, htm16

_FORCED_MEANS = ("fpFluxMean", "fpFluxMeanErr")
_SCIENCE_MEANS = ("scienceFluxMean", "scienceFluxMeanErr")

_PAIR_WORDS = tuple(f"{blue}-{red}" for blue in BANDS for red in BANDS)


def _by_band(names: Sequence[str]) -> tuple[str, ...]:
    """Column names of a block of shape (names, bands, objects) laid out flat."""
    return tuple(f"{band}_{name}" for name in names for band in BANDS)


_STATISTICS_COLUMNS = _by_band(STATISTICS)
_FORCED_COLUMNS = _by_band(_FORCED_MEANS)
_SCIENCE_COLUMNS = _by_band(_SCIENCE_MEANS)
_BAND_FIT_COLUMNS = _by_band(BAND_VALUES)
_BAND_FIT_TIMES = _by_band(("bazinPeakMJD",))

SURVEY_COLUMNS = frozenset(
    (
        *_by_band(STATISTICS[:7]),
        *_by_band(("psfFluxNdata",)),
        *_FORCED_COLUMNS,
        *_SCIENCE_COLUMNS,
        "nDiaSources",
    )
)
"""Columns that Rubin supplies: what the survey gave stands, and only its gaps are filled."""


def enrich(batch: AlertBatch, resources: FeatureResources) -> AlertBatch:
    """Add the feature columns of table `objects` to a batch.

    Parameters
    ----------
    batch
        Needs `diaObjectId`, `ra` and `decl` in its objects. If it has `ebv` (mag) there and a table
        `sherlock_classifications`, temperatures are corrected for extinction, absolute magnitudes are
        computed, and objects of a class that is no transient are not fitted.
    resources
        Passbands, cosmology, and whether to fit.

    Returns
    -------
    The batch with every column of this package in `objects`, in the types of the schema. Withdrawn sources
    are left out. A value that cannot be computed is NULL; no light curve raises.
    """
    detections = Rows.of(batch.diaSources)
    forced = Rows.of(batch.diaForcedSources)
    limits = Rows.of(batch.diaNondetectionLimits)
    curves = Measurements.of(detections)
    columns: dict[str, pa.Array] = dict(_counts(batch, detections))
    columns.update(_shapes(detections, forced, limits, curves, batch))
    columns.update(_colours_and_fits(batch, resources, curves, forced))
    columns.update(_places(batch))
    return replace(batch, objects=_joined(batch.objects, columns))


def _object_column(batch: AlertBatch, name: str) -> Float64:
    """A numeric column of the objects as doubles with NaN for NULL; all NaN if there is none."""
    return float64(floats_of(batch.objects, name))


def _counts(batch: AlertBatch, detections: Rows) -> Iterator[tuple[str, pa.Array]]:
    fluxes, times, counts = count(detections, float32(batch.diaSources.numpy("reliability")))
    yield from columns_of(FLUXES, fluxes, pa.float32())
    given = np.fmin(times[TIMES.index("firstDiaSourceMjdTai")], _object_column(batch, "firstDiaSourceMjdTai"))
    times[TIMES.index("firstDiaSourceMjdTai")] = given
    newest = times[TIMES.index("lastDiaSourceMjdTai")]
    newest[:] = np.where(np.isnan(newest), _object_column(batch, "lastDiaSourceMjdTai"), newest)
    yield from columns_of(TIMES, times, pa.float64())
    for name, values in zip(COUNTS, counts, strict=True):
        if name == "peakBand":
            yield name, words_of(values.astype(np.int8), BANDS)
        else:
            yield name, pa.array(values)


def _shapes(
    detections: Rows, forced: Rows, limits: Rows, curves: Measurements, batch: AlertBatch
) -> Iterator[tuple[str, pa.Array]]:
    """What needs nothing but the light curves and positions."""
    sources = batch.diaSources
    num_objects = batch.objects.num_rows
    statistics = band_statistics(curves)
    yield from columns_of(_STATISTICS_COLUMNS, statistics, pa.float32())
    number = np.diff(curves.band_offsets).astype(np.int32).reshape(num_objects, NUM_BANDS)
    for k, band in enumerate(BANDS):
        yield f"{band}_psfFluxNdata", pa.array(np.ascontiguousarray(number[:, k]))
    science = float32(sources.numpy("scienceFlux")), float32(sources.numpy("scienceFluxErr"))
    for names, means in (
        (_FORCED_COLUMNS, weighted_means(forced, forced.flux, forced.error)),
        (_SCIENCE_COLUMNS, weighted_means(detections, *science)),
    ):
        yield from columns_of(names, means, pa.float32())
    yield from columns_of(("jump1", "jump2"), jumps(curves), pa.float32())
    values, newest, forced_number = nondetections(detections, forced, limits)
    yield from columns_of(NONDETECTION_VALUES, values, pa.float32())
    yield from columns_of(("lastNondetectionMJD",), newest[None], pa.float64())
    yield "nForcedSources", pa.array(forced_number)
    scatter = positions(
        detections.offsets,
        detections.time,
        float64(sources.numpy("ra")),
        float64(sources.numpy("decl")),
        float32(sources.numpy("raErr")),
        float32(sources.numpy("decErr")),
        _object_column(batch, "ra"),
        _object_column(batch, "decl"),
    )
    yield from columns_of(POSITION_VALUES, scatter, pa.float32())


def _colours_and_fits(
    batch: AlertBatch, resources: FeatureResources, curves: Measurements, forced: Rows
) -> Iterator[tuple[str, pa.Array]]:
    """What depends on the survey's passbands, extinction, class or distance."""
    passbands = resources.of_survey(batch.survey)
    # The seventh is the reference of the surface fit.
    wavelength = float64(np.array([*passbands.wavelength, passbands.wavelength[REFERENCE_BAND]]))
    extinction = float64(np.array([*passbands.extinction, passbands.extinction[REFERENCE_BAND]]))
    ebv = _object_column(batch, "ebv")
    host = hosts(batch, resources)
    values, times, codes = pairs(curves, wavelength, extinction, ebv)
    yield from columns_of(PAIR_FLUXES, values, pa.float32())
    yield from columns_of(PAIR_TIMES, times, pa.float64())
    for name, of_pair in zip(PAIR_BANDS, codes, strict=True):
        yield name, words_of(of_pair, _PAIR_WORDS)
    magnitude, error, time = absolute_magnitudes(curves, extinction, ebv, host)
    yield from columns_of(("absMag", "absMagErr"), np.stack([magnitude, error]), pa.float32())
    yield from columns_of(("absMagMJD",), time[None], pa.float64())
    eligible = host.may_be_transient & may_be_transient(curves) & resources.fits
    forced_curves = Measurements.of(forced) if eligible.any() else curves
    surface, surface_peak = surface_fits(curves, forced_curves, wavelength, extinction, ebv, eligible)
    yield from columns_of(SURFACE_VALUES, surface, pa.float32())
    peak_flux = surface[SURFACE_VALUES.index("BBBPeakFlux")]
    peak = peak_absolute_magnitudes(peak_flux, float(extinction[-1]), ebv, host)
    yield from columns_of(("BBBPeakAbsMag",), peak[None], pa.float32())
    yield from columns_of(("BBBPeakMJD",), surface_peak[None], pa.float64())
    in_bands, peaks = band_fits(curves, forced_curves, eligible)
    yield from columns_of(_BAND_FIT_COLUMNS, in_bands, pa.float32())
    yield from columns_of(_BAND_FIT_TIMES, peaks, pa.float64())


def _places(batch: AlertBatch) -> Iterator[tuple[str, pa.Array]]:
    ra, decl = _object_column(batch, "ra"), _object_column(batch, "decl")
    yield from columns_of(("glat",), galactic_latitude(ra, decl)[None], pa.float32())
    cells = htm16(ra, decl)
    yield "htm16", pa.array(cells, mask=cells < 0)


def _joined(objects: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    """`objects` with the columns added or replaced, and the survey's own values kept."""
    merged = dict(zip(objects.column_names, objects.columns, strict=True))
    for name, values in columns.items():
        given = merged.get(name)
        if given is not None and name in SURVEY_COLUMNS:
            merged[name] = coalesced(given, values)
        else:
            merged[name] = values
    return pa.Table.from_arrays(list(merged.values()), names=list(merged))
