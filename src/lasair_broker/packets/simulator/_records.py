"""Columns of Rubin's records: diaSource, diaForcedSource, diaObject, ssSource and mpc_orbits, under their own
names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.packets import BANDS
from lasair_broker.packets.avro import Text
from lasair_broker.packets.simulator._detections import (
    FORCED_COUNTER,
    MOVING,
    RESIDUAL,
    source_ids,
)
from lasair_broker.packets.simulator._field import Field
from lasair_broker.packets.simulator._history import History, object_summary
from lasair_broker.packets.simulator._measure import TEMPLATE_ERROR
from lasair_broker.packets.simulator._orbits import AU_DAY_KM_S
from lasair_broker.packets.simulator._random import uniform_array
from lasair_broker.packets.simulator._solar_system import NIGHTS_TOGETHER, SLOPE_G, designations
from lasair_broker.packets.simulator._sphere import ecliptic, galactic, tangent_plane

__all__ = [
    "dia_forced_sources",
    "dia_objects",
    "dia_source_ids",
    "dia_sources",
    "night_group",
    "solar_system_records",
]

Columns = dict[str, Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_PROCESSING_DAYS = 125.0 / 86400.0
_PIXEL_ARCSEC = 0.2
_EXPOSURE_DAYS = 30.0 / 86400.0

# Flags that a good measurement does not raise; one array of zeros serves them all.
_QUIET_FLAGS = (
    "centroid_flag", "apFlux_flag", "apFlux_flag_apertureTruncated", "psfFlux_flag", "psfFlux_flag_edge",
    "psfFlux_flag_noGoodPixels", "trail_flag_edge", "forced_PsfFlux_flag", "forced_PsfFlux_flag_edge",
    "forced_PsfFlux_flag_noGoodPixels", "shape_flag", "shape_flag_no_pixels", "shape_flag_not_contained",
    "shape_flag_parent_source", "pixelFlags_bad", "pixelFlags_edge", "pixelFlags_nodata",
    "pixelFlags_nodataCenter",
    "pixelFlags_offimage", "pixelFlags_saturated", "pixelFlags_saturatedCenter", "pixelFlags_suspect",
    "pixelFlags_suspectCenter", "pixelFlags_streak", "pixelFlags_streakCenter", "pixelFlags_injected",
    "pixelFlags_injectedCenter", "pixelFlags_injected_template", "pixelFlags_injected_templateCenter",
    "glint_trail",
)  # fmt: skip


def dia_source_ids(field: Field, rows: Int64) -> Int64:
    """`diaSourceId` of detections."""
    d = field.detections
    high = source_ids(field.visits.visit, 0, 0)[d.visit[rows]]
    return high | d.detector[rows].astype(np.int64) << 19 | d.counter[rows]


def _shake(key: npt.NDArray[np.uint64], purpose: int) -> npt.NDArray[np.float64]:
    """A number from -1 to 1 for each detection and purpose: for what needs scatter but no exact
    distribution."""
    return 2.0 * uniform_array(key + np.uint64(1000 + purpose)) - 1.0


def dia_sources(field: Field, rows: Int64) -> Columns:
    """All columns of diaSource for detections of a field; what is missing is a masked array's mask or not
    given.

    Units are Rubin's: nJy, degrees, pixels, arcsec for trails and dipoles, MJD TAI.
    """
    d, visits = field.detections, field.visits
    n = len(rows)
    visit, key, kind = d.visit[rows], d.key[rows], d.kind[rows]
    psf, err = d.psf[rows], d.err[rows]
    ra, decl = d.ra[rows], d.decl[rows]
    seeing = visits.seeing[visit]
    moving = kind == MOVING
    still = rows < field.starts[-1]
    ids = dia_source_ids(field, rows)
    first = np.where(still, field.starts[np.where(still, d.object_index[rows], 0)], rows)
    first_ids = np.where(first == rows, ids, dia_source_ids(field, first))
    snr = np.abs(psf) / err
    position_error = np.sqrt((seeing / (2.355 * np.maximum(snr, 1.0))) ** 2 + 1e-4).astype(np.float32)
    degrees = position_error / np.float32(3600.0)
    across = (degrees / np.cos(np.radians(decl))).astype(np.float32)
    quiet = np.zeros(n, np.bool_)
    dipole = (kind == RESIDUAL) & (_shake(key, 1) > 0.2)
    cosmic = (kind == 2) & (psf > 0)
    length, angle = _trails(field, rows, seeing, key)
    variance = (seeing / 2.3548) ** 2
    size = variance * (1.0 + 0.15 * _shake(key, 2)) * np.where(cosmic, 0.3, 1.0)
    columns: Columns = {
        "diaSourceId": ids,
        "visit": visits.visit[visit],
        "detector": d.detector[rows].astype(np.int32),
        "diaObjectId": np.ma.masked_array(first_ids, mask=moving),
        "midpointMjdTai": visits.mjd[visit],
        "ra": ra,
        "raErr": across,
        "dec": decl,
        "decErr": degrees,
        "ra_dec_Cov": (0.1 * _shake(key, 3) * across * degrees).astype(np.float32),
        "x": d.x[rows],
        "xErr": position_error / np.float32(_PIXEL_ARCSEC),
        "y": d.y[rows],
        "yErr": position_error / np.float32(_PIXEL_ARCSEC),
        "apFlux": (psf + 2.6 * err * 0.6 * _shake(key, 4)).astype(np.float32),
        "apFluxErr": np.float32(2.6) * err,
        "isNegative": psf < 0,
        "snr": snr,
        "psfFlux": psf,
        "psfFluxErr": err,
        "psfChi2": (1681.0 + 100.0 * _shake(key, 5) + 600.0 * (kind == RESIDUAL) * uniform_array(key)).astype(
            np.float32
        ),
        "psfNdata": np.full(n, 1681, np.int32),
        "trailFlux": (psf * (1.02 + 0.03 * _shake(key, 6))).astype(np.float32),
        "trailFluxErr": np.float32(0.03) * err,
        "trailRa": ra + 0.3 * across * _shake(key, 7),
        "trailDec": decl + 0.3 * degrees * _shake(key, 8),
        "trailLength": length,
        "trailAngle": angle,
        "trailNdata": np.zeros(n, np.int32),
        "dipoleNdata": np.where(dipole, 1681, 0).astype(np.int32),
        "scienceFlux": d.science[rows],
        "scienceFluxErr": np.float32(0.985) * err,
        "templateFlux": d.template[rows],
        "templateFluxErr": (TEMPLATE_ERROR * (1.0 + 0.2 * _shake(key, 9))).astype(np.float32),
        "ixx": size.astype(np.float32),
        "iyy": (size * (1.0 + 0.1 * _shake(key, 10))).astype(np.float32),
        "ixy": (0.05 * size * _shake(key, 11)).astype(np.float32),
        "ixxPSF": variance.astype(np.float32),
        "iyyPSF": (variance * 0.99).astype(np.float32),
        "ixyPSF": (0.01 * variance).astype(np.float32),
        "extendedness": (0.1 * uniform_array(key + np.uint64(77)) ** 2 + 0.7 * dipole).astype(np.float32),
        "reliability": d.reliability[rows],
        "band": Text(visits.band[visit].astype(np.int32), BANDS),
        "isDipole": dipole,
        "dipoleFitAttempted": dipole,
        "timeProcessedMjdTai": visits.mjd[visit] + _PROCESSING_DAYS,
        "bboxSize": (12.0 + 8.0 * np.log10(snr)).astype(np.int32),
        "pixelFlags": cosmic,
        "pixelFlags_cr": cosmic,
        "pixelFlags_crCenter": cosmic,
        "pixelFlags_interpolated": cosmic,
        "pixelFlags_interpolatedCenter": cosmic,
        "exposureTime": np.full(n, 30.0, np.float32),
        "reliabilityVersion": Text(np.zeros(n, np.int32), ("simulated-1",)),
    }
    for name in _QUIET_FLAGS:
        columns[name] = quiet
    _dipoles(columns, dipole, psf, err, key)
    if moving.any():
        columns["ssObjectId"] = np.ma.masked_array(_body_ids(field, rows, moving), mask=~moving)
    return columns


def _dipoles(columns: Columns, dipole: npt.NDArray[np.bool_], psf: Float32, err: Float32, key: Any) -> None:
    """The fit of two lobes, where it was made."""
    if not dipole.any():
        return
    values = {
        "dipoleMeanFlux": np.abs(psf) * 3.0,
        "dipoleMeanFluxErr": err * 1.5,
        "dipoleFluxDiff": psf,
        "dipoleFluxDiffErr": err,
        "dipoleLength": 0.25 + 0.1 * _shake(key, 12),
        "dipoleAngle": 180.0 * _shake(key, 13),
        "dipoleChi2": 1700.0 + 300.0 * _shake(key, 14),
    }
    for name, value in values.items():
        columns[name] = np.ma.masked_array(np.asarray(value, np.float32), mask=~dipole)


def _trails(field: Field, rows: Int64, seeing: Any, key: Any) -> tuple[Float32, Float32]:
    """Length (arcsec) and bearing (degrees) of the trailed fit: noise for points, the motion for bodies."""
    d = field.detections
    length = 0.8 * seeing * (1.0 + 0.5 * _shake(key, 15))
    angle = 180.0 * _shake(key, 16)
    moving = np.flatnonzero(d.kind[rows] == MOVING)
    for column in np.unique(d.visit[rows[moving]]).tolist():
        mine = moving[d.visit[rows[moving]] == column]
        east, north = field.ephemerides[column][0].rates()
        body = d.object_index[rows[mine]]
        length[mine] = np.hypot(np.hypot(east[body], north[body]) * _EXPOSURE_DAYS * 3600.0, length[mine])
        angle[mine] = np.degrees(np.arctan2(east[body], north[body]))
    return length.astype(np.float32), angle.astype(np.float32)


def night_group(field: Field, column: int) -> int:
    """Which set of moving bodies a visit sees."""
    first = int(np.floor(field.visits.mjd[field.visits.emitted][0]))
    return (int(np.floor(field.visits.mjd[column])) - first) // NIGHTS_TOGETHER


def _body_ids(field: Field, rows: Int64, moving: npt.NDArray[np.bool_]) -> Int64:
    out = np.zeros(len(rows), np.int64)
    d = field.detections
    for column in np.unique(d.visit[rows[moving]]).tolist():
        mine = moving & (d.visit[rows] == column)
        bodies = field.bodies[night_group(field, column)]
        out[mine] = designations(bodies.number[d.object_index[rows[mine]]])[2]
    return out


def dia_forced_sources(field: Field, history: History, object_id: Int64, ra: Any, decl: Any) -> Columns:
    """All columns of diaForcedSource; `object_id`, `ra` and `decl` are those of each alert's diaObject."""
    o, v = history.forced_object, history.forced_visit
    visits = field.visits
    counts = np.diff(history.forced_offsets)
    detector = field.detector[o, v]
    high = source_ids(visits.visit, 0, 0)[v]
    err = field.err[o, v]
    return {
        "diaForcedSourceId": high | detector.astype(np.int64) << 19 | FORCED_COUNTER | field.counter[o],
        "diaObjectId": np.repeat(object_id, counts),
        "ra": np.repeat(ra, counts),
        "dec": np.repeat(decl, counts),
        "visit": visits.visit[v],
        "detector": detector.astype(np.int32),
        "psfFlux": field.psf[o, v],
        "psfFluxErr": err,
        "midpointMjdTai": visits.mjd[v],
        "scienceFlux": field.science[o, v],
        "scienceFluxErr": np.float32(0.985) * err,
        "band": Text(visits.band[v].astype(np.int32), BANDS),
        "timeProcessedMjdTai": visits.mjd[v] + _PROCESSING_DAYS,
    }


