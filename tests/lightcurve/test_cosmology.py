"""Distances against astropy and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from lasair_broker.lightcurve import FeatureResources


@pytest.mark.parametrize(("hubble", "omega"), [(70.0, 0.3), (67.7, 0.31)])
def test_luminosity_distance_equals_astropy_s(hubble: float, omega: float) -> None:
    z = np.array([1e-4, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0])
    ours = FeatureResources(hubble=hubble, omega_matter=omega).luminosity_distance(z)
    # Without radiation, as everywhere in this field's transient work.
    expected = FlatLambdaCDM(H0=hubble, Om0=omega, Tcmb0=0).luminosity_distance(z).value
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_redshift_is_the_inverse_of_distance() -> None:
    resources = FeatureResources()
    z = np.array([1e-4, 0.003, 0.08, 0.7, 2.0, 9.0])
    np.testing.assert_allclose(
        resources.redshift_at(resources.luminosity_distance(z)), z, rtol=2e-6, atol=2e-7
    )
    assert np.isnan(resources.redshift_at(np.nan))
    assert np.isnan(resources.luminosity_distance(np.nan))
