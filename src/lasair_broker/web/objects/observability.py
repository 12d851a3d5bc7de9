"""When an object can be observed in the coming night, from a site."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observatory:
    """A site: longitude (east) and latitude in degrees, height in metres."""

    name: str
    longitude: float
    latitude: float
    height: float


OBSERVATORIES = {
    "rubin": Observatory("Rubin, Cerro Pachón", -70.7494, -30.2446, 2663.0),
    "paranal": Observatory("Paranal", -70.4042, -24.6272, 2635.0),
    "lasilla": Observatory("La Silla", -70.7317, -29.2567, 2400.0),
    "lascampanas": Observatory("Las Campanas", -70.6926, -29.0146, 2380.0),
    "palomar": Observatory("Palomar", -116.8650, 33.3563, 1712.0),
    "kittpeak": Observatory("Kitt Peak", -111.5967, 31.9633, 2096.0),
    "maunakea": Observatory("Maunakea", -155.4747, 19.8263, 4160.0),
    "lapalma": Observatory("Roque de los Muchachos, La Palma", -17.8792, 28.7569, 2396.0),
    "calaralto": Observatory("Calar Alto", -2.5461, 37.2236, 2168.0),
    "sutherland": Observatory("Sutherland", 20.8107, -32.3760, 1798.0),
    "sidingspring": Observatory("Siding Spring", 149.0644, -31.2733, 1165.0),
    "lijiang": Observatory("Lijiang", 100.0300, 26.6951, 3193.0),
}

_STEP_MINUTES = 10
_SECONDS = 86_400.0
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Night:
    """The 24 hours from local noon to noon.

    Attributes
    ----------
    mjd
        UTC, every ten minutes.
    elevation, sun, moon
        Degrees above the horizon, without refraction.
    moon_distance
        Degrees between object and Moon at each time.
    moon_lit
        Illuminated share of the Moon's disc at midnight, 0 to 1.
    """

    mjd: Float64
    elevation: Float64
    sun: Float64
    moon: Float64
    moon_distance: Float64
    moon_lit: float

    @property
    def dark(self) -> npt.NDArray[np.bool_]:
        """When the Sun is more than 18 degrees below the horizon."""
        return self.sun < -18.0

    @property
    def best(self) -> int | None:
        """The place of the highest elevation in the dark; None if it is never dark, or never up."""
        if not self.dark.any():
            return None
        place = int(np.argmax(np.where(self.dark, self.elevation, -90.0)))
        return place if self.elevation[place] > 0.0 else None

    def hours_above(self, elevation: float) -> float:
        """Hours of darkness in which the object is above an elevation."""
        return float((self.dark & (self.elevation > elevation)).sum()) * _STEP_MINUTES / 60.0

    @property
    def airmass(self) -> Float64:
        """Airmass by Pickering 2002 (DIO 12, 3); NaN below the horizon."""
        up = np.where(self.elevation > 0.0, self.elevation, np.nan)
        mass: Float64 = 1.0 / np.sin(np.radians(up + 244.0 / (165.0 + 47.0 * up**1.1)))
        return mass


def night_at(ra: float, decl: float, where: Observatory, mjd_utc: float) -> Night:
    """The night that goes on at a time (MJD UTC), or, if it is day there, the next one.

    Positions of Sun and Moon are astropy's own (ERFA); no tables of the Earth's rotation are fetched, which
    costs less than fifteen seconds of arc.
    """
    from astropy import units
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
    from astropy.time import Time
    from astropy.utils import iers

    # Local mean noon before the time, or after it while the Sun is up and past noon.
    noon = np.floor(mjd_utc + where.longitude / 360.0 - 0.5) + 0.5 - where.longitude / 360.0
    location = EarthLocation.from_geodetic(where.longitude, where.latitude, where.height)
    mjd = noon + np.arange(0, 24 * 60 + 1, _STEP_MINUTES) / 1440.0
    with (
        _lock,
        warnings.catch_warnings(action="ignore"),  # of dubious years, and of what the tables do not have
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        times = Time(mjd, format="mjd", scale="utc")
        frame = AltAz(obstime=times, location=location)
        target = SkyCoord(ra, decl, unit="deg")
        sun = get_body("sun", times, location).transform_to(frame)
        moon = get_body("moon", times, location).transform_to(frame)
        up = target.transform_to(frame)
        distance = up.separation(moon).to_value(units.deg)
        middle = len(mjd) // 2
        # Phase angle of the Moon from its elongation (Meeus, Astronomical Algorithms, equation 48.3).
        elongation = sun[middle].separation(moon[middle]).to_value(units.rad)
        ratio = (sun.distance[middle] / moon.distance[middle]).to_value(units.dimensionless_unscaled)
        phase = np.arctan2(ratio * np.sin(elongation), 1.0 - ratio * np.cos(elongation))
    return Night(
        mjd=mjd,
        elevation=up.alt.to_value(units.deg),
        sun=sun.alt.to_value(units.deg),
        moon=moon.alt.to_value(units.deg),
        moon_distance=distance,
        moon_lit=float((1.0 + np.cos(phase)) / 2.0),
    )
