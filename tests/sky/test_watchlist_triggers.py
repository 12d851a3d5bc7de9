"""Magnitude triggers: told scenarios, and a slow evaluation written from the description alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.sky import (
    Direction,
    Trigger,
    TriggerEvents,
    TriggerKind,
    TriggerLightCurves,
    Triggers,
    TriggerState,
    evaluate_triggers,
)

CROSSES, CHANGES = TriggerKind.CROSSES, TriggerKind.CHANGES


def flux(magnitude: float) -> float:
    return float(10 ** ((31.4 - magnitude) / 2.5))


@dataclass
class Point:
    mjd: float
    flux: float
    err: float = 10.0
    band: str = "r"
    forced: bool = False
    total: float = math.nan
    id: int = 0


def curves(objects: list[list[Point]]) -> TriggerLightCurves:
    points = [(k, p) for k, points in enumerate(objects) for p in sorted(points, key=lambda p: p.mjd)]
    flat = [p for _, p in points]
    return TriggerLightCurves(
        offsets=np.cumsum([0] + [len(o) for o in objects]).astype(np.int64),
        midpointMjdTai=np.array([p.mjd for p in flat], float),
        band=np.array(["ugrizy".find(p.band) for p in flat], np.int8),
        flux=np.array([p.flux for p in flat], float),
        fluxErr=np.array([p.err for p in flat], float),
        totalFlux=np.array([p.total for p in flat], float),
        totalFluxErr=np.array([p.err for p in flat], float),
        source_id=np.array([p.id for p in flat], np.int64),
        forced=np.array([p.forced for p in flat], bool),
    )


def run(
    points: list[Point], trigger: Trigger, state: TriggerState | None = None
) -> tuple[TriggerEvents, TriggerState]:
    triggers = Triggers.of([trigger])
    zero = np.zeros(1, np.int64)
    state = TriggerState.initial(triggers.kind) if state is None else state
    return evaluate_triggers(curves([points]), triggers, np.array([77]), zero, zero, zero + 5, state)


def times(points: list[Point], trigger: Trigger) -> list[float]:
    return list(run(points, trigger)[0].midpointMjdTai)


def at(magnitudes: list[float], **more: Any) -> list[Point]:
    return [Point(float(day), flux(m), id=day + 1, **more) for day, m in enumerate(magnitudes)]


BRIGHTER_THAN_18 = Trigger(1, 1, magnitude=18.0)


# ---- told scenarios ----


def test_crossing_needs_points_in_a_row() -> None:
    assert times(at([19, 17.5, 19, 17.5, 17.4, 17.3]), BRIGHTER_THAN_18) == [4.0]
    assert times(at([19, 17.5, 19]), replace(BRIGHTER_THAN_18, consecutive=1)) == [1.0]


def test_new_object_above_the_magnitude_has_crossed_it() -> None:
    assert times(at([17, 17]), BRIGHTER_THAN_18) == [1.0]


def test_hysteresis() -> None:
    wobble = [17.9, 17.9, 18.1, 18.2, 17.9, 17.9]
    assert times(at(wobble), BRIGHTER_THAN_18) == [1.0]
    assert times(at([*wobble, 18.31, 17.9, 17.9]), BRIGHTER_THAN_18) == [1.0, 8.0]


def test_cooldown_delays_but_does_not_swallow() -> None:
    flares = at([17, 17, 19, 17, 17, 17, 17, 17])
    assert times(flares, replace(BRIGHTER_THAN_18, cooldown=5)) == [1.0, 6.0]
    assert times(flares, replace(BRIGHTER_THAN_18, cooldown=100)) == [1.0]


def test_fading_needs_to_have_been_bright() -> None:
    fades = replace(BRIGHTER_THAN_18, direction=Direction.FADES)
    assert times(at([19, 19, 19]), fades) == []
    assert times(at([17, 19, 19, 19]), fades) == [2.0]


def test_vanishing_is_fading_negative_flux_included() -> None:
    fades = replace(BRIGHTER_THAN_18, direction=Direction.FADES)
    gone = [Point(0, flux(17)), Point(1, -50.0), Point(2, 0.0)]
    assert times(gone, fades) == [2.0]
    # so uncertain that it might still be above: not a fading
    unsure = [Point(0, flux(17)), *(Point(t, 0.0, err=flux(17)) for t in (1, 2))]
    assert times(unsure, fades) == []


def test_uncertain_or_missing_points_cause_nothing() -> None:
    bad = [
        Point(1, flux(15), err=flux(15) / 3),
        Point(2, math.nan),
        Point(3, math.inf),
        Point(4, flux(15), err=math.nan),
        Point(5, flux(15), err=0.0),
        Point(math.nan, flux(15)),
    ]
    assert times(bad, replace(BRIGHTER_THAN_18, consecutive=1)) == []


def test_bands_and_forced_are_chosen() -> None:
    red = replace(BRIGHTER_THAN_18, bands=("r", "i"))
    assert times(at([17, 17], band="g"), red) == []
    assert times(at([17, 17], band="i"), red) == [1.0]
    assert times(at([17, 17], band="?"), BRIGHTER_THAN_18) == []
    assert times(at([17, 17], forced=True), replace(red, forced=False)) == []
    event = run(at([17, 17], forced=True), red)[0]
    assert event.forced.tolist() == [True]


def test_total_flux() -> None:
    variable = [Point(t, -3.0, total=flux(m)) for t, m in enumerate([19, 17, 17])]
    assert times(variable, BRIGHTER_THAN_18) == []
    assert times(variable, replace(BRIGHTER_THAN_18, total=True)) == [2.0]


def test_change_against_given_and_measured_baseline() -> None:
    given_baseline = Trigger(1, 1, kind=CHANGES, change=1.0, baseline_magnitude=20.0)
    assert times(at([20, 19.1, 18.9, 18.9]), given_baseline) == [3.0]
    quiet = [Point(-100.0 - k, flux(20)) for k in range(3)]
    measured = Trigger(1, 1, kind=CHANGES, change=1.0)
    assert times([*quiet, *at([19.1, 18.9, 18.9])], measured) == [2.0]
    assert times([*quiet[1:], *at([18.9, 18.9])], measured) == [], "two points are no baseline"
    assert times([*quiet, *at([21.2, 21.2])], replace(measured, direction=Direction.FADES)) == [1.0]
    either = replace(measured, direction=Direction.EITHER)
    both = run([*quiet, *at([18.9, 18.9, 20, 21.1, 21.1])], either)[0]
    assert both.midpointMjdTai.tolist() == [1.0, 4.0]
    assert both.direction.tolist() == [1, -1]


def test_baseline_of_noise_is_one_sigma() -> None:
    noise = [Point(-100.0 - k, f, err=30.0) for k, f in enumerate([-20.0, 3.0, 5.0])]
    event = run([*noise, Point(0, 900.0), Point(1, 900.0)], Trigger(1, 1, kind=CHANGES, change=3.0))[0]
    assert event.baseline_flux.tolist() == [30.0]
    assert event.limit_flux.tolist() == pytest.approx([30.0 * 10**1.2])


def test_baseline_is_of_the_same_band() -> None:
    blue = [Point(-100.0 - k, flux(15), band="g") for k in range(5)]
    red = [Point(-90.0 - k, flux(20), band="r") for k in range(5)]
    got = run([*blue, *red, *at([18, 18])], Trigger(1, 1, kind=CHANGES, change=1.5))[0]
    assert got.baseline_flux.tolist() == pytest.approx([flux(20)])


def test_what_lay_before_the_start_is_only_taken_note_of() -> None:
    late = replace(BRIGHTER_THAN_18, start_mjd=2.5)
    assert times(at([17, 17, 17, 17, 17]), late) == [], "it was bright already"
    assert times(at([17, 17, 19, 17, 17]), late) == [4.0]


def test_event_says_what_happened() -> None:
    event = run(at([19, 17.25, 17.25]), BRIGHTER_THAN_18)[0]
    assert event.source_id.tolist() == [3]
    assert event.magnitude.tolist() == pytest.approx([17.25])
    assert event.limit_flux.tolist() == pytest.approx([flux(18)])
    assert np.isnan(event.baseline_flux).all()
    assert event.band.tolist() == [2]


def test_event_ids_are_stable_and_differ() -> None:
    points = at([19, 17, 17])
    one = run(points, BRIGHTER_THAN_18)[0].event_id
    assert one.tolist() == run(points, BRIGHTER_THAN_18)[0].event_id.tolist()
    # In plain integers; a change of the hash would make every past event new.
    assert one.tolist() == [split_mix(1, 5, 77, 3, 2) % 2**63]
    other = run(points, replace(BRIGHTER_THAN_18, trigger_id=2))[0].event_id
    assert one.tolist() != other.tolist()
    zero = np.zeros(1, np.int64)
    triggers = Triggers.of([BRIGHTER_THAN_18])
    ids = {
        int(
            evaluate_triggers(
                curves([points]),
                triggers,
                np.array([obj]),
                zero,
                zero,
                zero + cone,
                TriggerState.initial(triggers.kind),
            )[0].event_id[0]
        )
        for obj in (1, 2, -3)
        for cone in (1, 2)
    }
    assert len(ids) == 6
    assert min(ids) >= 0


def split_mix(*parts: int) -> int:
    word, value = 2**64, 0
    for part in parts:
        z = ((value ^ part) + 0x9E3779B97F4A7C15) % word
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % word
        value = z ^ (z >> 31)
    return value


def test_a_point_is_looked_at_once() -> None:
    points = at([19, 17, 17, 19, 17, 17])
    first, state = run(points[:4], BRIGHTER_THAN_18)
    again, state = run(points[:4], BRIGHTER_THAN_18, state)
    rest, _ = run(points, BRIGHTER_THAN_18, state)
    assert [list(e.midpointMjdTai) for e in (first, again, rest)] == [[2.0], [], [5.0]]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": CROSSES}, "magnitude"),
        ({"kind": CHANGES, "change": 0.0}, "change"),
        ({"kind": CHANGES, "change": 0.3, "rearm": 0.3}, "rearm"),
        ({"magnitude": 18.0, "bands": ("r", "v")}, "instead of v"),
        ({"magnitude": 18.0, "bands": ()}, "bands"),
        ({"magnitude": 18.0, "consecutive": 0}, "consecutive"),
        ({"magnitude": 18.0, "cooldown": math.nan}, "cooldown"),
    ],
)
def test_senseless_triggers_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Trigger(1, 1, **values)


def test_pairs_of_hits_and_triggers() -> None:
    whole, row, other = (
        Trigger(1, 4, magnitude=18),
        Trigger(2, 4, cone_id=9, magnitude=18),
        Trigger(3, 5, magnitude=18),
    )
    triggers = Triggers.of([whole, row, other, replace(whole, trigger_id=4)])
    hit, trigger = triggers.pairs(np.array([4, 4, 5, 6]), np.array([8, 9, 9, 9]))
    assert list(zip(hit.tolist(), trigger.tolist(), strict=True)) == [
        (0, 0),
        (0, 3),
        (1, 0),
        (1, 1),
        (1, 3),
        (2, 2),
    ]
    nothing = Triggers.of([]).pairs(np.array([4]), np.array([8]))
    assert [len(a) for a in nothing] == [0, 0]


def test_no_pairs_no_points() -> None:
    triggers = Triggers.of([BRIGHTER_THAN_18])
    none = np.zeros(0, np.int64)
    events, state = evaluate_triggers(
        curves([]), triggers, none, none, none, none, TriggerState.initial(triggers.kind[:0])
    )
    assert len(events.event_id) == len(state.run) == 0
    assert times([], BRIGHTER_THAN_18) == []
    with pytest.raises(ValueError, match="one length"):
        evaluate_triggers(curves([]), triggers, none, none + 1, none, np.zeros(1, np.int64), state)


# ---- uniting detections and forced photometry ----


class FakeTable:
    def __init__(self, offsets: list[int], **columns: list[float]) -> None:
        self.offsets = np.array(offsets, np.int64)
        self.columns = columns

    def numpy(self, name: str) -> npt.NDArray[Any]:
        return np.array(self.columns[name], np.float64 if "lux" in name or "Mjd" in name else np.int64)


def test_detections_and_forced_are_one_curve() -> None:
    nan = math.nan
    detections = FakeTable(
        [0, 2, 2],
        diaSourceId=[1, 2],
        midpointMjdTai=[10.0, 12.0],
        band=[2, 1],
        psfFlux=[5, 6],
        psfFluxErr=[1, 1],
        scienceFlux=[50, nan],
        scienceFluxErr=[2, nan],
        templateFlux=[45, 30],
    )
    forced = FakeTable(
        [0, 3, 4],
        diaForcedSourceId=[7, 8, 9, 10],
        midpointMjdTai=[10.0, 10.0, 11.0, 3.0],
        band=[2, 1, 1, -1],
        psfFlux=[5.1, 3, 4, 2],
        psfFluxErr=[1, 1, 1, 1],
        scienceFlux=[50.1, 33, nan, 1],
        scienceFluxErr=[2, 2, nan, 1],
    )
    got = TriggerLightCurves.of(detections, forced)
    assert got.offsets.tolist() == [0, 4, 5]
    assert got.source_id.tolist() == [8, 1, 9, 2, 10], "forced point 7 is detection 1 measured again"
    assert got.forced.tolist() == [True, False, True, False, True]
    assert got.totalFlux[:2].tolist() == [33, 50]
    assert math.isnan(got.totalFlux[2])
    assert got.totalFlux[3] == 36
    assert got.totalFluxErr[3] == 1
    alone = TriggerLightCurves.of(detections)
    assert alone.source_id.tolist() == [1, 2]
    with pytest.raises(ValueError, match="same objects"):
        TriggerLightCurves.of(detections, FakeTable([0]))


# ---- the slow evaluation ----


@dataclass
class Side:
    """One direction of one trigger on one object."""

    armed: bool
    ever_opposite: bool
    run: int = 0


@dataclass
class Watcher:
    trigger: Trigger
    last: float = -math.inf
    events: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        new_fade = self.trigger.kind == CROSSES
        self.sides = {1: Side(True, True), -1: Side(not new_fade, not new_fade)}

    def usable(self, p: Point) -> bool:
        t = self.trigger
        value = p.total if t.total else p.flux
        return (
            p.band in t.bands
            and (t.forced or not p.forced)
            and math.isfinite(value)
            and math.isfinite(p.err)
            and p.err > 0
        )

    def watch(self, points: list[Point]) -> None:
        t = self.trigger
        for p in points:
            if not self.usable(p):
                continue
            value = p.total if t.total else p.flux
            base = None
            if t.kind == CHANGES:
                if not math.isnan(t.baseline_magnitude):
                    base = flux(t.baseline_magnitude)
                else:
                    past = [
                        q
                        for q in points
                        if self.usable(q) and q.band == p.band and q.mjd < p.mjd - t.baseline_gap
                    ]
                    if len(past) < 3:
                        continue
                    base = max(
                        median(q.total if t.total else q.flux for q in past), median(q.err for q in past)
                    )
            for sign in (-1, 1):
                if t.direction not in (0, sign):
                    continue
                limit = flux(t.magnitude) if base is None else base / 10 ** (-0.4 * t.change * sign)
                self.step(self.sides[sign], sign, p, value, limit)

    def step(self, side: Side, sign: int, p: Point, value: float, limit: float) -> None:
        t = self.trigger
        past_limit = value >= limit if sign > 0 else value <= limit
        sure = value / p.err >= t.min_snr or (sign < 0 and value + t.min_snr * p.err <= limit)
        if not past_limit:
            if not side.ever_opposite:
                side.armed = side.ever_opposite = True
            back = limit / 10 ** (0.4 * t.rearm) if sign > 0 else limit * 10 ** (0.4 * t.rearm)
            if value <= back if sign > 0 else value >= back:
                side.armed = True
        side.run = side.run + 1 if past_limit and sure else 0
        if side.armed and side.run >= t.consecutive:
            if p.mjd < t.start_mjd:
                side.armed = False
            elif p.mjd - self.last >= t.cooldown:
                side.armed = False
                self.last = p.mjd
                self.events.append((p.mjd, p.id, sign))


points_of_an_object = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.one_of(st.floats(-300, 3000), st.sampled_from([math.nan, math.inf, 0.0])),
        st.sampled_from([5.0, 30.0, 200.0, math.nan, 0.0]),
        st.sampled_from("gr?"),
        st.booleans(),
        st.one_of(st.floats(-300, 3000), st.just(math.nan)),
    ),
    max_size=30,
)
some_triggers = st.builds(
    Trigger,
    trigger_id=st.integers(1, 9),
    wl_id=st.just(1),
    kind=st.sampled_from([CROSSES, CHANGES]),
    direction=st.sampled_from(list(Direction)),
    magnitude=st.sampled_from([23.5, 24.0, 25.0, 26.0]),
    change=st.sampled_from([0.5, 1.0, 2.0]),
    baseline_magnitude=st.sampled_from([math.nan, math.nan, 24.5]),
    baseline_gap=st.sampled_from([0.0, 5.0, 30.0]),
    bands=st.sampled_from([("r",), ("g", "r"), ("z",)]),
    consecutive=st.integers(1, 3),
    total=st.booleans(),
    forced=st.booleans(),
    min_snr=st.sampled_from([0.0, 3.0]),
    rearm=st.sampled_from([0.0, 0.3]),
    cooldown=st.sampled_from([0.0, 10.0]),
    start_mjd=st.sampled_from([-math.inf, 100.0]),
)


def as_points(drawn: list[tuple[Any, ...]]) -> list[Point]:
    mjd, out = 0.0, []
    for k, (step, value, err, band, forced, total) in enumerate(drawn):
        mjd += step / 2
        out.append(Point(mjd, value, err, band, forced, total, id=1000 + k))
    return out


@settings(max_examples=300, deadline=None)
@given(st.lists(points_of_an_object, min_size=1, max_size=3), st.lists(some_triggers, min_size=1, max_size=3))
def test_equals_the_slow_evaluation(drawn: list[list[tuple[Any, ...]]], chosen: list[Trigger]) -> None:
    objects = [as_points(d) for d in drawn]
    triggers = Triggers.of(chosen)
    pair_object, pair_trigger = (
        a.ravel() for a in np.meshgrid(np.arange(len(objects)), np.arange(len(chosen)), indexing="ij")
    )
    events, _ = evaluate_triggers(
        curves(objects),
        triggers,
        np.arange(len(objects)) + 50,
        pair_object,
        pair_trigger,
        np.zeros(len(pair_object), np.int64),
        TriggerState.initial(triggers.kind[pair_trigger]),
    )
    for k, (o, t) in enumerate(zip(pair_object, pair_trigger, strict=True)):
        watcher = Watcher(chosen[t])
        watcher.watch(objects[o])
        mine = events.pair == k
        got = zip(
            events.midpointMjdTai[mine].tolist(),
            events.source_id[mine].tolist(),
            events.direction[mine].tolist(),
            strict=True,
        )
        assert list(got) == watcher.events
    assert len(set(zip(events.event_id.tolist(), events.pair.tolist(), strict=True))) == len(events.pair)


@settings(max_examples=100, deadline=None)
@given(points_of_an_object, some_triggers, st.lists(st.integers(0, 30), max_size=4))
def test_batches_do_not_matter(drawn: list[tuple[Any, ...]], trigger: Trigger, cuts: list[int]) -> None:
    points = as_points(drawn)
    whole, state_of_whole = run(points, trigger)
    state, ids = None, []
    for cut in [*sorted(cuts), len(points)]:
        events, state = run(points[:cut], trigger, state)
        ids += events.event_id.tolist()
    assert ids == whole.event_id.tolist()
    assert state is not None
    for a, b in zip(state, state_of_whole, strict=True):
        assert np.array_equal(a, b)
