"""Magnitude triggers of watchlists: what is asked, of which points, and what has happened so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

ZERO_POINT = 31.4
"""AB magnitude of 1 nJy."""

WHOLE_LIST = -1
"""The cone_id of a trigger that holds for every row of its list."""

_CONE_BITS = 40


class TriggerKind(IntEnum):
    """What a trigger compares a point with."""

    CROSSES = 0
    """A magnitude."""
    CHANGES = 1
    """The magnitude the object had before."""


class Direction(IntEnum):
    """Which way a trigger looks."""

    FADES = -1
    EITHER = 0
    BRIGHTENS = 1


@dataclass(frozen=True)
class Trigger:
    """A magnitude trigger of a watchlist or of one of its rows.

    Fluxes are compared, not magnitudes: a flux at or below zero has no magnitude, but it is fainter than any.

    Attributes
    ----------
    trigger_id
        Its number; part of the identity of every event.
    wl_id, cone_id
        The list, and the row or WHOLE_LIST.
    kind
        CROSSES: flux reaches that of `magnitude`. CHANGES: flux differs from the baseline by `change`.
    direction
        For CROSSES the side it comes to; for CHANGES the sense of the change.
    magnitude
        AB magnitude to cross.
    change
        Change in magnitudes, above 0.
    baseline_magnitude
        AB magnitude to measure a change from. NaN: in each band, the median flux of the points more than
        `baseline_gap` days older than the point, if there are at least three; but not less than the median
        of their errors, so that a baseline of noise about zero means "as bright as one sigma".
    baseline_gap
        Days.
    bands
        Names of the bands to look at.
    consecutive
        So many points in a row, in order of time and in whatever of the bands, must satisfy it.
    total
        Compare the total flux (science image, or template plus difference), not the difference flux.
    forced
        Look at forced photometry too.
    min_snr
        A brightening must have this flux-to-error ratio. A fading must either have it, or lie so many errors
        below the limit that it is certain.
    rearm
        After an event, the flux must return by this many magnitudes beyond the limit before the next.
    cooldown
        Days after an event without another of the same row and object.
    start_mjd
        MJD TAI; what lies before is taken note of but causes no event.
    """

    trigger_id: int
    wl_id: int
    cone_id: int = WHOLE_LIST
    kind: TriggerKind = TriggerKind.CROSSES
    direction: Direction = Direction.BRIGHTENS
    magnitude: float = math.nan
    change: float = math.nan
    baseline_magnitude: float = math.nan
    baseline_gap: float = 30.0
    bands: tuple[str, ...] = ("u", "g", "r", "i", "z", "y")
    consecutive: int = 2
    total: bool = False
    forced: bool = True
    min_snr: float = 5.0
    rearm: float = 0.3
    cooldown: float = 1.0
    start_mjd: float = -math.inf

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))

    def _problems(self) -> Any:
        if self.kind == TriggerKind.CROSSES and not math.isfinite(self.magnitude):
            yield "magnitude: give the AB magnitude to cross"
        if self.kind == TriggerKind.CHANGES and not self.change > 0.0:
            yield "change: give the change in magnitudes, above 0"
        if self.kind == TriggerKind.CHANGES and not self.rearm < self.change:
            yield "rearm: must be smaller than the change, or it could never fire again"
        unknown = [band for band in self.bands if band not in "ugrizy" or len(band) != 1]
        if unknown or not self.bands:
            instead = f" instead of {', '.join(unknown)}" if unknown else ""
            yield f"bands: choose from u, g, r, i, z, y{instead}"
        for name, low in (
            ("consecutive", 1),
            ("min_snr", 0),
            ("rearm", 0),
            ("cooldown", 0),
            ("baseline_gap", 0),
        ):
            if not getattr(self, name) >= low:
                yield f"{name}: must be at least {low}"


class Triggers(NamedTuple):
    """Triggers as columns, all of one length; `limit` is a magnitude or a change, as `kind` says."""

    trigger_id: Int64
    wl_id: Int64
    cone_id: Int64
    kind: npt.NDArray[np.int8]
    direction: npt.NDArray[np.int8]
    limit: Float64
    baseline_magnitude: Float64
    baseline_gap: Float64
    bands: npt.NDArray[np.uint8]
    consecutive: npt.NDArray[np.int32]
    total: npt.NDArray[np.bool_]
    forced: npt.NDArray[np.bool_]
    min_snr: Float64
    rearm: Float64
    cooldown: Float64
    start_mjd: Float64

    @classmethod
    def of(cls, triggers: Sequence[Trigger]) -> Triggers:
        """Columns of these triggers."""

        def column(name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
            return np.array([getattr(t, name) for t in triggers], dtype)

        return cls(
            trigger_id=column("trigger_id", np.int64),
            wl_id=column("wl_id", np.int64),
            cone_id=column("cone_id", np.int64),
            kind=column("kind", np.int8),
            direction=column("direction", np.int8),
            limit=np.array(
                [t.magnitude if t.kind == TriggerKind.CROSSES else t.change for t in triggers], np.float64
            ),
            baseline_magnitude=column("baseline_magnitude", np.float64),
            baseline_gap=column("baseline_gap", np.float64),
            bands=np.array([sum(1 << "ugrizy".index(b) for b in set(t.bands)) for t in triggers], np.uint8),
            consecutive=column("consecutive", np.int32),
            total=column("total", np.bool_),
            forced=column("forced", np.bool_),
            min_snr=column("min_snr", np.float64),
            rearm=column("rearm", np.float64),
            cooldown=column("cooldown", np.float64),
            start_mjd=column("start_mjd", np.float64),
        )

    def pairs(self, wl_id: Int64, cone_id: Int64) -> tuple[Int64, Int64]:
        """Which triggers hold for watchlist hits: indices (hit, trigger), sorted by hit, then trigger."""
        row = np.where(self.cone_id == WHOLE_LIST, (1 << _CONE_BITS) - 1, self.cone_id)
        key = (self.wl_id << _CONE_BITS) | row
        by_key = np.argsort(key, kind="stable")
        hits, triggers = [], []
        for wanted in ((wl_id << _CONE_BITS) | ((1 << _CONE_BITS) - 1), (wl_id << _CONE_BITS) | cone_id):
            first = np.searchsorted(key[by_key], wanted, side="left")
            count = np.searchsorted(key[by_key], wanted, side="right") - first
            hit = np.repeat(np.arange(len(wanted)), count)
            within = np.arange(len(hit)) - np.repeat(np.cumsum(count) - count, count)
            hits.append(hit)
            triggers.append(by_key[first[hit] + within])
        hit, trigger = np.concatenate(hits), np.concatenate(triggers)
        order = np.lexsort((trigger, hit))
        return hit[order], trigger[order]


class TriggerState(NamedTuple):
    """What is known of each pair of a trigger and an object; second axes are (fading, brightening).

    Attributes
    ----------
    seen_mjd
        Time of the newest point looked at, shape (n,); -inf at first.
    event_mjd
        Time of the last event, shape (n,); -inf if there was none.
    armed
        Shape (n, 2): 1 ready; 0 waiting to return beyond the limit by `rearm`; -1 has never been on the side
        it would have to come from.
    run
        Shape (n, 2): points in a row that satisfied it.
    """

    seen_mjd: Float64
    event_mjd: Float64
    armed: npt.NDArray[np.int8]
    run: npt.NDArray[np.int32]

    @classmethod
    def initial(cls, kind: npt.NDArray[np.int8]) -> TriggerState:
        """The state of pairs never looked at, given the kind of trigger of each.

        An object that is first seen above a magnitude has crossed it; one first seen below has not faded.
        """
        n = len(kind)
        armed = np.ones((n, 2), np.int8)
        armed[kind == TriggerKind.CROSSES, 0] = -1
        return cls(np.full(n, -np.inf), np.full(n, -np.inf), armed, np.zeros((n, 2), np.int32))


class LightCurveTable(Protocol):
    """A ragged table of photometry, such as a batch's diaSources."""

    @property
    def offsets(self) -> Int64: ...

    def numpy(self, name: str) -> npt.NDArray[Any]:
        """Column `name`, NaN for NULL; `band` as codes 0 to 5 for ugrizy, -1 for others."""
        ...


