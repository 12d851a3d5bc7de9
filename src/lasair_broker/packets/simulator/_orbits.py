"""Two-body orbits about the Sun, seen from the Earth: positions, velocities, elements, magnitudes.

Heliocentric vectors are in au and au/day in the ecliptic of J2000 unless a name says equatorial. The Earth
follows the mean elements of Standish & Williams (JPL, "Approximate positions of the planets", table 1), good
to 20 arcsec; the observer sits at its centre. That is the error of these ephemerides against the real sky,
not against each other: predictions and observations use the same orbits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._sphere import OBLIQUITY_DEG

__all__ = [
    "AU_DAY_KM_S",
    "GM_SUN",
    "Ephemeris",
    "Orbits",
    "earth",
    "ephemeris",
    "hg_magnitude",
    "orbits_from_state",
    "to_ecliptic",
    "to_equatorial",
]

Float64 = npt.NDArray[np.float64]

GM_SUN = 0.01720209895**2
"""Gaussian gravitational constant squared, au^3 / day^2."""
_LIGHT_AU_DAY = 173.14463267
AU_DAY_KM_S = 149597870.7 / 86400.0
_COS_E, _SIN_E = np.cos(np.radians(OBLIQUITY_DEG)), np.sin(np.radians(OBLIQUITY_DEG))


@dataclass(frozen=True, slots=True)
class Orbits:
    """Osculating elements of the ecliptic and equinox J2000: au and degrees; mean anomaly at `epoch`
    (MJD)."""

    a: Float64
    e: Float64
    i: Float64
    node: Float64
    argperi: Float64
    mean_anomaly: Float64
    epoch: Float64

    def __len__(self) -> int:
        return len(self.a)

    @property
    def mean_motion(self) -> Float64:
        """Degrees a day (Kepler's third law)."""
        return np.degrees(np.sqrt(GM_SUN / self.a**3))

    def take(self, rows: npt.NDArray[np.int64]) -> Orbits:
        """Some of the orbits."""
        return Orbits(**{name: getattr(self, name)[rows] for name in self.__slots__})


def to_equatorial(v: Float64) -> Float64:
    """Ecliptic vectors (last axis xyz) in ICRS axes."""
    y, z = v[..., 1], v[..., 2]
    return np.stack([v[..., 0], _COS_E * y - _SIN_E * z, _SIN_E * y + _COS_E * z], axis=-1)


def to_ecliptic(v: Float64) -> Float64:
    """ICRS vectors in ecliptic axes."""
    y, z = v[..., 1], v[..., 2]
    return np.stack([v[..., 0], _COS_E * y + _SIN_E * z, -_SIN_E * y + _COS_E * z], axis=-1)


def _state(orbits: Orbits, mjd: Float64) -> tuple[Float64, Float64]:
    """Position and velocity at `mjd`, one time an orbit (Danby 1988, chapter 6)."""
    mean = np.radians((orbits.mean_anomaly + orbits.mean_motion * (mjd - orbits.epoch)) % 360.0)
    e = orbits.e
    anomaly = mean + e * np.sin(mean) / (1.0 - np.sin(mean + e) + np.sin(mean))
    for _ in range(12):
        anomaly = anomaly - (anomaly - e * np.sin(anomaly) - mean) / (1.0 - e * np.cos(anomaly))
    n = np.sqrt(GM_SUN / orbits.a**3)
    root = np.sqrt(1.0 - e**2)
    px, py = orbits.a * (np.cos(anomaly) - e), orbits.a * root * np.sin(anomaly)
    rate = n / (1.0 - e * np.cos(anomaly))
    vx, vy = -orbits.a * np.sin(anomaly) * rate, orbits.a * root * np.cos(anomaly) * rate
    w, o, i = np.radians(orbits.argperi), np.radians(orbits.node), np.radians(orbits.i)
    cw, sw, co, so, ci, si = np.cos(w), np.sin(w), np.cos(o), np.sin(o), np.cos(i), np.sin(i)
    p_axis = np.stack([cw * co - sw * so * ci, cw * so + sw * co * ci, sw * si], axis=-1)
    q_axis = np.stack([-sw * co - cw * so * ci, -sw * so + cw * co * ci, cw * si], axis=-1)
    position = px[:, None] * p_axis + py[:, None] * q_axis
    velocity = vx[:, None] * p_axis + vy[:, None] * q_axis
    return position, velocity


def earth(mjd: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Heliocentric position and velocity of the Earth-Moon barycentre, taken for the observer's."""
    t = np.atleast_1d(np.asarray(mjd, np.float64))
    century = (t - 51544.5) / 36525.0
    perihelion = 102.93768193 + 0.32327364 * century
    longitude = 100.46457166 + 35999.37244981 * century
    orbits = Orbits(
        a=np.full_like(t, 1.00000261),
        e=0.01671123 - 0.00004392 * century,
        i=np.zeros_like(t),
        node=np.zeros_like(t),
        argperi=perihelion,
        mean_anomaly=longitude - perihelion,
        epoch=t,
    )
    return _state(orbits, t)


@dataclass(frozen=True, slots=True)
class Ephemeris:
    """Where bodies are seen: angles in degrees ICRS, distances in au, vectors in au and au/day (equatorial).

    `helio` and `topo` are (n, 3) positions at the time the light left, with their velocities.
    """

    ra: Float64
    decl: Float64
    helio: Float64
    helio_velocity: Float64
    topo: Float64
    topo_velocity: Float64
    phase_angle: Float64
    elongation: Float64

    @property
    def helio_range(self) -> Float64:
        """Distance from the Sun, au."""
        return np.asarray(np.linalg.norm(self.helio, axis=1), np.float64)

    @property
    def topo_range(self) -> Float64:
        """Distance from the observer, au."""
        return np.asarray(np.linalg.norm(self.topo, axis=1), np.float64)

    def rates(self) -> tuple[Float64, Float64]:
        """Motion on the sky in RA (times cos decl) and declination, degrees a day."""
        a, d = np.radians(self.ra), np.radians(self.decl)
        east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)
        north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
        distance = self.topo_range
        across = np.sum(self.topo_velocity * east, axis=1) / distance
        up = np.sum(self.topo_velocity * north, axis=1) / distance
        return np.degrees(across), np.degrees(up)


def ephemeris(orbits: Orbits, mjd: npt.ArrayLike) -> Ephemeris:
    """Astrometric positions (corrected for light time, not for aberration) of each body at `mjd` (TDB ~
    TAI)."""
    t = np.broadcast_to(np.asarray(mjd, np.float64), (len(orbits),)).copy()
    observer, observer_velocity = earth(t)
    delay = np.zeros_like(t)
    for _ in range(3):
        position, velocity = _state(orbits, t - delay)
        topo = position - observer
        delay = np.linalg.norm(topo, axis=1) / _LIGHT_AU_DAY
    r, distance = np.linalg.norm(position, axis=1), np.linalg.norm(topo, axis=1)
    sun = np.linalg.norm(observer, axis=1)
    phase = np.degrees(np.arccos(np.clip(np.sum(position * topo, axis=1) / (r * distance), -1.0, 1.0)))
    elongation = np.degrees(
        np.arccos(np.clip(-np.sum(observer * topo, axis=1) / (sun * distance), -1.0, 1.0))
    )
    seen = to_equatorial(topo)
    return Ephemeris(
        ra=np.degrees(np.arctan2(seen[:, 1], seen[:, 0])) % 360.0,
        decl=np.degrees(np.arcsin(seen[:, 2] / distance)),
        helio=to_equatorial(position),
        helio_velocity=to_equatorial(velocity),
        topo=seen,
        topo_velocity=to_equatorial(velocity - observer_velocity),
        phase_angle=phase,
        elongation=elongation,
    )


def orbits_from_state(position: Float64, velocity: Float64, epoch: npt.ArrayLike) -> Orbits:
    """Elements of bound orbits through ecliptic states (n, 3) (Danby 1988, section 6.9).

    Raises
    ------
    ValueError
        If a state is not bound to the Sun.
    """
    r = np.linalg.norm(position, axis=1)
    v2 = np.sum(velocity**2, axis=1)
    a = 1.0 / (2.0 / r - v2 / GM_SUN)
    if np.any(a <= 0):
        raise ValueError(f"{int(np.sum(a <= 0))} of the states are not bound orbits")
    h = np.cross(position, velocity)
    momentum = np.linalg.norm(h, axis=1)
    vector = np.cross(velocity, h) / GM_SUN - position / r[:, None]
    e = np.linalg.norm(vector, axis=1)
    inclination = np.arccos(np.clip(h[:, 2] / momentum, -1.0, 1.0))
    node = np.arctan2(h[:, 0], -h[:, 1])
    node_axis = np.stack([np.cos(node), np.sin(node), np.zeros_like(node)], axis=-1)
    across = np.cross(h / momentum[:, None], node_axis)
    argument = np.arctan2(np.sum(vector * across, axis=1), np.sum(vector * node_axis, axis=1))
    rv = np.sum(position * velocity, axis=1)
    eccentric = np.arctan2(rv / np.sqrt(GM_SUN * a), 1.0 - r / a)
    mean = eccentric - e * np.sin(eccentric)
    return Orbits(
        a=a,
        e=e,
        i=np.degrees(inclination),
        node=np.degrees(node) % 360.0,
        argperi=np.degrees(argument) % 360.0,
        mean_anomaly=np.degrees(mean) % 360.0,
        epoch=np.broadcast_to(np.asarray(epoch, np.float64), a.shape).copy(),
    )


def hg_magnitude(
    h: npt.ArrayLike, g: float, helio_range: Float64, topo_range: Float64, phase_angle: Float64
) -> Float64:
    """Apparent V magnitude of the H, G system (Bowell et al. 1989, Asteroids II, 524)."""
    half = np.tan(np.radians(phase_angle) / 2.0)
    first, second = np.exp(-3.33 * half**0.63), np.exp(-1.87 * half**1.22)
    phase = -2.5 * np.log10((1.0 - g) * first + g * second)
    return np.asarray(np.asarray(h) + 5.0 * np.log10(helio_range * topo_range) + phase, np.float64)
