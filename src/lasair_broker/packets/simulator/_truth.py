"""The truth behind a field, and the catalogue of what stands there: tables for tests, training and
matching."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import BANDS
from lasair_broker.packets.simulator._cadence import FIELD_AREA_DEG2, FIELD_RADIUS_DEG
from lasair_broker.packets.simulator._detections import ARTEFACT, MOVING
from lasair_broker.packets.simulator._field import Field
from lasair_broker.packets.simulator._galaxies import Galaxies, background_galaxies
from lasair_broker.packets.simulator._objects import Group, field_reddening, host_positions
from lasair_broker.packets.simulator._random import generator, uniform_array
from lasair_broker.packets.simulator._records import dia_source_ids, night_group
from lasair_broker.packets.simulator._solar_system import designations
from lasair_broker.packets.simulator._spectra import (
    EXTINCTION,
    WAVELENGTH_NM,
    ab_flux,
    ab_magnitude,
    blackbody_log_ratio,
)
from lasair_broker.packets.simulator._sphere import galactic, random_in_disc
from lasair_broker.packets.simulator.populations import Situation
from lasair_broker.packets.simulator.populations._base import stellar_magnitudes

__all__ = ["CATALOGUE_SCHEMA", "TRUTH_SCHEMA", "field_catalogue", "field_truth", "peak_magnitudes"]

Float64 = npt.NDArray[np.float64]

_STREAM = 105
_FIELD_IDS = 1_000_000_000
_BACKGROUND_IDS = 500_000_000
_STARS_PER_DEG2 = 900.0
_GALAXIES_PER_DEG2 = 700.0
_FAINTEST = 23.5

TRUTH_SCHEMA = pa.schema(
    [
        pa.field("diaObjectId", pa.int64()),
        pa.field("ssObjectId", pa.int64()),
        pa.field("class", pa.string(), nullable=False),
        pa.field("subclass", pa.string()),
        pa.field("field", pa.int32(), nullable=False),
        pa.field("ra", pa.float64()),
        pa.field("decl", pa.float64()),
        pa.field("redshift", pa.float64()),
        pa.field("sourceId", pa.int64()),
        pa.field("hostRa", pa.float64()),
        pa.field("hostDecl", pa.float64()),
        pa.field("hostOffset", pa.float64()),
        pa.field("reddening", pa.float64()),
        pa.field("mjd0", pa.float64()),
        *[pa.field(f"{band}_peakMag", pa.float64()) for band in BANDS],
        pa.field("nDiaSources", pa.int32()),
        pa.field("firstDiaSourceMjdTai", pa.float64()),
        pa.field("numAlerts", pa.int32(), nullable=False),
        pa.field("boost", pa.float64()),
        pa.field("parameters", pa.map_(pa.string(), pa.float64())),
    ]
)
"""One row for each object, recurring artefact, one-off artefact and solar-system body that is detected.

