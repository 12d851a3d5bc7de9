"""Light radii and probabilities of hosts, against slow versions and astropy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_sky import catalogue, shifted, verdicts

from lasair_broker.context import HostModel, directional_light_radius, host_probabilities, tangent_offset

longitudes = st.floats(0.0, 360.0)
latitudes = st.one_of(st.floats(-90.0, 90.0), st.sampled_from([-90.0, 90.0, 89.9999]))


@settings(deadline=None)
@given(longitudes, latitudes, longitudes, latitudes)
def test_offsets_are_separation_and_position_angle(ra: float, decl: float, ra0: float, decl0: float) -> None:
    east, north = tangent_offset(ra, decl, ra0, decl0)
    centre, other = SkyCoord(ra0, decl0, unit="deg"), SkyCoord(ra, decl, unit="deg")
    expected = centre.separation(other).arcsec
    assert math.hypot(east, north) == pytest.approx(expected, rel=1e-9, abs=1e-6)
    if 1e-3 < expected < 6e5 and abs(decl0) < 89.99:
        angle = centre.position_angle(other).rad
        assert math.cos(math.atan2(east, north) - angle) == pytest.approx(1.0, abs=1e-9)


def test_offsets_at_small_distances_keep_their_digits() -> None:
    east, north = tangent_offset(359.9999999, 60.0, 0.0000001, 60.0)
    assert east == pytest.approx(-2e-7 * 3600 * math.cos(math.radians(60.0)), rel=1e-6)
    assert abs(north) < 1e-9


def _radius_towards(a: float, q: float, angle: float, east: float, north: float) -> float:
    """By walking out from the centre until the ellipse's equation is met."""
    phi = math.radians(angle)
    direction = math.atan2(east, north)
    low, high = 0.0, a
    for _ in range(80):
        r = 0.5 * (low + high)
        x, y = r * math.sin(direction), r * math.cos(direction)
        along, across = x * math.sin(phi) + y * math.cos(phi), x * math.cos(phi) - y * math.sin(phi)
        inside = (along / a) ** 2 + (across / (a * q)) ** 2 < 1.0
        low, high = (r, high) if inside else (low, r)
    return low


@settings(deadline=None)
@given(
    st.floats(0.1, 500.0),
    st.floats(0.05, 1.0),
    st.floats(0.0, 180.0),
    st.floats(-99.0, 99.0),
    st.floats(1.0, 99.0),
)
def test_light_radius_by_walking_to_the_rim(
    a: float, q: float, angle: float, east: float, north: float
) -> None:
    expected = math.hypot(east, north) / _radius_towards(a, q, angle, east, north)
    assert directional_light_radius(east, north, a, q, angle) == pytest.approx(expected, rel=1e-6)


def test_light_radius_of_galaxies_of_which_little_is_known() -> None:
    assert directional_light_radius(3.0, 4.0, 10.0, np.nan, np.nan) == pytest.approx(0.5)
    assert directional_light_radius(3.0, 4.0, 10.0, 0.25, np.nan) == pytest.approx(1.0)  # circle of its area
    assert np.isnan(directional_light_radius(3.0, 4.0, 0.0, 1.0, 0.0))
    assert np.isnan(directional_light_radius(3.0, 4.0, np.nan, 1.0, 0.0))


def test_the_light_radius_knows_that_meridians_meet(tmp_path: Path) -> None:
    """An offset of 0.02° in right ascension at declination 80° is 12.5″, not 72″."""
    galaxy = {"ra": 100.0, "decl": 80.0, "name": "far north", "mag_B": 15.0, "major_axis": 30.0,
              "minor_axis": 30.0, "position_angle": 0.0}  # fmt: skip
    catalogue(tmp_path / "catalogues", "galaxies", [galaxy])
    (said,) = verdicts(tmp_path / "catalogues", [(100.02, 80.0)])
    expected = 0.02 * 3600 * math.cos(math.radians(80.0)) / 15.0
    assert said["ddlr"] == pytest.approx(expected, rel=1e-4)
    assert said["classification"] == "SN"


