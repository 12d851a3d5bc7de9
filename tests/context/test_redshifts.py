"""Redshifts of hosts and their mixture, against integrals by scipy and draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from lasair_broker.context._redshift import KINDS, Redshifts, host_redshifts, mixture_percentiles
from lasair_broker.lightcurve import Cosmology

NAN = float("nan")


def one(**known: float) -> tuple[float, float, str | None]:
    """The best redshift of one galaxy."""
    names = ("redshift", "redshift_error", "photoz", "photoz_error", "distance", "distance_error")
    values = [np.array([known.get(name, NAN)]) for name in names]
    found = host_redshifts(*values, Cosmology())
    kind = KINDS[found.kind[0]] if found.kind[0] >= 0 else None
    return float(found.value[0]), float(found.error[0]), kind


def test_a_spectrum_goes_before_a_photometric_redshift() -> None:
    z, error, kind = one(redshift=0.05, redshift_error=1e-5, photoz=0.2, photoz_error=0.01)
    assert (z, kind) == (0.05, "spec")
    assert error == pytest.approx(300.0 / 299792.458, rel=1e-3)  # galaxies move


def test_a_distance_goes_before_a_spectrum_only_nearby() -> None:
    z, error, kind = one(redshift=0.004, distance=20.0, distance_error=2.0)
    assert kind == "direct"
    assert z == pytest.approx(0.004655, rel=1e-3)
    assert error == pytest.approx(0.1 * z)
    assert one(redshift=0.05, distance=200.0)[2] == "spec"
    assert one(distance=200.0)[2] == "direct"


def test_a_photometric_redshift_is_never_better_than_such_are() -> None:
    _, error, kind = one(photoz=0.5, photoz_error=0.001)
    assert kind == "phot"
    assert error == pytest.approx(0.045)
    assert one(photoz=0.5, photoz_error=0.3)[1] == pytest.approx(0.3)
    assert one(photoz=0.5)[1] == pytest.approx(0.045)


def test_nothing_known_is_nothing_said() -> None:
    z, error, kind = one()
    assert np.isnan(z)
    assert np.isnan(error)
    assert kind is None
    mixture = mixture_percentiles(
        np.zeros(1, np.int64),
        np.ones(1),
        Redshifts(np.array([NAN]), np.array([NAN]), np.array([-1], np.int8)),
        1,
    )
    assert np.isnan([mixture.p16[0], mixture.p50[0], mixture.p84[0], mixture.mean[0], mixture.error[0]]).all()


def _percentile(wanted: float, hosts: list[tuple[float, float, float, bool]]) -> float:
    def below(z: float) -> float:
        total = (1.0 - sum(h[0] for h in hosts)) * stats.halfnorm.cdf(z, scale=0.3)
        for weight, value, error, photometric in hosts:
            part = stats.truncnorm.cdf(z, -value / error, np.inf, loc=value, scale=error)
            if photometric:
                part = 0.9 * part + 0.1 * stats.uniform.cdf(z, 0.0, 1.5)
            total += weight * part
        return float(total) - wanted

    return float(brentq(below, 0.0, 10.0, xtol=1e-12))


hosts = st.lists(
    st.tuples(st.floats(0.01, 1.0), st.floats(0.002, 1.5), st.floats(0.001, 0.3), st.booleans()),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)  # no test looks at a clock
@given(hosts)
def test_percentiles_by_scipy(drawn: list[tuple[float, float, float, bool]]) -> None:
    total = max(1.0, sum(h[0] for h in drawn) * 1.0001)
    drawn = [(h[0] / total, *h[1:]) for h in drawn]
    weight, value, error, photometric = (np.array(v) for v in zip(*drawn, strict=True))
    kind = np.where(photometric, KINDS.index("phot"), KINDS.index("spec")).astype(np.int8)
    position = np.zeros(len(drawn), np.int64)
    found = mixture_percentiles(position, weight, Redshifts(value, error, kind), 1)
    for ours, wanted in ((found.p16, 0.16), (found.p50, 0.5), (found.p84, 0.84)):
        assert ours[0] == pytest.approx(_percentile(wanted, drawn), rel=1e-5, abs=1e-7)
    assert found.mean[0] == value[np.argmax(weight)]


def test_each_position_has_its_own() -> None:
    position = np.array([0, 0, 2], np.int64)
    weight = np.array([0.6, 0.4, 1.0])
    z = Redshifts(np.array([0.1, 0.5, 0.02]), np.full(3, 0.001), np.zeros(3, np.int8))
    found = mixture_percentiles(position, weight, z, 3)
    assert found.p16[0] == pytest.approx(0.1, abs=0.003)
    assert found.p84[0] == pytest.approx(0.5, abs=0.003)
    assert np.isnan(found.p50[1])
    assert found.p50[2] == pytest.approx(0.02, abs=1e-4)
