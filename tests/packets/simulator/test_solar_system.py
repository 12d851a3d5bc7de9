"""Orbits against astropy and a numerical integration; records of bodies against their own orbits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord, get_body_barycentric
from astropy.time import Time
from scipy.integrate import solve_ivp
from simulated_packets import decode

from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.packets.simulator._orbits import (
    GM_SUN,
    Orbits,
    earth,
    ephemeris,
    hg_magnitude,
    orbits_from_state,
    to_ecliptic,
    to_equatorial,
)
from lasair_broker.packets.simulator._solar_system import bodies_in_field, designations
from lasair_broker.packets.simulator._sphere import tangent_plane

Packet = dict[str, Any]


def test_the_earth_is_where_astropy_has_it() -> None:
    for mjd in (61000.0, 61100.5, 61680.2, 63000.0):
        time = Time(mjd, format="mjd", scale="tdb")
        theirs = (get_body_barycentric("earth-moon-barycenter", time) - get_body_barycentric("sun", time)).xyz
        ours = to_equatorial(earth(mjd)[0])[0]
        assert np.linalg.norm(ours - theirs.to_value(units.au)) < 2e-4


def test_orbits_obey_gravity() -> None:
    position, velocity = np.array([[2.1, -1.0, 0.3]]), np.array([[0.006, 0.0092, -0.001]])
    orbits = orbits_from_state(position, velocity, 61000.0)

    def gravity(_t: float, y: np.ndarray) -> np.ndarray:
        r = y[:3]
        return np.concatenate([y[3:], -GM_SUN * r / np.linalg.norm(r) ** 3])

    start = np.concatenate([position[0], velocity[0]])
    later = solve_ivp(gravity, (0.0, 900.0), start, rtol=1e-11, atol=1e-13).y[:, -1]
    seen = ephemeris(orbits, 61900.0)
    # Light left some minutes before; undo that with the velocity.
    delay = seen.topo_range[0] / 173.14463267
    np.testing.assert_allclose(
        seen.helio[0] + delay * seen.helio_velocity[0], to_equatorial(later[:3]), atol=2e-6
    )
    assert orbits.mean_motion[0] * 2.0 * math.pi / orbits.a[0] > 0.0


def test_elements_survive_the_round_trip() -> None:
    rng = np.random.default_rng(1)
    n = 300
    given = Orbits(
        a=rng.uniform(0.8, 40.0, n),
        e=rng.uniform(0.001, 0.9, n),
        i=rng.uniform(0.1, 170.0, n),
        node=rng.uniform(0.0, 360.0, n),
        argperi=rng.uniform(0.0, 360.0, n),
        mean_anomaly=rng.uniform(0.0, 360.0, n),
        epoch=np.full(n, 61000.0),
    )
    from lasair_broker.packets.simulator._orbits import _state

    position, velocity = _state(given, given.epoch)
    found = orbits_from_state(position, velocity, given.epoch)
    for name in ("a", "e", "i"):
        np.testing.assert_allclose(getattr(found, name), getattr(given, name), rtol=1e-8)
    for name in ("node", "argperi", "mean_anomaly"):
        apart = (getattr(found, name) - getattr(given, name) + 180.0) % 360.0 - 180.0
        np.testing.assert_allclose(apart, 0.0, atol=1e-4)
    with pytest.raises(ValueError, match="not bound"):
        orbits_from_state(position, 3.0 * velocity, given.epoch)


def test_frames_are_inverse_and_agree_with_astropy() -> None:
    v = np.random.default_rng(2).normal(size=(20, 3))
    np.testing.assert_allclose(to_ecliptic(to_equatorial(v)), v, atol=1e-14)
    pole = to_equatorial(np.array([0.0, 0.0, 1.0]))
    there = SkyCoord(x=pole[0], y=pole[1], z=pole[2], representation_type="cartesian")
    assert there.barycentricmeanecliptic.lat.deg == pytest.approx(90.0, abs=1e-4)


def test_magnitudes_at_unit_distance_and_no_phase_are_h() -> None:
    one, zero = np.ones(1), np.zeros(1)
    assert hg_magnitude(15.0, 0.15, one, one, zero)[0] == pytest.approx(15.0)
    # About one magnitude fainter at 20 degrees for G = 0.15.
    assert hg_magnitude(15.0, 0.15, one, one, 20.0 * one)[0] == pytest.approx(16.0, abs=0.1)


def test_bodies_are_in_the_field_and_move_as_asteroids_do() -> None:
    bodies = bodies_in_field(1, 0, 0, 10.0, 3.0, 2.4, 61680.2, 0.2)
    assert len(bodies) > 300
    seen = ephemeris(bodies.orbits, 61680.2)
    east, north = tangent_plane(seen.ra, seen.decl, 10.0, 3.0)
    assert np.hypot(east, north).max() < 2.41
    main = (bodies.orbits.a > 2.0) & (bodies.orbits.a < 3.6)
    assert np.mean(main) > 0.8
    rate = np.hypot(*seen.rates())
    assert 0.1 < np.median(rate[main]) < 0.35
    # Near opposition they go backwards, to the west.
    assert np.mean(seen.rates()[0][main] < 0.0) > 0.95
    later = ephemeris(bodies.orbits, 61680.21)
    step = tangent_plane(later.ra, later.decl, seen.ra, seen.decl)
    np.testing.assert_allclose(step[0] / 0.01, seen.rates()[0], atol=0.01)
    np.testing.assert_allclose(step[1] / 0.01, seen.rates()[1], atol=0.01)
    assert len(bodies_in_field(1, 0, 0, 10.0, -60.0, 2.4, 61680.2, 0.2)) < 0.2 * len(bodies)


def test_designations_are_packed_as_the_minor_planet_center_does() -> None:
    unpacked, packed, ids = designations(
        np.array([0, 24, 25, 25 * 24, 25 * 24 * 107 + 26, 25 * 24 * 620 * 60])
    )
    assert unpacked == ["2050 AA", "2050 AZ", "2050 BA", "2050 AA1", "2050 BB107", "2110 AA"]
    assert packed == ["K50A00A", "K50A00Z", "K50B00A", "K50A01A", "K50BA7B", "L10A00A"]
    assert [i.to_bytes(7, "big").decode() for i in ids.tolist()] == packed
    with pytest.raises(ValueError, match="no designations left"):
        designations(np.array([10**9]))


@pytest.fixture(scope="module")
def ecliptic_packets(schemas: SchemaStore) -> list[Packet]:
    """Alerts of solar-system bodies in some of several fields."""
    simulation = Simulation(
        2, num_fields=8, alerts_per_visit=150, cutouts="none", history_days=30, schemas=schemas
    )
    packets = [p for m in simulation.alerts() for p in decode(simulation, m.values)]
    return [p for p in packets if p["ssSource"] is not None]


def test_packets_of_bodies_have_no_object(ecliptic_packets: list[Packet]) -> None:
    assert len(ecliptic_packets) > 50
    for p in ecliptic_packets:
        assert p["diaObject"] is None
        assert p["prvDiaSources"] is None
        assert p["prvDiaForcedSources"] is None
        s, ss, orbit = p["diaSource"], p["ssSource"], p["mpc_orbits"]
        assert s["diaObjectId"] is None
        assert s["ssObjectId"] == ss["ssObjectId"]
        assert ss["diaSourceId"] == p["diaSourceId"]
        assert ss["designation"] == orbit["designation"]
        packed = ss["ssObjectId"].to_bytes(7, "big").decode()
        assert packed == orbit["packed_primary_provisional_designation"]


def test_predictions_follow_from_the_orbit_in_the_packet(ecliptic_packets: list[Packet]) -> None:
    names = ("a", "e", "i", "node", "argperi", "mean_anomaly")
    elements = {name: np.array([p["mpc_orbits"][name] for p in ecliptic_packets]) for name in names}
    epoch = np.array([p["mpc_orbits"]["epoch_mjd"] for p in ecliptic_packets])
    orbits = Orbits(**elements, epoch=epoch)
    mjd = np.array([p["diaSource"]["midpointMjdTai"] for p in ecliptic_packets])
    seen = ephemeris(orbits, mjd)

    def of(name: str) -> np.ndarray:
        return np.array([p["ssSource"][name] for p in ecliptic_packets])

    np.testing.assert_allclose(of("ephRa"), seen.ra, atol=1e-9)
    np.testing.assert_allclose(of("ephDec"), seen.decl, atol=1e-9)
    np.testing.assert_allclose(of("topoRange"), seen.topo_range, rtol=1e-6)
    np.testing.assert_allclose(of("phaseAngle"), seen.phase_angle, atol=1e-4)
    np.testing.assert_allclose(
        of("helio_vtot"), np.linalg.norm(seen.helio_velocity, axis=1) * 1731.4568, rtol=1e-5
    )
    h, g = (np.array([p["mpc_orbits"][name] for p in ecliptic_packets]) for name in ("h", "g"))
    v = hg_magnitude(h, float(g[0]), seen.helio_range, seen.topo_range, seen.phase_angle)
    np.testing.assert_allclose(of("ephVmag"), v, atol=1e-4)
    q = np.array([p["mpc_orbits"]["q"] for p in ecliptic_packets])
    np.testing.assert_allclose(q, elements["a"] * (1.0 - elements["e"]))
    # Time of perihelion: mean anomaly zero.
    peri = np.array([p["mpc_orbits"]["peri_time"] for p in ecliptic_packets])
    phase = elements["mean_anomaly"] + orbits.mean_motion * (peri - epoch)
    np.testing.assert_allclose((phase + 180.0) % 360.0 - 180.0, 0.0, atol=1e-6)


def test_observed_positions_are_close_to_predicted_ones(ecliptic_packets: list[Packet]) -> None:
    offsets = []
    for p in ecliptic_packets:
        s, ss = p["diaSource"], p["ssSource"]
        there = SkyCoord(s["ra"], s["dec"], unit="deg")
        predicted = SkyCoord(ss["ephRa"], ss["ephDec"], unit="deg")
        apart = there.separation(predicted).arcsec
        assert ss["ephOffset"] == pytest.approx(apart, abs=1e-4)
        assert np.hypot(ss["ephOffsetRa"], ss["ephOffsetDec"]) == pytest.approx(apart, abs=1e-4)
        along = np.hypot(ss["ephOffsetAlongTrack"], ss["ephOffsetCrossTrack"])
        assert along == pytest.approx(apart, abs=1e-4)
        galactic = there.galactic
        assert ss["galLat"] == pytest.approx(galactic.b.deg, abs=1e-4)
        assert np.hypot(ss["ephRateRa"], ss["ephRateDec"]) == pytest.approx(ss["ephRate"], rel=1e-5)
        offsets.append(apart)
    assert np.median(offsets) < 0.2
    assert max(offsets) < 1.5


def test_a_body_is_seen_again_within_the_night_where_its_motion_takes_it(
    ecliptic_packets: list[Packet],
) -> None:
    first: dict[int, Packet] = {}
    again = 0
    for p in ecliptic_packets:
        s = p["diaSource"]
        before = first.setdefault(s["ssObjectId"], p)
        if before is p:
            continue
        days = s["midpointMjdTai"] - before["diaSource"]["midpointMjdTai"]
        east, north = tangent_plane(s["ra"], s["dec"], before["diaSource"]["ra"], before["diaSource"]["dec"])
        expected = before["ssSource"]["ephRate"] * days * 3600.0
        assert np.hypot(east, north) * 3600.0 == pytest.approx(expected, abs=2.0)
        again += 1
    assert again > 10


def test_fast_bodies_leave_trails(ecliptic_packets: list[Packet]) -> None:
    for p in ecliptic_packets:
        expected = p["ssSource"]["ephRate"] * 30.0 / 86400.0 * 3600.0
        assert p["diaSource"]["trailLength"] >= 0.99 * expected
