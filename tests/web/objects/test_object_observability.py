"""The night of an object, held to formulas of the Astronomical Almanac and to known phases of the Moon."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.web.objects.observability import OBSERVATORIES, Observatory, night_at
from lasair_broker.web.site.objects import drawings

RUBIN = OBSERVATORIES["rubin"]


def _altitude(ra: float, decl: float, where: Observatory, mjd: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """By mean sidereal time (Meeus, Astronomical Algorithms, 12.4), without precession."""
    days = mjd + 2_400_000.5 - 2_451_545.0
    sidereal = 280.46061837 + 360.98564736629 * days + where.longitude
    hour, phi, delta = np.radians(sidereal - ra), np.radians(where.latitude), np.radians(decl)
    sine = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(hour)
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


@settings(max_examples=10, deadline=None)
@given(
    st.floats(0.0, 359.9),
    st.floats(-89.0, 89.0),
    st.sampled_from(sorted(OBSERVATORIES)),
    st.floats(60_000.0, 64_000.0),
)
def test_elevations_are_those_of_spherical_trigonometry(
    ra: float, decl: float, name: str, mjd: float
) -> None:
    where = OBSERVATORIES[name]
    night = night_at(ra, decl, where, mjd)
    # Precession since J2000, nutation and aberration are half a degree until 2035.
    assert np.max(np.abs(night.elevation - _altitude(ra, decl, where, night.mjd))) < 0.52
    assert night.mjd[0] <= mjd + 0.5
    assert mjd <= night.mjd[-1] + 1e-6
    assert night.sun[0] > night.sun[len(night.sun) // 2], "it goes from noon to noon"
    assert np.all((night.moon_distance >= 0.0) & (night.moon_distance <= 180.0))
    assert 0.0 <= night.moon_lit <= 1.0


@pytest.mark.parametrize(
    ("mjd", "lit"),
    [(61368.62, 1.0), (61384.04, 0.0), (61361.49, 0.5)],
    ids=["full 2026-11-24", "new 2026-12-09", "first quarter 2026-11-17"],
)
def test_the_moon_is_lit_as_the_almanac_says(mjd: float, lit: float) -> None:
    assert night_at(10.0, -30.0, RUBIN, mjd).moon_lit == pytest.approx(lit, abs=0.06)


def test_what_never_rises_and_what_never_sets() -> None:
    hidden, always = (night_at(0.0, decl, RUBIN, 61_000.0) for decl in (80.0, -85.0))
    assert hidden.best is None
    assert hidden.hours_above(30.0) == 0.0
    assert np.all(np.isnan(hidden.airmass))
    assert always.elevation.min() > 20.0
    assert always.best is not None
    assert always.dark[always.best]


def test_a_summer_night_that_is_never_dark() -> None:
    north = Observatory("Svalbard", 15.6, 78.2, 0.0)
    night = night_at(0.0, 89.0, north, 61_213.0)  # June 2026
    assert not night.dark.any()
    assert night.best is None
    drawn = drawings.elevations(night)
    assert drawn.target
    assert drawn.shades == []
    assert drawings.hourly(night) == []


def test_airmass_is_one_at_the_zenith_and_two_at_thirty_degrees() -> None:
    night = night_at(0.0, RUBIN.latitude, RUBIN, 61_000.0)
    highest = int(np.argmax(night.elevation))
    assert night.airmass[highest] == pytest.approx(1.0, abs=0.01)
    at_thirty = int(np.argmin(np.abs(night.elevation - 30.0)))
    assert night.airmass[at_thirty] == pytest.approx(
        1 / np.sin(np.radians(night.elevation[at_thirty])), rel=0.01
    )


def test_a_drawing_stays_within_its_frame() -> None:
    night = night_at(80.0, -20.0, RUBIN, 61_000.0)
    drawn = drawings.elevations(night)
    points = np.array([[float(v) for v in p.split(",")] for p in drawn.target.split()])
    assert points[:, 0].min() >= drawn.left - 0.1
    assert points[:, 0].max() <= drawn.right + 0.1
    assert points[:, 1].min() >= drawn.top - 0.1
    assert points[:, 1].max() <= drawn.bottom + 0.1
    assert [name for _, _, name in drawn.shades] == ["civil", "nautical", "astronomical", "night"]
    widths = [width for _, width, _ in drawn.shades]
    assert widths == sorted(widths, reverse=True)
    best = drawings.moment(night, night.best)  # type: ignore[arg-type]  # it is up
    assert best["sun"] < -18.0
    assert best["airmass"] < 1.2


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    night_at(10.0, 10.0, RUBIN, 66_000.0)  # years after the tables that astropy brings
