"""Statistics that the light-curve package has too, compared with it."""

from __future__ import annotations

import light_curve
import numpy as np
import pytest
from curve_batches import Curve, Point, batch_of

from lasair_broker.lightcurve import FeatureResources, enrich

# Our column: the feature of light-curve, and which of its values.
SAME = {
    "excessVariance": (light_curve.ExcessVariance(), 0),
    "skew": (light_curve.Skew(), 0),
    "kurtosis": (light_curve.Kurtosis(), 0),
    "stetsonK": (light_curve.StetsonK(), 0),
    "vonNeumann": (light_curve.Eta(), 0),
    "reducedChi2": (light_curve.ReducedChi2(), 0),
    "psfFluxMean": (light_curve.WeightedMean(), 0),
    "psfFluxSigma": (light_curve.StandardDeviation(), 0),
    "slope": (light_curve.LinearFit(), 0),
    "slopeErr": (light_curve.LinearFit(), 1),
}


@pytest.fixture(scope="module")
def curves() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A thousand light curves: noise, trends, outliers; 4 to 200 points of single precision."""
    rng = np.random.default_rng(21)
    made = []
    for _ in range(1000):
        n = int(rng.integers(4, 201))
        # Times from zero: light-curve takes squares of the times themselves.
        times = np.sort(rng.uniform(0, 365, n))
        errors = rng.uniform(20, 200, n)
        fluxes = rng.normal(500, 100) + rng.normal() * times + errors * rng.standard_t(3, n)
        made.append((times, fluxes.astype(np.float32).astype(float), errors.astype(np.float32).astype(float)))
    return made


@pytest.mark.parametrize("name", SAME)
def test_statistic_equals_light_curve_s(
    name: str, curves: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> None:
    batch = batch_of(
        [Curve([Point(*p) for p in zip(t, "r" * len(t), f, e, strict=True)]) for t, f, e in curves]
    )
    ours = enrich(batch, FeatureResources(fits=False)).objects[f"r_{name}"].to_numpy()
    feature, place = SAME[name]
    theirs = np.array([feature(t, f, e)[place] for t, f, e in curves])
    scale = np.median(np.abs(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=3e-6, atol=1e-6 * scale)
