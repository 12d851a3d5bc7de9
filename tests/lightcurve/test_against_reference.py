"""Every feature that needs no fit equals the slow reference, for light curves of every kind."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from curve_batches import NAN, Curve, Point, batch_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightcurve_reference import Value, reference

from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.schema import arrow_schema

NO_FITS = FeatureResources(fits=False)

# Days on a coarse grid, then minutes: so that there are pairs within a visit, equal times and long gaps.
times = st.builds(
    lambda day, minute: 61000.0 + day + minute / 1440.0,
    st.integers(0, 90),
    st.sampled_from([0.0, 0.0, 0.5, 15.0, 39.0, 41.0, 300.0]),
)
missing = st.sampled_from([NAN, math.inf, -math.inf])
fluxes = st.one_of(
    st.floats(-1e5, 1e6, width=32),
    st.floats(500.0, 2000.0, width=32),
    st.sampled_from([0.0, 1000.0, 1e-30, -1e30, 3e38]),
    missing,
)
errors = st.one_of(st.floats(1.0, 1e4, width=32), st.sampled_from([10.0, 100.0, 0.0, -1.0]), missing)
withdrawn = st.sampled_from([NAN] * 9 + [61090.0])
bands = st.sampled_from("ugrizyv")
few_bands = st.sampled_from("grr")


def points(band: st.SearchStrategy[str], number: int) -> st.SearchStrategy[list[Point]]:
    point = st.builds(
        Point,
        time=st.one_of(times, times, times, st.just(NAN)),
        band=band,
        flux=fluxes,
        error=errors,
        reliability=st.one_of(st.floats(0.0, 1.0, width=32), st.just(NAN)),
        withdrawn=withdrawn,
        ra=st.one_of(st.floats(149.9997, 150.0003), st.just(NAN)),
        decl=st.one_of(st.floats(1.9997, 2.0003), st.just(NAN)),
        position_error=st.sampled_from([2e-5, 2e-5, 5e-5]),
        science=fluxes,
        science_error=errors,
    )
    return st.lists(point, max_size=number)


# Light curves as they are: everything measured, dense enough for pairs, baselines and rates.
dense_times = st.builds(
    lambda day, minute: 61000.0 + day + minute / 1440.0,
    st.one_of(st.integers(0, 6), st.integers(60, 72)),
    st.sampled_from([0.0, 0.5, 20.0, 39.5, 41.0, 400.0, 720.0, 900.0]),
)
ordinary_points = st.lists(
    st.builds(
        Point,
        time=dense_times,
        band=st.sampled_from("gr"),
        flux=st.floats(-60.0, 2000.0, width=32),
        error=st.sampled_from([10.0, 12.5, 100.0]),
        reliability=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
        ra=st.floats(149.9997, 150.0003),
        decl=st.floats(1.9997, 2.0003),
        position_error=st.sampled_from([2e-5, 5e-5]),
    ),
    min_size=2,
    max_size=40,
)


def ordinary() -> st.SearchStrategy[Curve]:
    return st.builds(
        Curve,
        detections=ordinary_points,
        forced=ordinary_points,
        limits=st.lists(st.builds(Point, time=dense_times), max_size=4),
    )


def curves(band: st.SearchStrategy[str]) -> st.SearchStrategy[Curve]:
    return st.builds(
        Curve,
        detections=points(band, 30),
        forced=points(band, 12),
        limits=st.lists(st.builds(Point, time=st.one_of(times, st.just(NAN))), max_size=4),
    )


def check(found: object, expected: Value, kind: pa.DataType, where: str) -> None:
    """Equal to 2e-6 (a single-precision column), of the value or of what was subtracted to get it."""
    value, scale = expected
    if value is not None and pa.types.is_float32(kind) and not abs(value) < 3.4028234e38:  # type: ignore[operator, arg-type]  # a number
        value = None
    if value is None or isinstance(value, str | int):
        assert found == value, where
        return
    assert isinstance(found, float), where
    assert found == pytest.approx(value, rel=2e-6, abs=2e-6 * scale + 1e-40), where


def compare(batch_curves: list[Curve], survey: str = "lsst", ebv: float | None = None) -> None:
    given_ebv = {"ebv": pa.array([ebv] * len(batch_curves), pa.float32())}
    table = enrich(batch_of(batch_curves, survey, given_ebv), NO_FITS).objects
    schema = arrow_schema("objects")
    for row, curve in zip(table.to_pylist(), batch_curves, strict=True):
        for name, expected in reference(curve, survey, ebv).items():
            check(row[name], expected, schema.field(name).type, name)


@given(st.lists(st.one_of(curves(bands), curves(few_bands), ordinary(), ordinary()), max_size=3))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_any_light_curves(batch_curves: list[Curve]) -> None:
    compare(batch_curves)


@given(curves(st.sampled_from("gri")), st.sampled_from([None, 0.0, 0.25]))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_another_survey_and_extinction(curve: Curve, ebv: float | None) -> None:
    compare([curve], "ztf", None if ebv is None else float(pa.scalar(ebv, pa.float32()).as_py()))


STILL = [Point(61000.0 + k, "r", 1000.0, 10.0) for k in range(6)]


@pytest.mark.parametrize(
    "curve",
    [
        Curve(),
        Curve([Point(61000.0)]),
        Curve([Point(NAN)]),
        Curve([Point(61000.0, flux=NAN, error=NAN), Point(61001.0, flux=NAN, error=NAN)]),
        Curve([Point(61000.0, withdrawn=61001.0)]),
        Curve(STILL),
        Curve([Point(61000.0, "g"), Point(61000.0, "r"), Point(61000.0, "r", 900.0)]),
        Curve([Point(61000.0 + k, "i", math.inf) for k in range(9)]),
        Curve([Point(61000.0 + k, "i", -50.0 - k) for k in range(9)]),
        Curve([Point(61000.0, "v"), Point(61001.0, "v")]),
        Curve([Point(61000.0 + k, "z", 3e38, 1e38) for k in range(5)]),
        # Ten days and seventy days before the newest, to the day.
        Curve([*(Point(61000.0 + 10 * k, "r", 100.0 * k) for k in range(8)), Point(61070.0, "g")]),
        # A limit and a forced measurement in the very exposure of the first detection.
        Curve(STILL, [Point(61000.0, "r", 20.0), Point(60999.0, "r", 40.0)], [Point(61000.0)]),
        # Two bands 40 minutes apart, and just less.
        Curve([Point(61000.0 + 40 / 1440 * k, "gr"[k % 2]) for k in range(3)]),
        Curve([Point(61000.0 + 39.99 / 1440 * k, "gr"[k % 2]) for k in range(3)]),
    ],
    ids=[
        "empty",
        "one",
        "no-time",
        "no-flux",
        "withdrawn",
        "constant",
        "simultaneous",
        "infinite",
        "negative",
        "other-band",
        "huge",
        "days-apart",
        "same-exposure",
        "forty-minutes",
        "less-than-forty",
    ],
)
def test_light_curves_at_the_edge(curve: Curve) -> None:
    compare([curve, Curve(STILL), curve])


def test_an_empty_batch_has_every_column() -> None:
    table = enrich(batch_of([]), FeatureResources()).objects
    assert table.num_rows == 0
    assert "BBBRiseRate" in table.column_names