def _slowly(candidates: list[tuple[float, float, float, float, float]], model: HostModel) -> list[float]:
    rates = [math.exp(model.log_unseen)]
    for ddlr, magnitude, a, q, distance in candidates:
        area = a * a * q
        light = 10 ** (-0.4 * model.brightness * (magnitude - 17.0))
        # 70 kpc are seen as 2 a from so far, and no galaxy is larger.
        mpc = 0.070 / (2.0 * a * math.pi / 180.0 / 3600.0)
        near = min(1.0, min(mpc, distance or math.inf) / 10.0) ** 2
        rates.append(near * math.exp(-ddlr / model.scale) * light * (area / 100.0) ** -model.crowding)
    return [rate / sum(rates) for rate in rates]


galaxies = st.lists(
    st.tuples(
        st.floats(0.0, 30.0),
        st.floats(0.0, 24.0),
        st.floats(0.5, 20_000.0),
        st.floats(0.1, 1.0),
        st.sampled_from([0.0, 0.05, 0.8, 4.0, 10.0, 40.0]),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(st.lists(galaxies, min_size=1, max_size=5))
def test_probabilities_add_up_and_equal_the_plain_formula(positions: list[list[tuple[float, ...]]]) -> None:
    model = HostModel()
    flat = np.array([g for some in positions for g in some], np.float64).reshape(-1, 5)
    which = np.repeat(np.arange(len(positions)), [len(some) for some in positions]).astype(np.int64)
    distance = np.where(flat[:, 4] > 0.0, flat[:, 4], np.nan)
    host, none = host_probabilities(which, *flat.T[:4], len(positions), model, distance)
    for k, some in enumerate(positions):
        expected = _slowly(some, model)  # type: ignore[arg-type]  # tuples of five
        assert none[k] == pytest.approx(expected[0], rel=1e-9)
        np.testing.assert_allclose(host[which == k], expected[1:], rtol=1e-9)
        assert none[k] + host[which == k].sum() == pytest.approx(1.0)


def test_a_galaxy_without_size_or_magnitude() -> None:
    position = np.zeros(3, np.int64)
    ddlr = np.array([0.5, np.nan, 0.5])
    magnitude = np.array([17.2, 10.0, np.nan])
    host, none = host_probabilities(position, ddlr, magnitude, np.full(3, 10.0), np.ones(3), 1, HostModel())
    assert host[1] == 0.0
    assert host[0] == pytest.approx(host[2])  # an ordinary surface brightness is taken
    assert host.sum() + none[0] == pytest.approx(1.0)


def test_the_second_best_and_no_host_are_told(tmp_path: Path) -> None:
    folder, here = tmp_path / "catalogues", (80.0, -30.0)
    rows = []
    for name, east, size in (("near", 6.0, 14.0), ("far", -14.0, 16.0)):
        ra, decl = shifted(*here, east=east)
        rows.append(
            {"ra": ra, "decl": decl, "name": name, "mag_B": 17.0, "major_axis": size, "minor_axis": size}
        )
    catalogue(folder, "galaxies", rows)
    said, lonely = verdicts(folder, [here, (80.0, -35.0)])
    assert (said["hostId"], said["secondHostId"]) == ("near", "far")
    assert said["secondHostSeparationArcsec"] == pytest.approx(14.0, rel=1e-4)
    total = said["hostProbability"] + said["secondHostProbability"] + said["hostlessProbability"]
    assert total == pytest.approx(1.0, abs=1e-6)
    assert lonely["hostlessProbability"] == 1.0
    assert lonely["hostId"] is lonely["hostProbability"] is None


def test_a_galaxy_of_which_only_a_spectrum_is_known_can_be_a_host(tmp_path: Path) -> None:
    folder, here = tmp_path / "catalogues", (80.0, -30.0)
    ra, decl = shifted(*here, north=4.0)
    spectrum = {"ra": ra, "decl": decl, "name": "a spectrum", "redshift": 0.05, "redshift_kind": "spec"}
    catalogue(folder, "galaxies", [spectrum])
    (said,) = verdicts(folder, [here])
    assert (said["classification"], said["hostId"]) == ("SN", "a spectrum")
    assert said["ddlr"] == pytest.approx(4.0 / (10.0 / 0.9782), rel=0.02)  # 10 kpc there are 10.2 arcsec
