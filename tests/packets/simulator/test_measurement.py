"""Noise, detection, positions and the camera: what a visit does to the sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from scipy import stats

from lasair_broker.packets.simulator._cadence import Survey, days_since_2010
from lasair_broker.packets.simulator._camera import PIXEL_DEG, cover, pixel_on, project, sky_offset
from lasair_broker.packets.simulator._galaxies import (
    background_galaxies,
    host_galaxies,
    light_profile_offsets,
)
from lasair_broker.packets.simulator._measure import measure
from lasair_broker.packets.simulator._random import normal_array, uniform_array
from lasair_broker.packets.simulator._spectra import ab_magnitude
from lasair_broker.packets.simulator._sphere import (
    ecliptic,
    galactic,
    offset_position,
    tangent_plane,
    vectors,
)


def test_hashed_numbers_are_uniform_and_normal_and_independent_of_order() -> None:
    keys = np.arange(200_000, dtype=np.uint64)
    assert stats.kstest(uniform_array(keys), "uniform").pvalue > 1e-3
    assert stats.kstest(normal_array(keys), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(normal_array(keys)[1:], normal_array(keys)[:-1])[0, 1]) < 0.01
    np.testing.assert_array_equal(normal_array(keys[::-1]), normal_array(keys)[::-1])


def _measured(true: float, static: float, n: int = 20_000) -> tuple[np.ndarray, ...]:
    out = [np.empty((n, 1), np.float32) for _ in range(3)]
    template, detected = np.empty((n, 6)), np.empty((n, 1), np.bool_)
    measure(
        np.full((n, 1), true),
        np.zeros((n, 6)),
        np.full((n, 6), static),
        np.arange(n, dtype=np.uint64),
        np.zeros((n, 1), np.int16),
        np.array([2027100100001]),
        np.array([2], np.int8),
        np.array([500.0]),
        *out,
        template,
        detected,
    )
    return (*out, template, detected)


@pytest.mark.parametrize(("true", "static"), [(0.0, 0.0), (3000.0, 0.0), (-800.0, 1e5), (1e6, 0.0)])
def test_errors_are_those_that_are_stated(true: float, static: float) -> None:
    psf, err, science, template, _ = _measured(true, static)
    pull = ((psf - true) / err)[:, 0]
    assert stats.kstest(pull, "norm").pvalue > 1e-3
    # Ivezic et al. 2019, equation 5, and 1 % of the difference.
    total = max(true + static, 0.0)
    expected = np.sqrt(0.039 * 500.0**2 + 0.001 * total * 500.0 + (0.01 * true) ** 2)
    assert np.median(err) == pytest.approx(expected, rel=0.01)
    assert np.std(science[:, 0] - psf[:, 0] - template[:, 2]) < 0.2 * expected
    assert np.mean(template[:, 2]) == pytest.approx(static, abs=1.0)


def test_five_sigma_depth_is_where_half_are_detected() -> None:
    detected = _measured(500.0, 0.0)[4]
    assert np.mean(detected) == pytest.approx(0.5, abs=0.03)
    assert np.mean(_measured(0.0, 0.0)[4]) < 1e-3
    assert np.mean(_measured(-1000.0, 0.0)[4]) > 0.999


def test_tangent_planes_invert_and_agree_with_astropy() -> None:
    rng = np.random.default_rng(1)
    ra, decl = rng.uniform(0.0, 360.0, 200), rng.uniform(-89.0, 89.0, 200)
    east, north = rng.uniform(-1.5, 1.5, 200), rng.uniform(-1.5, 1.5, 200)
    at_ra, at_decl = offset_position(ra, decl, east, north)
    back = tangent_plane(at_ra, at_decl, ra, decl)
    np.testing.assert_allclose(back[0], east, atol=1e-10)
    np.testing.assert_allclose(back[1], north, atol=1e-10)
    one, other = SkyCoord(ra, decl, unit="deg"), SkyCoord(at_ra, at_decl, unit="deg")
    apart = np.tan(one.separation(other).radian)
    np.testing.assert_allclose(np.degrees(apart), np.hypot(east, north), rtol=1e-9)
    for k in range(5):
        found = project(at_ra[k], at_decl[k], ra[k], decl[k])
        np.testing.assert_allclose(found, (east[k], north[k]), atol=1e-10)


def test_galactic_and_ecliptic_coordinates_agree_with_astropy() -> None:
    rng = np.random.default_rng(2)
    ra, decl = rng.uniform(0.0, 360.0, 300), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 300)))
    there = SkyCoord(ra, decl, unit="deg")
    for ours, theirs in (
        (galactic(ra, decl), there.galactic),
        (ecliptic(ra, decl), there.barycentricmeanecliptic),
    ):
        other = SkyCoord(theirs.spherical.lon, theirs.spherical.lat)
        assert SkyCoord(*ours, unit="deg").separation(other).to_value(units.arcsec).max() < 0.1


def test_the_camera_sees_nine_and_a_half_square_degrees_and_pixels_match_the_sky() -> None:
    rng = np.random.default_rng(3)
    n = 100_000
    east, north = rng.uniform(-2.0, 2.0, n), rng.uniform(-2.0, 2.0, n)
    ra, decl = offset_position(40.0, -30.0, east, north)
    out = np.empty((n, 1), np.int16)
    cover(vectors(ra, decl), np.array([40.0]), np.array([-30.0]), np.array([33.0]), out)
    seen = np.flatnonzero(out[:, 0] >= 0)
    assert len(seen) / n * 16.0 == pytest.approx(189 * 4072 * 4000 * PIXEL_DEG**2, rel=0.02)
    assert set(out[seen, 0].tolist()) == set(range(189))
    for k in seen[:300].tolist():
        x, y = pixel_on(int(out[k, 0]), east[k], north[k], 33.0)
        assert -0.5 <= x <= 4071.5
        assert -0.5 <= y <= 3999.5
        # One pixel further along the axes is where the sky says.
        step = sky_offset(PIXEL_DEG, 0.0, 33.0)
        x2, y2 = pixel_on(int(out[k, 0]), east[k] + step[0], north[k] + step[1], 33.0)
        assert (x2 - x, y2 - y) == pytest.approx((1.0, 0.0), abs=1e-6)


def test_visits_come_in_pairs_at_night_and_fields_do_not_overlap() -> None:
    survey = Survey(4, 40, num_nights=5)
    visits = survey.emitted_visits()
    assert np.all(np.diff(visits.mjd) > 0)
    assert len(np.unique(visits.visit)) == len(visits)
    local = (visits.mjd - 70.7494 / 360.0) % 1.0  # mean solar time in days; midnight is 0
    assert np.all((local > 0.75) | (local < 0.4))
    first = visits.take(visits.field == 0)
    assert np.all(np.diff(first.mjd)[::2] * 1440.0 > 25.0)
    assert np.all(np.diff(first.mjd)[::2] * 1440.0 < 60.0)
    _, ra, decl = survey.fields()
    there = SkyCoord(ra, decl, unit="deg")
    assert there.match_to_catalog_sky(there, nthneighbor=2)[1].deg.min() > 3.4
    assert np.all(np.abs(there.galactic.b.deg) > 20.0)


def test_a_year_of_history_is_like_that_of_lsst() -> None:
    survey = Survey(4, 30)
    numbers, bands, gaps = [], np.zeros(6), []
    for which in range(30):
        past = survey.field_visits(which)
        past = past.take(~past.emitted)
        numbers.append(len(past))
        bands += np.bincount(past.band, minlength=6)
        gaps.append(np.median(np.diff(np.unique(np.floor(past.mjd)))))
        assert np.all(past.mjd > 61680.0 - 365.0)
    assert 60 < np.mean(numbers) < 110
    share = bands / bands.sum()
    # LSST: 7, 10, 22, 22, 19, 20 % (Bianco et al. 2022).
    np.testing.assert_allclose(share, [0.07, 0.10, 0.22, 0.22, 0.19, 0.20], atol=0.08)
    assert 2 <= np.median(gaps) <= 6


def test_more_nights_change_nothing_of_the_first() -> None:
    one, many = Survey(4, 3, num_nights=1).field_visits(1), Survey(4, 3, num_nights=9).field_visits(1)
    n = len(one)
    for name in one.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name)[:n], err_msg=name)


def test_days_count_from_2010() -> None:
    assert days_since_2010([2010010100001, 2026040700201, 2010010100002]).tolist() == [0, 5940, 0]


def test_events_lie_where_the_light_of_their_hosts_is() -> None:
    rng = np.random.default_rng(6)
    hosts = host_galaxies(rng, np.full(20_000, 0.2))
    east, north = light_profile_offsets(rng, hosts, 1.0)
    pa = np.radians(hosts.position_angle)
    major = east * np.sin(pa) + north * np.cos(pa)
    minor = (east * np.cos(pa) - north * np.sin(pa)) / hosts.axis_ratio
    # Half of the light is within the half-light ellipse.
    assert np.mean(np.hypot(major, minor) < hosts.radius) == pytest.approx(0.5, abs=0.015)
    assert 10.0 < np.median(ab_magnitude(hosts.flux[:, 2])) < 22.5


def test_background_galaxies_are_as_bright_as_asked_for() -> None:
    drawn = background_galaxies(np.random.default_rng(7), 500, 21.0)
    assert len(drawn) == 500
    assert ab_magnitude(drawn.flux[:, 3]).max() < 21.0
    assert 0.05 < np.median(drawn.redshift) < 0.6