Units: degrees, `hostOffset` arcsec, `reddening` E(B-V), `mjd0` MJD TAI of the event as its population defines
it, `peakMag` the brightest AB magnitude through the dust without the host, `boost` how many times more of the
class there are than in nature, `numAlerts` detections in the simulated nights. `sourceId` points into the
catalogue: to the host, or to the star itself.
"""

CATALOGUE_SCHEMA = pa.schema(
    [
        pa.field("sourceId", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("ra", pa.float64(), nullable=False),
        pa.field("decl", pa.float64(), nullable=False),
        *[pa.field(f"{band}_mag", pa.float32()) for band in BANDS],
        pa.field("pmRa", pa.float32()),
        pa.field("pmDecl", pa.float32()),
        pa.field("parallax", pa.float32()),
        pa.field("radius", pa.float32()),
        pa.field("axisRatio", pa.float32()),
        pa.field("positionAngle", pa.float32()),
        pa.field("specz", pa.float64()),
        pa.field("photoz", pa.float64()),
        pa.field("photozErr", pa.float64()),
    ]
)
"""What a survey would have catalogued: `kind` is star, galaxy or AGN; AB magnitudes with dust; proper motion
mas/yr, parallax mas; half-light `radius` along the major axis in arcsec; spectroscopic redshifts for the few
that have one."""


def peak_magnitudes(group: Group, rows: npt.NDArray[np.int64], mjd_first: float, mjd_last: float) -> Float64:
    """The brightest AB magnitudes in ugrizy, through the dust, of objects `rows` of a group; infinite if
    none."""
    p, population = group.parameters, group.population
    n = len(rows)
    if "mjd0" in p:
        stretch = 1.0 + p["redshift"][rows] if "redshift" in p else np.ones(n)
        early = -np.geomspace(40.0, 0.5, 12)
        steps = np.concatenate([early, [0.0], np.geomspace(0.02, 150.0, 48)])
        times = p["mjd0"][rows, None] + steps[None, :] * stretch[:, None]
    else:
        times = np.broadcast_to(np.linspace(mjd_first, mjd_last, 97)[None, :], (n, 97))
    width = times.shape[1]
    out = np.empty((n, 6))
    row = np.repeat(rows, width)
    for band in range(6):
        code = np.full(n * width, band, np.int8)
        flux = population.flux(p, group.key, row, np.ascontiguousarray(times).reshape(-1), code)
        out[:, band] = flux.reshape(n, width).max(axis=1, initial=0.0) * group.dust[rows, band]
    return ab_magnitude(out)


def _source_ids(field: Field, counter: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return (field.which + 1) * _FIELD_IDS + np.asarray(counter, np.int64)


def _parameter_maps(group: Group, rows: npt.NDArray[np.int64]) -> pa.Array:
    skipped = ("subclass", "redshift", "mjd0")
    names = [name for name in group.parameters if name not in skipped]
    values = (
        np.stack([group.parameters[name][rows] for name in names], axis=1).reshape(-1)
        if names
        else np.zeros(0)
    )
    keys = pa.array(names * len(rows), pa.string())
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * len(names)
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(values))


def field_truth(field: Field, boost: dict[str, float]) -> pa.Table:
    """The truth of one field, in `TRUTH_SCHEMA`."""
    d, visits = field.detections, field.visits
    emitted = visits.emitted[d.visit]
    last = field.starts[-1]
    alerts = np.bincount(d.object_index[:last][emitted[:last]], minlength=field.num_objects)
    parts = []
    for code, group in enumerate(field.groups):
        mine = np.flatnonzero(field.group == code)
        if not len(mine):
            continue
        rows = field.row[mine].astype(np.int64)
        p, population, n = group.parameters, group.population, len(mine)
        first = field.starts[mine]
        none = pa.nulls(n, pa.float64())
        names = population.subclasses
        subclass = [names[int(c)] for c in p["subclass"][rows]] if "subclass" in p else list(names[:1]) * n
        columns: dict[str, Any] = {
            "diaObjectId": dia_source_ids(field, first),
            "class": [population.name] * n,
            "subclass": subclass or pa.nulls(n, pa.string()),
            "ra": group.ra[rows],
            "decl": group.decl[rows],
            "redshift": p["redshift"][rows] if "redshift" in p else none,
            "sourceId": _source_ids(field, field.counter[mine]),
            "reddening": group.reddening[rows],
            "mjd0": p["mjd0"][rows] if "mjd0" in p else none,
            "nDiaSources": np.diff(field.starts)[mine].astype(np.int32),
            "firstDiaSourceMjdTai": visits.mjd[d.visit[first]],
            "numAlerts": alerts[mine].astype(np.int32),
            "boost": np.full(n, boost.get(population.name, population.boost)),
            "parameters": _parameter_maps(group, rows),
        }
        if group.hosts is not None:
            host_ra, host_decl = host_positions(group)
            columns |= {"hostRa": host_ra[rows], "hostDecl": host_decl[rows]}
            columns["hostOffset"] = np.hypot(group.host_east, group.host_north)[rows]
        if not population.difference_only:
            peak = peak_magnitudes(group, rows, float(visits.mjd[0]), float(visits.mjd[-1]))
            for b, band in enumerate(BANDS):
                columns[f"{band}_peakMag"] = pa.array(peak[:, b], mask=~np.isfinite(peak[:, b]))
        parts.append(_table(columns, n, field.which))
    parts += [_artefact_truth(field), *_body_truth(field)]
    return pa.concat_tables(parts)


def _table(columns: dict[str, Any], n: int, which: int) -> pa.Table:
    columns = {**columns, "field": np.full(n, which, np.int32)}
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type) for f in TRUTH_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=TRUTH_SCHEMA)


def _artefact_truth(field: Field) -> pa.Table:
    d = field.detections
    rows = np.flatnonzero(d.kind == ARTEFACT)
    n = len(rows)
    columns = {
        "diaObjectId": dia_source_ids(field, rows),
        "class": ["artefact"] * n,
        "subclass": ["one-off"] * n,
        "ra": d.ra[rows],
        "decl": d.decl[rows],
        "nDiaSources": np.ones(n, np.int32),
        "firstDiaSourceMjdTai": field.visits.mjd[d.visit[rows]],
        "numAlerts": np.ones(n, np.int32),
    }
    return _table(columns, n, field.which)


def _body_truth(field: Field) -> list[pa.Table]:
    d = field.detections
    out = []
    moving = np.flatnonzero(d.kind == MOVING)
    groups = np.array([night_group(field, column) for column in range(len(field.visits))])
    for group, bodies in field.bodies.items():
        rows = moving[groups[d.visit[moving]] == group]
        counts = np.bincount(d.object_index[rows], minlength=len(bodies)).astype(np.int32)
        seen = np.flatnonzero(counts)
        orbits = bodies.orbits
        names = ["a", "e", "i", "node", "argperi", "mean_anomaly", "epoch"]
        values = np.stack([*(getattr(orbits, name)[seen] for name in names), bodies.h[seen]], axis=1)
        offsets = np.arange(len(seen) + 1, dtype=np.int32) * (len(names) + 1)
        keys = pa.array([*names, "h"] * len(seen), pa.string())
        columns = {
            "ssObjectId": designations(bodies.number[seen])[2],
            "class": ["solar system"] * len(seen),
            "nDiaSources": counts[seen],
            "numAlerts": counts[seen],
            "parameters": pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(values.reshape(-1))),
        }
        out.append(_table(columns, len(seen), field.which))
    return out


def field_catalogue(field: Field, seed: int, density: float, mjd: float) -> pa.Table:
    """Stars and galaxies of one field, in `CATALOGUE_SCHEMA`: hosts, quiet variables and what has nothing to
    do with any alert. Sources fainter than magnitude 26 in every band are left out, so that some events have
    no host there."""
    rng = generator(seed, _STREAM, field.which)
    parts = []
    start = 0
    for group in field.groups:
        counter = start + np.arange(len(group))
        start += len(group)
        ids = _source_ids(field, counter)
        if group.hosts is not None:
            ra, decl = host_positions(group)
            flux = group.hosts.flux * group.dust
            kind = "galaxy"
            if group.population.name == "AGN":
                flux = flux + _quiet_flux(group, mjd)
                kind = "AGN"
            parts.append(_galaxy_rows(rng, ids, kind, ra, decl, flux, group.hosts))
        elif group.population.situation is Situation.STAR:
            parts.append(_star_rows(rng, ids, group.ra, group.decl, _quiet_flux(group, mjd)))
        else:
            parts.append(_star_rows(rng, ids, group.ra, group.decl, group.static))
    area = FIELD_AREA_DEG2 * density
    reddening = field_reddening(field.decl, field.ra)
    attenuation = 10.0 ** (-0.4 * EXTINCTION[None, :] * reddening)
    latitude = float(galactic(field.ra, field.decl)[1])
    n = int(rng.poisson(_STARS_PER_DEG2 * area * np.exp(-(abs(latitude) - 40.0) / 25.0)))
    ra, decl = random_in_disc(rng, n, field.ra, field.decl, FIELD_RADIUS_DEG)
    temperature = 4200.0 * np.exp(0.3 * rng.standard_normal(n)) + 500.0
    colour = 10.0 ** blackbody_log_ratio(
        np.broadcast_to(WAVELENGTH_NM, (n, 6)),
        float(WAVELENGTH_NM[2]),
        np.repeat(temperature[:, None], 6, axis=1),
    )
    flux = ab_flux(stellar_magnitudes(rng, n, 14.0, _FAINTEST))[:, None] * colour * attenuation
    background = (field.which + 1) * _FIELD_IDS + _BACKGROUND_IDS
    parts.append(_star_rows(rng, background + np.arange(n), ra, decl, flux))
    m = int(rng.poisson(_GALAXIES_PER_DEG2 * area))
    galaxies = background_galaxies(rng, m, _FAINTEST)
    ra, decl = random_in_disc(rng, m, field.ra, field.decl, FIELD_RADIUS_DEG)
    ids = background + n + np.arange(m)
    parts.append(_galaxy_rows(rng, ids, "galaxy", ra, decl, galaxies.flux * attenuation, galaxies))
    return pa.concat_tables(parts)


def _quiet_flux(group: Group, mjd: float) -> Float64:
    """Flux through the dust at one moment before the history, shape (n, 6)."""
    bands = np.arange(6, dtype=np.int8)
    return group.observed_flux(np.full(6, mjd), bands)


def _rows(
    ids: npt.NDArray[Any], kind: str, ra: Float64, decl: Float64, flux: Float64, more: dict[str, Any]
) -> pa.Table:
    magnitude = ab_magnitude(flux)
    columns = {"sourceId": ids, "kind": np.full(len(ids), kind), "ra": ra, "decl": decl, **more}
    for b, band in enumerate(BANDS):
        columns[f"{band}_mag"] = pa.array(magnitude[:, b].astype(np.float32), mask=magnitude[:, b] > 30.0)
    n = len(ids)
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type)
        for f in CATALOGUE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=CATALOGUE_SCHEMA).filter(
        pa.array(magnitude.min(axis=1) < 26.0)
    )


def _star_rows(
    rng: np.random.Generator, ids: npt.NDArray[Any], ra: Float64, decl: Float64, flux: Float64
) -> pa.Table:
    n = len(ids)
    # A parallax for a main-sequence absolute magnitude of about 7, and 40 km/s across the line of sight.
    parallax = 100.0 * 10.0 ** (
        -0.2 * (np.minimum(ab_magnitude(flux[:, 2]), 30.0) - 2.0 - 4.0 * uniform_array(ids.astype(np.uint64)))
    )
    motion = parallax * 40.0 / 4.74
    more = {
        "parallax": parallax.astype(np.float32),
        "pmRa": (motion * rng.standard_normal(n)).astype(np.float32),
        "pmDecl": (motion * rng.standard_normal(n)).astype(np.float32),
    }
    return _rows(ids, "star", ra, decl, flux, more)


def _galaxy_rows(
    rng: np.random.Generator,
    ids: npt.NDArray[Any],
    kind: str,
    ra: Float64,
    decl: Float64,
    flux: Float64,
    galaxies: Galaxies,
) -> pa.Table:
    n, z = len(ids), galaxies.redshift
    # Errors 0.03 (1 + z), and one in ten is somewhere else altogether.
    photoz = np.abs(z + 0.03 * (1.0 + z) * rng.standard_normal(n))
    wild = rng.random(n) < 0.1
    photoz = np.where(wild, 1.4 * rng.random(n), photoz)
    chance = np.where(ab_magnitude(flux[:, 3]) < 19.5, 0.6, 0.05)
    more = {
        "radius": galaxies.radius.astype(np.float32),
        "axisRatio": galaxies.axis_ratio.astype(np.float32),
        "positionAngle": galaxies.position_angle.astype(np.float32),
        "specz": pa.array(z, mask=rng.random(n) > chance),
        "photoz": photoz,
        "photozErr": 0.03 * (1.0 + photoz),
    }
    return _rows(ids, kind, ra, decl, flux, more)
