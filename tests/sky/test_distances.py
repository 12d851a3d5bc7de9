"""Distance posteriors and credible volumes against quadrature and Monte Carlo."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lasair_broker.sky import (
    SkyMap,
    VolumeLevels,
    distance_moments,
    gaussian_skymap,
    ln_volume_density,
    read_skymap,
)

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "messengers"


@pytest.mark.parametrize(("mu", "sigma"), [(100.0, 20.0), (5.0, 30.0), (-40.0, 20.0), (-99.0, 20.0),
                                           (-101.0, 20.0), (-700.0, 20.0), (-7150.0, 100.0)])  # fmt: skip
def test_moments_are_those_of_quadrature(mu: float, sigma: float) -> None:
    w = 2 * sigma**2
    with mpmath.workdps(40):

        def moment(k: int) -> mpmath.mpf:
            width = sigma * min(12.0, 60.0 * sigma / abs(mu)) if mu < 0 else 12.0 * sigma
            edges = mpmath.linspace(0, max(mu, 0) + width, 9)
            top = max(mu, 0)  # the largest value is 1: the quadrature's precision is absolute
            return mpmath.quad(lambda r: r**k * mpmath.exp(((top - mu) ** 2 - (r - mu) ** 2) / w), edges)

        two, three, four = (moment(k) for k in (2, 3, 4))
        scale = mpmath.exp(-((max(mu, 0) - mu) ** 2) / w) / (sigma * mpmath.sqrt(2 * mpmath.pi))
        norm = float(1 / (two * scale)) if mu > -700 else 1.0
        mean, square = float(three / two), float(four / two)
    found = [a[0] for a in distance_moments(np.array([mu]), np.array([sigma]), np.array([norm]))]
    assert found[1:] == pytest.approx([mean, square], rel=1e-6)
    if mu > -700:
        assert found[0] == pytest.approx(1.0, rel=1e-6)
    assert np.isnan(distance_moments(np.array([np.nan]), np.array([1.0]), np.array([1.0]))).all()


def test_moments_of_real_maps_are_normalised_and_those_of_their_headers() -> None:
    skymap = read_skymap((DATA / "MS181101ab_mock.multiorder.fits").read_bytes())
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    assert skymap.distnorm is not None
    some = (skymap.probability > 1e-6) & np.isfinite(skymap.distmu)
    zeroth, mean, _ = distance_moments(skymap.distmu[some], skymap.distsigma[some], skymap.distnorm[some])
    assert zeroth == pytest.approx(1.0, abs=1e-5)
    weight = skymap.probability[some]
    assert np.sum(weight * mean) / weight.sum() == pytest.approx(39.77, abs=0.01)


@pytest.mark.parametrize("name", ["S200129m.multiorder.fits", "MS181101ab_mock.multiorder.fits"])
def test_volume_levels_are_those_of_brute_force(name: str) -> None:
    skymap = read_skymap((DATA / name).read_bytes())
    levels = VolumeLevels.of(skymap)
    assert levels is not None
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    assert skymap.distnorm is not None
    # Space cut into cells of the map by shells of distance, densest first: the probability of each shell
    # from its middle, so that only small shells will do.
    some = np.flatnonzero((skymap.probability > 1e-9) & np.isfinite(skymap.distmu))
    mu, sigma, norm = (a[some, None] for a in (skymap.distmu, skymap.distsigma, skymap.distnorm))
    steps = 400
    far = float(np.max(np.maximum(mu, 0.0) + 6.0 * sigma))
    low, high = np.maximum(0.0, mu - 6.0 * sigma), np.minimum(far, np.maximum(mu, 0.0) + 6.0 * sigma)
    r = low + (np.arange(steps) + 0.5) / steps * (high - low)
    ln_density = ln_volume_density(skymap.density[some, None], mu, sigma, norm, r)
    volume = r**2 * (high - low) / steps * (skymap.probability[some] / skymap.density[some])[:, None]
    mass = (np.exp(ln_density) * volume).ravel()
    order = np.argsort(-ln_density.ravel(), kind="stable")
    held = np.cumsum(mass[order])
    chosen = np.searchsorted(held, np.linspace(0.02, 0.98, 40))
    assert levels.at(ln_density.ravel()[order][chosen]) == pytest.approx(held[chosen], abs=2e-4)


def exact_levels(skymap: SkyMap, ln_density: np.ndarray) -> np.ndarray:
    """Probability of all that is denser, cell by cell: moments of a cut-off normal distribution by scipy."""
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    assert skymap.distnorm is not None
    some = np.isfinite(skymap.distmu) & (skymap.density > 0.0)
    density, mu, sigma, norm, held = (
        a[some]
        for a in (skymap.density, skymap.distmu, skymap.distsigma, skymap.distnorm, skymap.probability)
    )
    peak = np.log(density * norm / sigma / math.sqrt(2.0 * math.pi))

    def beyond(r: np.ndarray) -> np.ndarray:
        z = (r - mu) / sigma
        return (mu**2 + sigma**2) * stats.norm.sf(z) + (r + mu) * sigma * stats.norm.pdf(z)

    levels = []
    for one in ln_density:
        reach = sigma * np.sqrt(np.maximum(2.0 * (peak - one), 0.0))
        inner, outer = np.maximum(mu - reach, 0.0), np.maximum(mu + reach, 0.0)
        levels.append(np.sum(held * norm * (beyond(inner) - beyond(outer))))
    return np.array(levels)


@pytest.mark.parametrize("name", ["S200129m.multiorder.fits", "MS181101ab_mock.multiorder.fits"])
def test_volume_levels_are_those_of_closed_forms(name: str) -> None:
    skymap = read_skymap((DATA / name).read_bytes())
    levels = VolumeLevels.of(skymap)
    assert levels is not None
    random = np.random.default_rng(1)
    ln_density = levels.top - random.uniform(0.0, math.sqrt(24.0), 700) ** 2
    assert np.abs(levels.at(ln_density) - exact_levels(skymap, ln_density)).max() < 1e-5
    assert levels.at(np.array([np.nan, levels.top + 1.0, -np.inf])).tolist()[1:] == [0.0, 1.0]


@given(ratio=st.floats(-20.0, 30.0), cells=st.integers(1, 40), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_volume_levels_of_odd_maps(ratio: float, cells: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    order = np.full(cells, 4, np.int8)
    start = np.sort(random.choice(12 * 4**4, cells, replace=False)).astype(np.int64) << 50
    weight = random.random(cells) + 1e-3
    distsigma = 50.0 * random.uniform(0.8, 1.2, cells)
    distmu = ratio * distsigma + random.normal(0.0, 5.0, cells)
    zeroth, _, _ = distance_moments(distmu, distsigma, np.ones(cells))
    density = weight / weight.sum() / (4.0 * math.pi / (12 * 4**4))
    skymap = SkyMap.of_cells(start, order, density, (distmu, distsigma, 1.0 / zeroth))
    levels = VolumeLevels.of(skymap)
    assert levels is not None
    assert (np.diff(levels.level) > -1e-6).all()
    assert levels.level[-1] == pytest.approx(1.0, abs=2e-6)
    # With so few cells each makes a bend, and the grid limits how sharp it is.
    ln_density = levels.top - random.uniform(0.0, 4.5, 50) ** 2
    assert np.abs(levels.at(ln_density) - exact_levels(skymap, ln_density)).max() < 1e-3


def test_expected_levels_are_those_of_quadrature() -> None:
    skymap = read_skymap((DATA / "MS181101ab_mock.multiorder.fits").read_bytes())
    levels = VolumeLevels.of(skymap)
    assert levels is not None
    assert skymap.distmu is not None
    assert skymap.distsigma is not None
    assert skymap.distnorm is not None
    best = np.argmax(skymap.density)
    another = np.argsort(-skymap.density)[400]
    for cell, distance, error in ((best, 41.0, 3.0), (best, 15.0, 9.0), (another, 60.0, 25.0)):
        density, mu, sigma, norm = (
            a[[cell]] for a in (skymap.density, skymap.distmu, skymap.distsigma, skymap.distnorm)
        )
        edges = np.unique(
            np.clip([0.0, mu[0], distance, distance - 8 * error, distance + 8 * error], 0.0, None)
        )
        total = 0.0
        nodes, weights = np.polynomial.legendre.leggauss(60)
        for low, high in itertools.pairwise(edges):
            r = 0.5 * (low + high) + 0.5 * (high - low) * nodes
            there = exact_levels(skymap, ln_volume_density(density, mu, sigma, norm, r))
            host = stats.truncnorm.pdf(r, -distance / error, np.inf, distance, error)
            total += 0.5 * (high - low) * np.sum(weights * host * there)
        (found,) = levels.expected(density, mu, sigma, norm, np.array([distance]), np.array([error]))
        assert found == pytest.approx(total, abs=1e-5)
    far = levels.expected(density, mu, sigma, norm, np.array([1e5]), np.array([1.0]))
    assert far.tolist() == [1.0]


def test_a_map_without_distances_has_no_volumes() -> None:
    assert VolumeLevels.of(gaussian_skymap(1.0, 2.0, 3.0)) is None
