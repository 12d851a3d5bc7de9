"""Separations and galactic coordinates against astropy, ERFA and exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, angular_separation
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.sky import galactic_coordinates, galactic_latitude, separation_arcsec

right_ascensions = st.floats(-720.0, 720.0)
declinations = st.floats(-90.0, 90.0)


@given(right_ascensions, declinations, right_ascensions, declinations)
def test_separation_equals_astropy(ra1: float, decl1: float, ra2: float, decl2: float) -> None:
    expected = np.degrees(angular_separation(*np.radians([ra1, decl1, ra2, decl2]))) * 3600.0
    assert separation_arcsec(ra1, decl1, ra2, decl2) == pytest.approx(expected, rel=1e-12, abs=2e-9)


@given(st.floats(1e-9, 1e-3), st.floats(-89.0, 89.0), st.floats(0.0, 359.0))
def test_tiny_separations_keep_their_digits(step_arcsec: float, decl: float, ra: float) -> None:
    """Along a meridian the distance is the exact difference of the declinations."""
    other = decl + step_arcsec / 3600.0
    exact = abs(Fraction(other) - Fraction(decl)) * 3600
    assert separation_arcsec(ra, decl, ra, other) == pytest.approx(float(exact), rel=1e-13, abs=1e-300)


@given(st.floats(1e-7, 1e-3), st.floats(-60.0, 60.0))
def test_almost_opposite_positions_keep_their_digits(step_arcsec: float, decl: float) -> None:
    other = -decl + step_arcsec / 3600.0
    short = float(abs(Fraction(other) + Fraction(decl)) * 3600)
    # What is left to the half turn; a double holds 648,000" to 1e-10".
    assert 648000.0 - separation_arcsec(10.0, decl, 190.0, other) == pytest.approx(short, abs=5e-10)


@given(right_ascensions, declinations)
def test_separation_of_a_position_from_itself_is_zero(ra: float, decl: float) -> None:
    assert separation_arcsec(ra, decl, ra, decl) == 0.0


def test_separation_broadcasts_and_passes_nan_on() -> None:
    found = separation_arcsec([[0.0], [1.0]], 0.0, [0.0, 1.0, math.nan], 0.0)
    np.testing.assert_allclose(found, [[0.0, 3600.0, np.nan], [3600.0, 0.0, np.nan]], rtol=1e-13)
    assert separation_arcsec(0.0, 90.0, 123.0, 90.0) == pytest.approx(0.0, abs=1e-10)


@given(st.floats(0.0, 360.0), declinations)
def test_galactic_coordinates_equal_erfa(ra: float, decl: float) -> None:
    """ERFA's icrs2g uses the same definition of the system (ESA SP-1200)."""
    expected_l, expected_b = np.degrees(erfa.icrs2g(math.radians(ra), math.radians(decl)))
    longitude, latitude = galactic_coordinates(ra, decl)
    assert latitude == pytest.approx(expected_b, abs=1e-10)
    assert galactic_latitude(ra, decl) == latitude
    turn = (longitude - expected_l + 180.0) % 360.0 - 180.0
    assert turn * math.cos(math.radians(expected_b)) == pytest.approx(0.0, abs=1e-10)
    assert 0.0 <= longitude < 360.0 or longitude == pytest.approx(360.0)


def test_galactic_coordinates_agree_with_astropy() -> None:
    """astropy goes through FK5, whose axes lie 23 mas from ICRS."""
    rng = np.random.default_rng(3)
    ra, decl = rng.uniform(0, 360, 1000), np.degrees(np.arcsin(rng.uniform(-1, 1, 1000)))
    longitude, latitude = galactic_coordinates(ra, decl)
    expected = SkyCoord(ra * u.deg, decl * u.deg, frame="icrs").galactic
    assert separation_arcsec(longitude, latitude, expected.l.deg, expected.b.deg).max() < 0.04


def test_the_galactic_centre_is_at_zero() -> None:
    longitude, latitude = galactic_coordinates(266.40499, -28.93617)
    assert separation_arcsec(longitude, latitude, 0.0, 0.0) < 1.0
    assert np.isnan(galactic_latitude(np.nan, 1.0))
