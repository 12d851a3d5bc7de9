"""A field observed: every object measured in every visit, of the past year and of the simulated nights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cadence import FIELD_AREA_DEG2, FIELD_RADIUS_DEG, Survey, Visits
from lasair_broker.packets.simulator._camera import cover
from lasair_broker.packets.simulator._detections import (
    ARTEFACT,
    FIRST_BODY_COUNTER,
    FIRST_ONE_OFF_COUNTER,
    MOVING,
    POINT,
    RESIDUAL,
    Detections,
)
from lasair_broker.packets.simulator._measure import measure
from lasair_broker.packets.simulator._objects import Group, draw_groups
from lasair_broker.packets.simulator._orbits import Ephemeris
from lasair_broker.packets.simulator._random import generator, hash_array, normal_array, uniform_array
from lasair_broker.packets.simulator._solar_system import NIGHTS_TOGETHER, Bodies, bodies_in_field, see
from lasair_broker.packets.simulator._spectra import ab_flux
from lasair_broker.packets.simulator._sphere import offset_position, random_in_disc, vectors

__all__ = ["Field", "build_field", "observe", "template_times"]

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

_TEMPLATES_PER_BAND = 4
_ONE_OFF_PER_DEG2 = 125.0
_STREAM = 104
_BODY_MARGIN_DEG = 0.5


@dataclass(frozen=True, slots=True)
class Field:
    """Everything known of one field.

    Attributes
    ----------
    which, ra, decl
        The field's place in the survey's list and its centre.
    visits
        All its visits in order of time.
    groups
        Its objects by population.
    group, row
        For each object that is ever detected, its group and row there.
    counter
        Its number in the field before the undetected were left out; makes ids.
    psf, err, science, detector
        Forced measurements at its place in every visit, shape (objects, visits); NaN and -1 where not
        covered.
    detections
        All detections, by object and time, then one-off artefacts and moving bodies.
    starts
        ``starts[i]:starts[i + 1]`` are the detections of object i.
    bodies
        Moving bodies by group of nights, with the predicted ephemeris at each of the field's visits.
    """

    which: int
    ra: float
    decl: float
    visits: Visits
    groups: list[Group]
    group: npt.NDArray[np.int16]
    row: npt.NDArray[np.int32]
    counter: npt.NDArray[np.int32]
    true_ra: Float64
    true_decl: Float64
    psf: Float32
    err: Float32
    science: Float32
    detector: npt.NDArray[np.int16]
    detections: Detections
    starts: Int64
    bodies: dict[int, Bodies]
    ephemerides: dict[int, tuple[Ephemeris, Float64]]

    @property
    def num_objects(self) -> int:
        """Objects that are detected at least once, one-off artefacts and moving bodies apart."""
        return len(self.counter)

    def emitted(self, column: int) -> Int64:
        """Rows of `detections` that are alerts of the visit in `column`, in order of their ids."""
        rows = np.flatnonzero(self.detections.visit == column)
        order = np.lexsort((self.detections.counter[rows], self.detections.detector[rows]))
        return np.asarray(rows[order], np.int64)


def build_field(survey: Survey, which: int, density: float, boost: Mapping[str, float]) -> Field:
    """Populate and observe field `which` of the survey.

    `density` and `boost` as in `draw_groups`.
    """
    numbers, ras, decls = survey.fields()
    field, ra, decl = int(numbers[which]), float(ras[which]), float(decls[which])
    visits = survey.field_visits(which)
    first = np.floor(survey.start_mjd) - survey.history_days
    last = np.floor(survey.start_mjd) + survey.num_nights
    groups = draw_groups(survey.seed, field, ra, decl, first, last, density, boost)
    parts = [observe(group, visits, first) for group in groups]
    counters = np.concatenate([[0], np.cumsum([len(group) for group in groups])])
    if counters[-1] >= FIRST_ONE_OFF_COUNTER:
        raise ValueError(f"a field can hold {FIRST_ONE_OFF_COUNTER} objects, {counters[-1]} were asked for")

    rows = [part.pop("row") for part in parts]

    def join(name: str) -> Any:
        # Each part is let go as soon as it is copied: together they are the largest thing here.
        return np.concatenate([part.pop(name) for part in parts])

    group = np.repeat(np.arange(len(groups), dtype=np.int16), [len(mine) for mine in rows])
    row = np.concatenate(rows).astype(np.int32)
    counter = (counters[group] + row).astype(np.int32)
    key = np.concatenate([g.key[mine] for g, mine in zip(groups, rows, strict=True)])
    true_ra = np.concatenate([g.ra[mine] for g, mine in zip(groups, rows, strict=True)])
    true_decl = np.concatenate([g.decl[mine] for g, mine in zip(groups, rows, strict=True)])
    detected = join("detected")
    psf, err, science, detector = join("psf"), join("err"), join("science"), join("detector")
    artefact = np.array([g.population.difference_only for g in groups])[group]

    obj, column = np.nonzero(detected)
    starts = np.concatenate([[0], np.cumsum(detected.sum(axis=1))]).astype(np.int64)
    still = Detections.measured(
        visits=visits,
        object_index=obj.astype(np.int32),
        visit=column.astype(np.int16),
        counter=counter[obj],
        detector=detector[obj, column],
        kind=np.where(artefact[obj], RESIDUAL, POINT).astype(np.int8),
        ra=true_ra[obj],
        decl=true_decl[obj],
        psf=psf[obj, column],
        err=err[obj, column],
        science=science[obj, column],
        template=join("template")[obj, visits.band[column]],
        key=hash_array(key[obj], visits.visit[column].astype(np.uint64)),
    )
    bodies, ephemerides, moving = _moving(survey, which, ra, decl, visits, density)
    one_off = _one_off_artefacts(survey, field, ra, decl, visits, density)
    return Field(
        which=which,
        ra=ra,
        decl=decl,
        visits=visits,
        groups=groups,
        group=group,
        row=row,
        counter=counter,
        true_ra=true_ra,
        true_decl=true_decl,
        psf=psf,
        err=err,
        science=science,
        detector=detector,
        detections=Detections.joined([still, *one_off, *moving]),
        starts=starts,
        bodies=bodies,
        ephemerides=ephemerides,
    )


def template_times(first: float) -> tuple[Float64, npt.NDArray[np.int8]]:
    """Epochs of the images the templates are made of: so long before the history that no event is in both."""
    band = np.repeat(np.arange(6, dtype=np.int8), _TEMPLATES_PER_BAND)
    step = np.tile(np.arange(_TEMPLATES_PER_BAND), 6)
    return first - 830.0 + 83.37 * step + 3.171 * band, band


def observe(group: Group, visits: Visits, first: float) -> dict[str, Any]:
    """Measure a group in the visits of its field, with templates made before `first` (MJD).

    Only objects that are detected at least once are kept: ``row`` says which. The other entries are ``psf``,
    ``err``, ``science`` (nJy, float32), ``detector`` and ``detected``, shape (kept objects, visits), and
    ``template`` (kept objects, 6), as of `_measure.measure`.
    """
    n, width = len(group), len(visits)
    times, bands = template_times(first)
    if group.population.difference_only:
        true = group.observed_flux(visits.mjd, visits.band)
        template = np.zeros((n, 6))
    else:
        flux = group.observed_flux(np.concatenate([times, visits.mjd]), np.concatenate([bands, visits.band]))
        true = flux[:, len(times) :]
        template = flux[:, : len(times)].reshape(n, 6, _TEMPLATES_PER_BAND).mean(axis=2)
    covered = np.empty((n, width), np.int16)
    cover(vectors(group.ra, group.decl), visits.ra, visits.decl, visits.rotation, covered)
    out = {name: np.empty((n, width), np.float32) for name in ("psf", "err", "science")}
    measured_template = np.empty((n, 6))
    detected = np.empty((n, width), np.bool_)
    measure(
        true,
        template,
        group.static,
        group.key,
        covered,
        visits.visit,
        visits.band,
        ab_flux(visits.depth),
        out["psf"],
        out["err"],
        out["science"],
        measured_template,
        detected,
    )
    kept = np.flatnonzero(detected.any(axis=1))
    result: dict[str, Any] = {name: values[kept] for name, values in out.items()}
    result.update(row=kept, detector=covered[kept], detected=detected[kept], template=measured_template[kept])
    return result


def _detectors(visits: Visits, column: int, ra: Float64, decl: Float64) -> npt.NDArray[np.int16]:
    """The detector that sees each position in one visit, -1 for none."""
    out = np.empty((len(ra), 1), np.int16)
    one = visits.take(np.array([column]))
    cover(vectors(ra, decl), one.ra, one.decl, one.rotation, out)
    return out[:, 0]


def _one_off_artefacts(
    survey: Survey, field: int, ra: float, decl: float, visits: Visits, density: float
) -> list[Detections]:
    """Artefacts that appear once: cosmic rays, ghosts, satellite glints; only in visits whose alerts are
    sent."""
    out = []
    for column in np.flatnonzero(visits.emitted).tolist():
        rng = generator(survey.seed, _STREAM, field, int(visits.visit[column]))
        n = int(rng.poisson(_ONE_OFF_PER_DEG2 * FIELD_AREA_DEG2 * density))
        at_ra, at_decl = random_in_disc(
            rng, n, float(visits.ra[column]), float(visits.decl[column]), FIELD_RADIUS_DEG
        )
        detector = _detectors(visits, column, at_ra, at_decl)
        sigma = ab_flux(visits.depth[column]) / 5.0
        snr = 5.0 + rng.exponential(6.0, n)
        # Most are positive (cosmic rays); the rest come from over-subtraction.
        sign = np.where(rng.random(n) < 0.8, 1.0, -1.0)
        static = np.where(rng.random(n) < 0.3, ab_flux(24.0 - rng.exponential(1.5, n)), 0.0)
        keep = detector >= 0
        base = np.full(n, np.uint64(int(visits.visit[column])))
        out.append(
            Detections.measured(
                visits=visits,
                object_index=np.full(n, -1, np.int32)[keep],
                visit=np.full(n, column, np.int16)[keep],
                counter=(FIRST_ONE_OFF_COUNTER + np.arange(n, dtype=np.int32))[keep],
                detector=detector[keep],
                kind=np.full(n, ARTEFACT, np.int8)[keep],
                ra=at_ra[keep],
                decl=at_decl[keep],
                psf=(sign * snr * sigma).astype(np.float32)[keep],
                err=np.full(n, sigma, np.float32)[keep],
                science=(sign * snr * sigma + static).astype(np.float32)[keep],
                template=static[keep],
                key=hash_array(base, np.arange(n, dtype=np.uint64) + np.uint64(survey.seed & 0xFFFFFFFF))[
                    keep
                ],
            )
        )
    return out


def _moving(
    survey: Survey, which: int, ra: float, decl: float, visits: Visits, density: float
) -> tuple[dict[int, Bodies], dict[int, tuple[Ephemeris, Float64]], list[Detections]]:
    """Solar-system bodies: drawn for a few nights together, predicted and measured at each visit."""
    first = int(np.floor(survey.start_mjd))
    bodies: dict[int, Bodies] = {}
    ephemerides: dict[int, tuple[Ephemeris, Float64]] = {}
    out = []
    for column in np.flatnonzero(visits.emitted).tolist():
        mjd, band = float(visits.mjd[column]), int(visits.band[column])
        together = (int(np.floor(mjd)) - first) // NIGHTS_TOGETHER
        if together not in bodies:
            middle = first + NIGHTS_TOGETHER * (together + 0.5)
            if survey.num_nights <= NIGHTS_TOGETHER:
                middle = first + 0.5 * survey.num_nights
            radius = FIELD_RADIUS_DEG + _BODY_MARGIN_DEG
            bodies[together] = bodies_in_field(
                survey.seed, which, together, ra, decl, radius, middle, density
            )
        mine = bodies[together]
        predicted, v, magnitude = see(mine, mjd, band)
        ephemerides[column] = (predicted, v)
        at_ra, at_decl = offset_position(
            predicted.ra, predicted.decl, mine.east / 3600.0, mine.north / 3600.0
        )
        detector = _detectors(visits, column, at_ra, at_decl)
        flux = ab_flux(magnitude)
        five = float(ab_flux(visits.depth[column]))
        sigma = np.sqrt(0.039 * five**2 + 0.001 * flux * five + (0.01 * flux) ** 2)
        key = hash_array(
            mine.number.astype(np.uint64), np.full(len(mine), np.uint64(int(visits.visit[column])))
        )
        measured = flux + sigma * normal_array(key)
        keep = (detector >= 0) & (measured >= 5.0 * sigma)
        background = 40.0 * normal_array(key + np.uint64(2)) * (uniform_array(key + np.uint64(4)) + 0.2)
        out.append(
            Detections.measured(
                visits=visits,
                object_index=np.arange(len(mine), dtype=np.int32)[keep],
                visit=np.full(len(mine), column, np.int16)[keep],
                counter=(FIRST_BODY_COUNTER + np.arange(len(mine), dtype=np.int32))[keep],
                detector=detector[keep],
                kind=np.full(len(mine), MOVING, np.int8)[keep],
                ra=at_ra[keep],
                decl=at_decl[keep],
                psf=measured.astype(np.float32)[keep],
                err=sigma.astype(np.float32)[keep],
                science=(measured + background).astype(np.float32)[keep],
                template=background[keep],
                key=key[keep],
            )
        )
    return bodies, ephemerides, out