class TriggerLightCurves(NamedTuple):
    """Detections and forced photometry of objects, one curve each, in order of time.

    `offsets` has one entry more than there are objects; the other arrays have one element a point. Fluxes are
    in nJy; `source_id` is a diaSourceId, or a diaForcedSourceId where `forced`.
    """

    offsets: Int64
    midpointMjdTai: Float64
    band: npt.NDArray[np.int8]
    flux: Float64
    fluxErr: Float64
    totalFlux: Float64
    totalFluxErr: Float64
    source_id: Int64
    forced: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, detections: LightCurveTable, forced: LightCurveTable | None = None) -> TriggerLightCurves:
        """Unite the light curves of the same objects from a batch's diaSources and diaForcedSources.

        Where a detection and a forced measurement are of one band and time, they are one measurement made
        twice, and the detection counts. The total flux is scienceFlux, else templateFlux + psfFlux.
        """
        parts = [_points(detections, "diaSourceId", is_forced=False)]
        if forced is not None:
            if len(forced.offsets) != len(detections.offsets):
                raise ValueError("detections and forced photometry are not of the same objects")
            parts.append(_points(forced, "diaForcedSourceId", is_forced=True))
        columns = [np.concatenate(c) for c in zip(*parts, strict=True)]
        row, mjd, band = columns[:3]
        is_forced = columns[-1]
        order = np.lexsort((columns[-2], is_forced, band, mjd, row))
        same = np.zeros(len(order), np.bool_)
        if len(order) > 1:
            here, before = order[1:], order[:-1]
            same[1:] = (
                is_forced[here]
                & ~is_forced[before]
                & (row[here] == row[before])
                & (band[here] == band[before])
                & (np.abs(mjd[here] - mjd[before]) < _SAME_TIME)
            )
        order = order[~same]
        offsets = np.searchsorted(row[order], np.arange(len(detections.offsets))).astype(np.int64)
        return cls(offsets, *(np.ascontiguousarray(c[order]) for c in columns[1:]))


