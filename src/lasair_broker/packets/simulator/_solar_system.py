"""Solar-system bodies in a field: orbits that pass there, what is seen of them, and their predicted
positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._orbits import (
    GM_SUN,
    Ephemeris,
    Orbits,
    earth,
    ephemeris,
    hg_magnitude,
    orbits_from_state,
    to_ecliptic,
)
from lasair_broker.packets.simulator._random import generator
from lasair_broker.packets.simulator._sphere import ecliptic, random_in_disc, vectors

__all__ = ["NIGHTS_TOGETHER", "SLOPE_G", "Bodies", "bodies_in_field", "designations", "see"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

NIGHTS_TOGETHER = 4
"""Bodies drift out of a field, so a new set is drawn every so many nights."""
SLOPE_G = 0.15
_STREAM = 103
_PER_DEG2 = 250.0
# Colours of a mean asteroid, band minus V (Holmberg et al. 2006 Sun, reddened as in Ivezic et al. 2001).
_COLOUR = np.array([1.75, 0.32, -0.23, -0.42, -0.42, -0.40])
_YEARS = 100
_SET_SIZE = 6000
_SETS = _YEARS * 24 * 25 * 620 // _SET_SIZE
_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies that cross a field.

    Attributes
    ----------
    orbits
        Their orbits.
    h
        Absolute magnitude H in V.
    period_hours, amplitude
        Rotation: period and peak-to-peak magnitude.
    east, north
        How far the body is from where its orbit predicts it, arcsec: the error of a published orbit.
    number
        A number that names the body; see `designations`.
    """

    orbits: Orbits
    h: Float64
    period_hours: Float64
    amplitude: Float64
    east: Float64
    north: Float64
    number: Int64

    def __len__(self) -> int:
        return len(self.number)


def designations(number: Int64) -> tuple[list[str], list[str], Int64]:
    """Unpacked and packed provisional designations, and `ssObjectId`, which is the packed one as ASCII bytes.

    The years are 2050 to 2149, so that no real body is named (packing: minorplanetcenter.net "Packed
    provisional designations"). Numbers run from 0 to 100 x 24 x 25 x 620.

    Raises
    ------
    ValueError
        If a number is too large.
    """
    if len(number) and (number.min() < 0 or number.max() >= _YEARS * 24 * 25 * 620):
        raise ValueError("there are no designations left for so many bodies")
    unpacked, packed = [], []
    for n in number.tolist():
        rest, order = divmod(n, 25)
        rest, half_month = divmod(rest, 24)
        year, cycle = divmod(rest, 620)
        first, second = _LETTERS[half_month], _LETTERS[order]
        unpacked.append(f"{2050 + year} {first}{second}{cycle or ''}")
        century = "K" if year < 50 else "L"
        count = f"{_DIGITS[cycle // 10]}{cycle % 10}"
        packed.append(f"{century}{(50 + year) % 100:02d}{first}{count}{second}")
    ids = np.array([int.from_bytes(name.encode("ascii"), "big") for name in packed], np.int64)
    return unpacked, packed, ids