def dia_objects(field: Field, rows: Int64, history: History) -> Columns:
    """All columns of diaObject, for each alert as of that alert; NaN is null."""
    summary = object_summary(field, rows, history)
    d, visits = field.detections, field.visits
    first = summary.pop("firstRow")
    n = np.diff(history.previous_offsets) + 1
    error = (0.25 / np.abs(d.psf[rows] / d.err[rows]) / np.sqrt(n) / 3600.0).astype(np.float32)
    return {
        "diaObjectId": dia_source_ids(field, first),
        "validityStartMjdTai": visits.mjd[d.visit[rows]] + _PROCESSING_DAYS,
        "raErr": error,
        "decErr": error,
        "ra_dec_Cov": np.zeros(len(rows), np.float32),
        **summary,
    }


def solar_system_records(field: Field, rows: Int64) -> tuple[Columns, Columns]:
    """All columns of ssSource and of mpc_orbits for alerts of one visit; rows that are no body have zeros.

    Raises
    ------
    ValueError
        If the rows are of more than one visit.
    """
    d = field.detections
    columns = np.unique(d.visit[rows])
    if len(columns) != 1:
        raise ValueError("the alerts are of more than one visit")
    column = int(columns[0])
    moving = np.flatnonzero(d.kind[rows] == MOVING)
    mine = rows[moving]
    body = d.object_index[mine]
    bodies = field.bodies[night_group(field, column)]
    predicted, v = field.ephemerides[column]
    unpacked, packed, ids = designations(bodies.number[body])

    def spread(values: Any) -> npt.NDArray[Any]:
        values = np.asarray(values)
        out = np.zeros(len(rows), values.dtype)
        out[moving] = values
        return out

    def text(words: list[str]) -> Text:
        codes = np.full(len(rows), -1, np.int32)
        codes[moving] = np.arange(len(words), dtype=np.int32)
        return Text(codes, words)

    eph_ra, eph_dec = predicted.ra[body], predicted.decl[body]
    east, north = tangent_plane(d.ra[mine], d.decl[mine], eph_ra, eph_dec)
    east, north = east * 3600.0, north * 3600.0
    rate_ra, rate_dec = (r[body] for r in predicted.rates())
    rate = np.hypot(rate_ra, rate_dec)
    lambda_, beta = ecliptic(d.ra[mine], d.decl[mine])
    longitude, latitude = galactic(d.ra[mine], d.decl[mine])
    helio, topo = predicted.helio[body], predicted.topo[body]
    helio_v, topo_v = (
        predicted.helio_velocity[body] * AU_DAY_KM_S,
        predicted.topo_velocity[body] * AU_DAY_KM_S,
    )
    r, delta = np.linalg.norm(helio, axis=1), np.linalg.norm(topo, axis=1)
    source: Columns = {
        "diaSourceId": spread(dia_source_ids(field, mine)),
        "ssObjectId": spread(ids),
        "designation": text(unpacked),
        "eclLambda": spread(lambda_),
        "eclBeta": spread(beta),
        "galLon": spread(longitude),
        "galLat": spread(latitude),
        "elongation": spread(predicted.elongation[body]),
        "phaseAngle": spread(predicted.phase_angle[body]),
        "topoRange": spread(delta),
        "topoRangeRate": spread(np.sum(topo * topo_v, axis=1) / delta),
        "helioRange": spread(r),
        "helioRangeRate": spread(np.sum(helio * helio_v, axis=1) / r),
        "ephRa": spread(eph_ra),
        "ephDec": spread(eph_dec),
        "ephVmag": spread(v[body]),
        "ephRate": spread(rate),
        "ephRateRa": spread(rate_ra),
        "ephRateDec": spread(rate_dec),
        "ephOffset": spread(np.hypot(east, north)),
        "ephOffsetRa": spread(east),
        "ephOffsetDec": spread(north),
        "ephOffsetAlongTrack": spread((east * rate_ra + north * rate_dec) / rate),
        "ephOffsetCrossTrack": spread((east * rate_dec - north * rate_ra) / rate),
        "helio_vtot": spread(np.linalg.norm(helio_v, axis=1)),
        "topo_vtot": spread(np.linalg.norm(topo_v, axis=1)),
        "diaDistanceRank": spread(np.ones(len(mine), np.int32)),
    }
    for axis, name in enumerate("xyz"):
        source[f"helio_{name}"] = spread(helio[:, axis])
        source[f"helio_v{name}"] = spread(helio_v[:, axis])
        source[f"topo_{name}"] = spread(topo[:, axis])
        source[f"topo_v{name}"] = spread(topo_v[:, axis])
    orbits = bodies.orbits.take(body.astype(np.int64))
    motion = orbits.mean_motion
    behind = (orbits.mean_anomaly + 180.0) % 360.0 - 180.0
    orbit: Columns = {
        "id": spread(bodies.number[body].astype(np.int32)),
        "designation": text(unpacked),
        "packed_primary_provisional_designation": text(packed),
        "unpacked_primary_provisional_designation": text(unpacked),
        "orbit_type_int": spread(
            np.where(orbits.a < 1.7, 2, np.where(orbits.a < 6.0, 11, 30)).astype(np.int32)
        ),
        "u_param": spread(np.zeros(len(mine), np.int32)),
        "a": spread(orbits.a),
        "q": spread(orbits.a * (1.0 - orbits.e)),
        "e": spread(orbits.e),
        "i": spread(orbits.i),
        "node": spread(orbits.node),
        "argperi": spread(orbits.argperi),
        "peri_time": spread(orbits.epoch - behind / motion),
        "mean_anomaly": spread(orbits.mean_anomaly),
        "period": spread(360.0 / motion),
        "mean_motion": spread(motion),
        "epoch_mjd": spread(orbits.epoch),
        "h": spread(bodies.h[body]),
        "g": spread(np.full(len(mine), SLOPE_G)),
    }
    return source, orbit