_SAME_TIME = 1e-9
"""Days; times of one exposure are written by the same program and so are equal but for their last digit."""


def _points(table: LightCurveTable, id_name: str, *, is_forced: bool) -> tuple[npt.NDArray[Any], ...]:
    """Object row, time, band, fluxes, id and forced flag of each point."""
    offsets = np.asarray(table.offsets, np.int64)
    row = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    flux, error = (table.numpy(name).astype(np.float64) for name in ("psfFlux", "psfFluxErr"))
    total, total_error = (table.numpy(name).astype(np.float64) for name in ("scienceFlux", "scienceFluxErr"))
    if not is_forced:  # forced photometry has no template flux of its own
        from_template = table.numpy("templateFlux").astype(np.float64) + flux
        total, total_error = (
            np.where(np.isfinite(total), total, from_template),
            np.where(np.isfinite(total_error), total_error, error),
        )
    return (
        row,
        table.numpy("midpointMjdTai").astype(np.float64),
        table.numpy("band").astype(np.int8),
        flux,
        error,
        total,
        np.where(np.isfinite(total_error), total_error, error),
        table.numpy(id_name).astype(np.int64),
        np.full(len(row), is_forced),
    )


@njit(cache=True, nogil=True)
def flux_of(magnitude: float) -> float:
    """Flux in nJy of an AB magnitude."""
    return float(10.0 ** (0.4 * (ZERO_POINT - magnitude)))


@njit(cache=True, nogil=True)
def mixed(value: int, part: int) -> int:
    """A 64-bit hash of `value` and `part` (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = np.uint64(value) ^ np.uint64(part)
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64(z ^ (z >> np.uint64(31)))  # type: ignore[return-value]  # numba's int64 is Python's int
