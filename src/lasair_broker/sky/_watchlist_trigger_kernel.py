"""The evaluation of magnitude triggers on light curves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._watchlist_triggers import (
    ZERO_POINT,
    TriggerLightCurves,
    Triggers,
    TriggerState,
    flux_of,
    mixed,
)

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_LEAST_BASELINE = 3


class TriggerEvents(NamedTuple):
    """Events, sorted by pair, then time; all of one length.

    Attributes
    ----------
    event_id
        Identity, 0 to 2**63 - 1: a hash of trigger, row, object, point and direction. The same point gives
        the same id whenever it is looked at.
    pair
        Index into the pairs evaluated.
    source_id, forced
        The point that completed the condition: diaSourceId, or diaForcedSourceId if `forced`.
    midpointMjdTai, band
        Its time and band code.
    direction
        1 brighter, -1 fainter.
    flux, fluxErr
        What was compared, nJy.
    limit_flux, baseline_flux
        What it was compared with, nJy; the baseline is NaN for a crossing.
    """

    event_id: Int64
    pair: Int64
    source_id: Int64
    forced: npt.NDArray[np.bool_]
    midpointMjdTai: Float64
    band: npt.NDArray[np.int8]
    direction: npt.NDArray[np.int8]
    flux: Float64
    fluxErr: Float64
    limit_flux: Float64
    baseline_flux: Float64

    @property
    def magnitude(self) -> Float64:
        """AB magnitude of the point, NaN where the flux is not above zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Float64 = ZERO_POINT - 2.5 * np.log10(self.flux)
        return np.where(self.flux > 0.0, found, np.nan)


def evaluate_triggers(
    curves: TriggerLightCurves,
    triggers: Triggers,
    diaObjectId: Int64,
    pair_object: Int64,
    pair_trigger: Int64,
    pair_cone: Int64,
    state: TriggerState,
) -> tuple[TriggerEvents, TriggerState]:
    """Look at the points of each pair that are newer than its state.

    Parameters
    ----------
    curves
        Light curves of the batch's objects.
    triggers
        The triggers.
    diaObjectId
        Of each light curve.
    pair_object, pair_trigger, pair_cone
        For each pair the index of its light curve, the index of its trigger, and the cone_id it matched.
    state
        The state of each pair; it is not changed.

    Returns
    -------
    The events, and the state afterwards. Given the same points in any division into batches (each with the
    earlier points in it), the events are the same. Points that arrive after newer ones were seen are history:
    they count towards a baseline but cause nothing.

    Raises
    ------
    ValueError
        If the arrays of the pairs are not of one length.
    """
    if not len(pair_object) == len(pair_trigger) == len(pair_cone) == len(state.seen_mjd):
        raise ValueError("the arrays of the pairs and their state must be of one length")
    after = TriggerState(state.seen_mjd.copy(), state.event_mjd.copy(), state.armed.copy(), state.run.copy())
    longest = int(np.diff(curves.offsets).max(initial=0))
    found = _evaluate(
        curves,
        triggers,
        np.asarray(diaObjectId, np.int64),
        np.asarray(pair_object, np.int64),
        np.asarray(pair_trigger, np.int64),
        np.asarray(pair_cone, np.int64),
        after,
        np.empty((6, longest)),
        np.empty((6, longest)),
    )
    integers, numbers = found
    return (
        TriggerEvents(
            event_id=integers[:, 0],
            pair=integers[:, 1],
            source_id=integers[:, 2],
            forced=integers[:, 3].astype(np.bool_),
            midpointMjdTai=numbers[:, 0],
            band=integers[:, 4].astype(np.int8),
            direction=integers[:, 5].astype(np.int8),
            flux=numbers[:, 1],
            fluxErr=numbers[:, 2],
            limit_flux=numbers[:, 3],
            baseline_flux=numbers[:, 4],
        ),
        after,
    )


@njit(cache=True, nogil=True)
def _insert(values: Float64, count: int, value: float) -> None:
    """Sort `value` into the first `count` values, which are ascending."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    for i in range(count, low, -1):
        values[i] = values[i - 1]
    values[low] = value


@njit(cache=True, nogil=True)
def _median(values: Float64, count: int) -> float:
    return 0.5 * float(values[(count - 1) // 2] + values[count // 2])


@njit(cache=True, nogil=True)
def _usable(band: int, mjd: float, flux: float, error: float, bands: int) -> bool:
    """Whether a point is a measurement in one of a trigger's bands."""
    return bool(
        band >= 0
        and (bands >> band) & 1
        and np.isfinite(flux)
        and np.isfinite(error)
        and error > 0.0
        and np.isfinite(mjd)
    )