def bodies_in_field(
    seed: int, which: int, group: int, ra: float, decl: float, radius_deg: float, mjd: float, density: float
) -> Bodies:
    """The bodies that are within `radius_deg` of (ra, decl) at `mjd`; more of them near the ecliptic.

    Positions are uniform on the sky there; distances, eccentricities and inclinations are like those of the
    main belt with a few near-Earth and trans-Neptunian bodies; apparent magnitudes grow as 10^(0.35 V) down
    to 24.3.
    """
    rng = generator(seed, _STREAM, which, group)
    latitude = float(ecliptic(ra, decl)[1])
    per_deg2 = _PER_DEG2 * np.exp(-0.5 * (latitude / 12.0) ** 2) + 3.0
    n = min(int(rng.poisson(per_deg2 * np.pi * radius_deg**2 * density)), _SET_SIZE)
    seen_ra, seen_decl = random_in_disc(rng, n, ra, decl, radius_deg)
    direction = to_ecliptic(vectors(seen_ra, seen_decl))
    kind = rng.random(n)
    r = np.where(
        kind < 0.96,
        2.1 + 1.2 * rng.beta(1.6, 1.6, n),
        np.where(kind < 0.985, 1.05 + 0.6 * rng.random(n), 0.0),
    )
    r = np.where(r == 0.0, 30.0 + 18.0 * rng.random(n), r)
    observer = earth(mjd)[0]
    along = np.sum(observer * direction, axis=1)
    distance = -along + np.sqrt(along**2 - np.sum(observer**2) + r**2)
    position = observer + distance[:, None] * direction
    velocity = _velocities(rng, position, r, kind)
    orbits = orbits_from_state(position, velocity, np.full(n, np.floor(mjd)))
    # The state above is at `mjd`; the elements' epoch is the midnight before.
    drift = orbits.mean_motion * (mjd - orbits.epoch)
    orbits = replace(orbits, mean_anomaly=(orbits.mean_anomaly - drift) % 360.0)
    low, high = 10.0 ** (0.35 * 16.5), 10.0 ** (0.35 * 24.3)
    magnitude = np.log10(low + (high - low) * rng.random(n)) / 0.35
    now = ephemeris(orbits, mjd) if n else None
    zero = np.zeros(n)
    h = magnitude - (
        hg_magnitude(zero, SLOPE_G, now.helio_range, now.topo_range, now.phase_angle) if now else zero
    )
    return Bodies(
        orbits=orbits,
        h=h,
        period_hours=np.exp(2.1 + 0.7 * rng.standard_normal(n)),
        amplitude=np.minimum(0.3 * rng.exponential(1.0, n), 1.5),
        east=0.06 * rng.standard_normal(n),
        north=0.06 * rng.standard_normal(n),
        number=(which * 12 + group % 12) % _SETS * _SET_SIZE + np.arange(n),
    )


def _velocities(rng: np.random.Generator, position: Float64, r: Float64, kind: Float64) -> Float64:
    """Velocities at the given places of orbits with Rayleigh eccentricities and inclinations."""
    n = len(r)
    wide = np.where(kind < 0.96, 1.0, 2.0)
    e = np.minimum(0.11 * wide * np.sqrt(2.0 * rng.exponential(1.0, n)), 0.7)
    true_anomaly = 2.0 * np.pi * rng.random(n)
    beta = np.arcsin(position[:, 2] / r)
    extra = np.radians(5.0) * wide * np.sqrt(2.0 * rng.exponential(1.0, n))
    inclination = np.minimum(np.abs(beta) + extra * np.exp(-np.abs(beta)), np.pi / 2)
    psi = np.arccos(np.clip(np.cos(inclination) / np.cos(beta), -1.0, 1.0)) * rng.choice([-1.0, 1.0], n)
    radial = position / r[:, None]
    flat = np.stack([-position[:, 1], position[:, 0], np.zeros(n)], axis=-1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1), 1e-12)[:, None]
    up = np.cross(radial, flat)
    tangent = np.cos(psi)[:, None] * flat + np.sin(psi)[:, None] * up
    p = r * (1.0 + e * np.cos(true_anomaly))
    speed = np.sqrt(GM_SUN / p)
    return np.asarray(
        (speed * e * np.sin(true_anomaly))[:, None] * radial
        + (speed * (1.0 + e * np.cos(true_anomaly)))[:, None] * tangent
    )


def see(bodies: Bodies, mjd: float, band: int) -> tuple[Ephemeris, Float64, Float64]:
    """The predicted ephemeris, the predicted V magnitude and the true magnitude in `band` at `mjd`."""
    predicted = ephemeris(bodies.orbits, mjd)
    v = hg_magnitude(bodies.h, SLOPE_G, predicted.helio_range, predicted.topo_range, predicted.phase_angle)
    turn = 4.0 * np.pi * 24.0 * mjd / bodies.period_hours
    return predicted, v, v + _COLOUR[band] + 0.5 * bodies.amplitude * np.sin(turn + bodies.number)
