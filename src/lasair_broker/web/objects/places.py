"""A position in the ways in which people write it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lasair_broker.sky import galactic_coordinates, sexagesimal

# Mean obliquity of the ecliptic at J2000 (IAU 2006 precession, Capitaine et al. 2003, A&A 412, 567), arcsec.
_OBLIQUITY = math.radians(84381.406 / 3600.0)


@dataclass(frozen=True, slots=True)
class Place:
    """A position, ICRS.

    Attributes
    ----------
    ra, decl
        Degrees.
    """

    ra: float
    decl: float

    @property
    def degrees(self) -> str:
        """Right ascension and declination in decimal degrees."""
        return f"{self.ra:.6f} {self.decl:+.6f}"

    @property
    def sexagesimal(self) -> str:
        """Hours and degrees, to 0.01 s and 0.1″."""
        return f"{sexagesimal(self.ra / 15.0, 2)} {sexagesimal(self.decl, 1, sign=True)}"

    @property
    def galactic(self) -> str:
        """Galactic longitude and latitude in degrees."""
        longitude, latitude = galactic_coordinates(self.ra, self.decl)
        return f"{float(longitude):.5f} {float(latitude):+.5f}"

    @property
    def ecliptic(self) -> str:
        """Ecliptic longitude and latitude of J2000 in degrees."""
        longitude, latitude = ecliptic_coordinates(self.ra, self.decl)
        return f"{longitude:.5f} {latitude:+.5f}"

    def written(self) -> list[tuple[str, str]]:
        """Each way, with what it is called."""
        return [
            ("degrees", self.degrees),
            ("sexagesimal", self.sexagesimal),
            ("Galactic", self.galactic),
            ("ecliptic", self.ecliptic),
        ]


def ecliptic_coordinates(ra: float, decl: float) -> tuple[float, float]:
    """Ecliptic longitude (0 to 360) and latitude of J2000 of an ICRS position, in degrees."""
    alpha, delta = math.radians(ra), math.radians(decl)
    x, y, z = math.cos(delta) * math.cos(alpha), math.cos(delta) * math.sin(alpha), math.sin(delta)
    cosine, sine = math.cos(_OBLIQUITY), math.sin(_OBLIQUITY)
    y, z = y * cosine + z * sine, z * cosine - y * sine
    # Twice: the remainder of what is hardly below 0 is 360 in floating point.
    longitude = math.degrees(math.atan2(y, x)) % 360.0 % 360.0
    return longitude, math.degrees(math.atan2(z, math.hypot(x, y)))