@njit(cache=True, nogil=True)
def _evaluate(  # type: ignore[no-untyped-def]  # numba infers the named tuples
    curves, triggers, object_id, pair_object, pair_trigger, pair_cone, state, base_flux, base_error
):
    # Arrays out of the named tuples once: a tuple of arrays is dear to hand to another function.
    mjds, bands_of_points, is_forced, source_id = (
        curves.midpointMjdTai,
        curves.band,
        curves.forced,
        curves.source_id,
    )
    seen_mjd, event_mjd, armed, run = state.seen_mjd, state.event_mjd, state.armed, state.run
    room = 256
    integers = np.empty((room, 6), np.int64)
    numbers = np.empty((room, 5), np.float64)
    found = 0
    base_count = np.zeros(6, np.int64)
    for p in range(len(pair_object)):
        t = pair_trigger[p]
        changes = triggers.kind[t] == 1
        measured = changes and np.isnan(triggers.baseline_magnitude[t])
        bands, wants_forced, direction = triggers.bands[t], triggers.forced[t], triggers.direction[t]
        gap, asked, least_ratio = triggers.baseline_gap[t], triggers.limit[t], triggers.min_snr[t]
        fluxes = curves.totalFlux if triggers.total[t] else curves.flux
        errors = curves.totalFluxErr if triggers.total[t] else curves.fluxErr
        first, stop = curves.offsets[pair_object[p]], curves.offsets[pair_object[p] + 1]
        base_count[:] = 0
        old = first  # the next point to grow old enough for the baseline
        seen = seen_mjd[p]
        for i in range(first, stop):
            mjd, band, flux, error = mjds[i], bands_of_points[i], fluxes[i], errors[i]
            if not mjd > seen or (is_forced[i] and not wants_forced):
                continue
            if not _usable(band, mjd, flux, error, bands):
                continue
            seen_mjd[p] = mjd
            baseline = np.nan
            if measured:
                while old < stop and mjds[old] < mjd - gap:
                    b = bands_of_points[old]
                    if (wants_forced or not is_forced[old]) and _usable(
                        b, mjds[old], fluxes[old], errors[old], bands
                    ):
                        _insert(base_flux[b], base_count[b], fluxes[old])
                        _insert(base_error[b], base_count[b], errors[old])
                        base_count[b] += 1
                    old += 1
                count = base_count[band]
                if count < _LEAST_BASELINE:
                    continue
                baseline = max(_median(base_flux[band], count), _median(base_error[band], count))
            elif changes:
                baseline = flux_of(triggers.baseline_magnitude[t])
            for side in range(2):
                sign = 2 * side - 1
                if direction == -sign:
                    continue
                limit = baseline * 10.0 ** (0.4 * sign * asked) if changes else flux_of(asked)
                beyond = sign * (flux - limit) >= 0.0
                certain = flux >= least_ratio * error
                if sign < 0:
                    certain = certain or flux + least_ratio * error <= limit
                # The way back is on the other side of the limit.
                recovered = limit * 10.0 ** (-0.4 * sign * triggers.rearm[t])
                if (armed[p, side] == -1 and not beyond) or (
                    armed[p, side] == 0 and not beyond and sign * (recovered - flux) >= 0.0
                ):
                    armed[p, side] = 1
                run[p, side] = run[p, side] + 1 if beyond and certain else 0
                if run[p, side] < triggers.consecutive[t] or armed[p, side] != 1:
                    continue
                if mjd < triggers.start_mjd[t]:
                    armed[p, side] = 0
                    continue
                if mjd - event_mjd[p] < triggers.cooldown[t]:
                    continue
                armed[p, side] = 0
                event_mjd[p] = mjd
                if found == room:
                    room *= 2
                    wider_integers = np.empty((room, 6), np.int64)
                    wider_integers[:found] = integers[:found]
                    integers = wider_integers
                    wider_numbers = np.empty((room, 5), np.float64)
                    wider_numbers[:found] = numbers[:found]
                    numbers = wider_numbers
                event_id = mixed(0, triggers.trigger_id[t])
                event_id = mixed(event_id, pair_cone[p])
                event_id = mixed(event_id, object_id[pair_object[p]])
                event_id = mixed(event_id, source_id[i])
                event_id = mixed(event_id, 2 * side + (1 if is_forced[i] else 0))
                integers[found, 0] = event_id & 0x7FFFFFFFFFFFFFFF
                integers[found, 1] = p
                integers[found, 2] = source_id[i]
                integers[found, 3] = 1 if is_forced[i] else 0
                integers[found, 4] = band
                integers[found, 5] = sign
                numbers[found, 0] = mjd
                numbers[found, 1] = flux
                numbers[found, 2] = error
                numbers[found, 3] = limit
                numbers[found, 4] = baseline
                found += 1
    return integers[:found].copy(), numbers[:found].copy()
