"""Periodograms: astropy's multiband one is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import LombScargleMultiband
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.web.errors import Invalid
from lasair_broker.web.objects.periods import Periodogram, periodogram


def _star(period: float, *, points: int = 150, span: float = 300.0, noise: float = 0.1, seed: int = 1):  # type: ignore[no-untyped-def]  # arrays
    random = np.random.default_rng(seed)
    time = np.sort(random.uniform(0.0, span, points))
    band = random.choice(list("gri"), points)
    mean = np.select([band == "g", band == "r"], [5.0, 9.0], 14.0)
    flux = mean + np.sin(2 * np.pi * time / period) + random.normal(0.0, noise, points)
    return time, flux, np.full(points, noise), band


@pytest.fixture(scope="module")
def found() -> Periodogram:
    return periodogram(*_star(3.21), shortest=0.3)


def test_a_sine_is_found_in_bands_of_different_mean(found: Periodogram) -> None:
    assert abs(found.peaks[0].period - 3.21) < 0.01
    assert found.peaks[0].power > 0.95
    assert found.false_alarm < 1e-6
    assert found.points == 150
    assert [p.power for p in found.peaks] == sorted((p.power for p in found.peaks), reverse=True)


def test_power_is_that_of_astropys_multiband_periodogram(found: Periodogram) -> None:
    time, flux, error, band = _star(3.21)
    periods = found.period[:: len(found.period) // 40]
    power = found.power[:: len(found.power) // 40]
    oracle = LombScargleMultiband(time, flux, band, error).power(
        1.0 / periods, method="fast", sb_method="slow"
    )
    assert np.allclose(power, oracle, atol=0.01)


def test_drawn_is_the_highest_power_of_each_step(found: Periodogram) -> None:
    assert len(found.period) <= 1501
    assert np.all(np.diff(found.period) > 0)
    assert found.power.max() == pytest.approx(found.peaks[0].power)
    assert found.longest == pytest.approx(np.ptp(_star(3.21)[0]))


def test_the_rhythm_of_nights_is_pointed_out() -> None:
    random = np.random.default_rng(3)
    time = np.arange(80) * 0.99726957 + random.normal(0.0, 0.02, 80)
    flux = np.sin(2 * np.pi * time / 20.0)
    peaks = periodogram(time, flux, np.full(80, 0.05), np.full(80, "r"), shortest=0.5).peaks
    assert abs(peaks[0].period - 20.0) < 1.0 or peaks[0].alias or abs(1 / peaks[0].period - 1.0027) < 0.06
    near_day = [p for p in peaks if abs(p.period - 0.99726957) < 0.005]
    assert all(p.alias for p in near_day)
    assert not any(p.alias for p in peaks if abs(p.period - 20.0) < 1.0)


def test_noise_has_no_period() -> None:
    random = np.random.default_rng(5)
    time = np.sort(random.uniform(0.0, 100.0, 60))
    found = periodogram(time, random.normal(0.0, 1.0, 60), np.ones(60), np.full(60, "g"), shortest=0.5)
    assert found.false_alarm > 0.01


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t, f, e, b: (t[:9], f[:9], e[:9], b[:9]), "needs 10 points"),
        (lambda t, f, e, b: (t, f, np.zeros_like(e), b), "there are 0"),
        (lambda t, f, e, b: (t, np.full_like(f, np.nan), e, b), "there are 0"),
        (lambda t, f, e, b: (t * 1e-5, f, e, b), "too short a time"),
        (lambda t, f, e, b: (t[:12], f[:12], e[:12], np.array(list("abcdefghijkl"))), "there are 0"),
    ],
)
def test_too_little_is_told(change, told: str) -> None:  # type: ignore[no-untyped-def]  # a lambda
    with pytest.raises(Invalid, match=told):
        periodogram(*change(*_star(2.0)))


def test_no_period_to_try_is_told() -> None:
    with pytest.raises(Invalid, match="shortest first"):
        periodogram(*_star(2.0), shortest=5.0, longest=4.0)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(10, 40),
    st.floats(0.5, 5000.0),
    st.sampled_from(["same", "mixed", "constant"]),
    st.integers(0, 99),
)
def test_power_is_a_share(points: int, span: float, kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    time = random.uniform(0.0, span, points)
    time[0], time[-1] = 0.0, span
    flux = np.zeros(points) if kind == "constant" else random.normal(0.0, 10.0, points)
    band = np.full(points, "r") if kind == "same" else random.choice(list("gr"), points)
    try:
        found = periodogram(time, flux, np.ones(points), band, shortest=span / 50)
    except Invalid:
        return
    assert np.all((found.power >= 0.0) & (found.power <= 1.0))
    assert 0.0 <= found.false_alarm <= 1.0
    assert all(found.shortest * 0.999 <= p.period <= found.longest * 1.001 for p in found.peaks)
