"""The objects of a field: who lives there, where, in which galaxy, behind how much dust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cadence import FIELD_AREA_DEG2, FIELD_RADIUS_DEG
from lasair_broker.packets.simulator._galaxies import (
    Galaxies,
    host_galaxies,
    light_profile_offsets,
    psf_flux_at,
)
from lasair_broker.packets.simulator._random import generator, hash_array, normal_array
from lasair_broker.packets.simulator._spectra import EXTINCTION, WAVELENGTH_NM, ab_flux, blackbody_log_ratio
from lasair_broker.packets.simulator._sphere import galactic, offset_position, random_in_disc
from lasair_broker.packets.simulator.populations import (
    POPULATIONS,
    Extragalactic,
    Parameters,
    Place,
    Population,
    Situation,
)

__all__ = ["Group", "draw_group", "draw_groups", "field_reddening", "host_positions"]

Float64 = npt.NDArray[np.float64]
UInt64 = npt.NDArray[np.uint64]

_STREAM = 102


@dataclass(frozen=True, slots=True)
class Group:
    """The objects of one population in one field, as columns.

    Attributes
    ----------
    population
        What they are.
    parameters
        What the population drew for them.
    key
        A number for each object from which all its randomness follows.
    ra, decl
        True positions, degrees.
    reddening
        E(B-V) of our galaxy towards each.
    static
        Light at the place that never changes (nJy, ugrizy, with dust): of the host, or of a star beside an
        artefact.
    hosts
        The host galaxy of each object, or None for what has none.
    host_east, host_north
        Offset of the object from the centre of its host, arcsec.
    """

    population: Population
    parameters: Parameters
    key: UInt64
    ra: Float64
    decl: Float64
    reddening: Float64
    static: Float64
    hosts: Galaxies | None
    host_east: Float64
    host_north: Float64

    def __len__(self) -> int:
        return len(self.key)

    @property
    def dust(self) -> Float64:
        """What the dust leaves of the light in ugrizy, shape (n, 6)."""
        return np.asarray(10.0 ** (-0.4 * EXTINCTION[None, :] * self.reddening[:, None]))

    def observed_flux(self, mjd: Float64, band: npt.NDArray[np.int8]) -> Float64:
        """Flux in nJy through the dust at the given times, shape (objects, times); without `static`."""
        flux = self.population.light_curves(self.parameters, self.key, mjd, band)
        # In place and band by band: these are the largest arrays of all.
        dust = self.dust
        for code in np.unique(band).tolist():
            flux[:, band == code] *= dust[:, code : code + 1]
        return flux


def field_reddening(decl: float, ra: float) -> float:
    """A typical E(B-V) at that galactic latitude: 0.02 at the pole, growing with the path through the dust
    layer."""
    latitude = np.radians(max(abs(float(galactic(ra, decl)[1])), 10.0))
    return float(0.018 / np.sin(latitude) ** 1.3)


def draw_groups(
    seed: int,
    field: int,
    ra: float,
    decl: float,
    mjd_first: float,
    mjd_last: float,
    density: float,
    boost: Mapping[str, float],
) -> list[Group]:
    """All objects of a field, one group for each population.

    Parameters
    ----------
    seed, field
        Name the random streams.
    ra, decl
        Centre of the field, degrees.
    mjd_first, mjd_last
        Between these every event is there.
    density
        Times the density of the sky that gives some 10,000 alerts a visit.
    boost
        For a class, how many times more of its objects than in nature, instead of the population's own boost.
    """
    place = Place(
        area_deg2=FIELD_AREA_DEG2,
        galactic_latitude=float(galactic(ra, decl)[1]),
        mjd_first=mjd_first,
        mjd_last=mjd_last,
    )
    reddening = field_reddening(decl, ra)
    return [
        draw_group(
            seed,
            field,
            population,
            ra,
            decl,
            place,
            reddening,
            mean=population.natural_number(place) * density * boost.get(population.name, population.boost),
        )
        for population in POPULATIONS
    ]


def draw_group(
    seed: int,
    field: int,
    population: Population,
    ra: float,
    decl: float,
    place: Place,
    reddening: float,
    *,
    mean: float | None = None,
    number: int | None = None,
) -> Group:
    """The objects of one population: `number` of them, or a Poisson number of that `mean`."""
    code = POPULATIONS.index(population)
    rng = generator(seed, _STREAM, field, code)
    n = int(rng.poisson(mean or 0.0)) if number is None else number
    p = population.draw(rng, n, place)
    base = np.full(n, np.uint64((seed * 1_000_003 + field * 64 + code) & 0xFFFFFFFFFFFFFFFF), np.uint64)
    key = hash_array(base, np.arange(n, dtype=np.uint64))
    obj_ra, obj_decl = random_in_disc(rng, n, ra, decl, FIELD_RADIUS_DEG)
    dust = reddening * np.exp(0.15 * normal_array(key + np.uint64(3)))
    attenuation = 10.0 ** (-0.4 * EXTINCTION[None, :] * dust[:, None])
    hosts, static = None, np.zeros((n, 6))
    east, north = np.zeros(n), np.zeros(n)
    if population.situation in (Situation.HOST, Situation.NUCLEUS):
        scale = population.host_luminosity if isinstance(population, Extragalactic) else 1.0
        hosts = host_galaxies(rng, p["redshift"], scale)
        if population.situation is Situation.HOST:
            stretch = population.offset_scale if isinstance(population, Extragalactic) else 1.0
            east, north = light_profile_offsets(rng, hosts, stretch)
        static = psf_flux_at(hosts, east, north) * attenuation
    elif population.situation is Situation.EMPTY:
        colour = blackbody_log_ratio(WAVELENGTH_NM, float(WAVELENGTH_NM[2]), np.full(6, 5500.0))
        static = ab_flux(p["magnitude"])[:, None] * 10.0 ** colour[None, :] * attenuation
    return Group(population, p, key, obj_ra, obj_decl, dust, static, hosts, east, north)


def host_positions(group: Group) -> tuple[Float64, Float64]:
    """RA and declination of the centres of the hosts, degrees."""
    return offset_position(group.ra, group.decl, -group.host_east / 3600.0, -group.host_north / 3600.0)
