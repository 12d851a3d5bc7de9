"""When the telescope looks where: fields, nights, pairs of visits, depth and seeing.

A strongly reduced picture of LSST's wide-fast-deep survey: fields that do not overlap, observed when they are
near the meridian around midnight, in pairs of visits about 33 minutes apart in two bands chosen by the moon,
every few nights if the weather allows (Bianco et al. 2022, ApJS 258, 1). Times are MJD TAI.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import BANDS
from lasair_broker.packets.simulator._random import generator
from lasair_broker.packets.simulator._sphere import galactic, offset_position

__all__ = ["FIELD_AREA_DEG2", "FIELD_RADIUS_DEG", "Survey", "Visits", "days_since_2010"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

FIELD_RADIUS_DEG = 1.85
"""Radius of the disc in which a field has objects: the camera's corner distance plus a dither."""
FIELD_AREA_DEG2 = float(np.pi * FIELD_RADIUS_DEG**2)

_NUM_TILES = 2400
_LONGITUDE_DEG = -70.7494  # Cerro Pachón
_MIDNIGHT = 0.1965  # UTC fraction of a day at local midnight there
_VISIT_DAYS = 39.0 / 86400.0
_PAIR_DAYS = 33.0 / 1440.0
_NIGHT_START = 0.02
_DITHER_DEG = 0.15
_SLOTS = 16  # blocks that fit in a night

# Single-visit 5-sigma depth and median seeing by band (Bianco et al. 2022, tables 1 and 2).
_DEPTH = np.array([23.70, 24.97, 24.52, 24.13, 23.56, 22.55])
_SEEING = np.array([0.98, 0.93, 0.88, 0.86, 0.85, 0.84])
_MOON_LOSS = np.array([1.0, 0.75, 0.45, 0.25, 0.12, 0.06])
_DARK_PAIRS = np.array([(0, 1), (1, 2), (2, 3), (1, 3), (2, 3), (3, 4), (4, 5)])
_BRIGHT_PAIRS = np.array([(2, 3), (3, 4), (3, 4), (4, 5), (4, 5), (2, 4), (5, 5)])

_CADENCE_STREAM = 101


def days_since_2010(visit: npt.ArrayLike) -> Int64:
    """Days from 2010-01-01 to the observing day in a visit id (YYYYMMDDNNNNN), the zero point of Rubin's
    ids."""
    day = np.asarray(visit, np.int64) // 100_000
    dates = np.array(
        [datetime.date(d // 10_000, d // 100 % 100, d % 100).toordinal() for d in np.unique(day).tolist()],
        np.int64,
    )
    ordinal = dates[np.searchsorted(np.unique(day), day)]
    return np.asarray(ordinal - datetime.date(2010, 1, 1).toordinal(), np.int64)


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits as columns, in order of time.

    Attributes
    ----------
    visit
        Rubin's visit id: observing day (UTC - 12 h) and a sequence number.
    field
        The field of the survey that the visit points at.
    ra, decl, rotation
        Boresight, degrees ICRS, and the position angle of the focal plane's +Y, degrees east of north.
    mjd
        Middle of the exposure, MJD TAI.
    band
        Code into `BANDS`.
    depth, seeing
        5-sigma depth for a point source, AB mag, and FWHM of the PSF, arcsec.
    emitted
        Whether the visit belongs to the simulated nights, so that its alerts are sent; others are history.
    """

    visit: Int64
    field: npt.NDArray[np.int32]
    ra: Float64
    decl: Float64
    rotation: Float64
    mjd: Float64
    band: npt.NDArray[np.int8]
    depth: Float64
    seeing: Float64
    emitted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.visit)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Visits:
        """Some of the visits."""
        return Visits(**{name: getattr(self, name)[rows] for name in self.__slots__})

    def to_arrow(self) -> pa.Table:
        """The visits as a table, band by name."""
        columns = {
            name: pa.array(getattr(self, name))
            for name in self.__slots__
            if name not in ("band", "mjd", "visit")
        }
        return pa.table(
            {
                "visit": pa.array(self.visit),
                "midpointMjdTai": pa.array(self.mjd),
                "band": pa.array([BANDS[b] for b in self.band.tolist()], pa.string()),
                **columns,
            }
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """Which fields, which nights.

    Parameters
    ----------
    seed
        All choices follow from it.
    num_fields
        Fields that take part (all observable in the first night).
    start_mjd
        The first simulated night is the one that contains local midnight of this integer MJD.
    num_nights
        Nights to simulate.
    history_days
        For how long before the fields have been observed already.
    revisit_nights
        In the simulated nights a field is observed every so many nights.
    """

    seed: int
    num_fields: int
    start_mjd: float = 61680.0
    num_nights: int = 1
    history_days: int = 365
    revisit_nights: int = 3

    @property
    def block(self) -> int:
        """Fields that are observed in turn, once each, before the second visits of their pairs."""
        return -(-self.num_fields // _SLOTS)

    def fields(self) -> tuple[Int64, Float64, Float64]:
        """Indices, RA and declination of the fields: well observable in the first night, away from the
        galactic plane.

        Raises
        ------
        ValueError
            If the sky does not hold as many fields.
        """
        i = np.arange(_NUM_TILES) + 0.5
        decl = np.degrees(np.arcsin(1.0 - 2.0 * i / _NUM_TILES))
        ra = np.degrees(i * np.pi * (3.0 - np.sqrt(5.0))) % 360.0
        hour_angle = (self._midnight_sidereal(np.floor(self.start_mjd)) - ra + 180.0) % 360.0 - 180.0
        latitude = np.abs(galactic(ra, decl)[1])
        good = (decl > -70.0) & (decl < 8.0) & (np.abs(hour_angle) < 55.0) & (latitude > 20.0)
        found = np.flatnonzero(good)
        if self.num_fields > len(found):
            raise ValueError(f"one night has {len(found)} fields in sight, {self.num_fields} were asked for")
        chosen = generator(self.seed, _CADENCE_STREAM).permutation(found)[: self.num_fields]
        return chosen.astype(np.int64), ra[chosen], decl[chosen]

    @staticmethod
    def _midnight_sidereal(night: npt.ArrayLike) -> Float64:
        """Sidereal time at local midnight, degrees (IAU 1982 GMST, linear term)."""
        mjd = np.asarray(night, np.float64) + _MIDNIGHT
        return np.asarray((280.46061837 + 360.98564736629 * (mjd - 51544.5) + _LONGITUDE_DEG) % 360.0)

    def nights(self) -> list[int]:
        """The simulated nights as integer MJD."""
        first = int(np.floor(self.start_mjd))
        return list(range(first, first + self.num_nights))

    def field_visits(self, which: int) -> Visits:
        """All visits of the field at place `which` of `fields()`: its history, then the simulated nights."""
        field, ra, decl = (column[which] for column in self.fields())
        rng = generator(self.seed, _CADENCE_STREAM, int(field))
        first = int(np.floor(self.start_mjd))
        nights = np.arange(first - self.history_days, first)
        hour_angle = (self._midnight_sidereal(nights) - ra + 180.0) % 360.0 - 180.0
        past = nights[(np.abs(hour_angle) < 78.0) & (rng.random(len(nights)) < 0.27)]
        time_of_night = _MIDNIGHT - 0.08 + 0.16 * rng.random(len(past))
        history = (past + time_of_night)[:, None] + np.array([0.0, _PAIR_DAYS])
        sequence = np.broadcast_to(np.array([1000, 1001]) + 2 * which, history.shape)
        coming, their_sequence = self._emitted(which)
        mjd = np.concatenate([history, coming]).reshape(-1)
        seq = np.concatenate([sequence, their_sequence]).reshape(-1)
        return self._conditions(int(field), float(ra), float(decl), mjd, seq, which)

    def _emitted(self, which: int) -> tuple[Float64, Int64]:
        """Times and sequence numbers of the field's pairs in the simulated nights, shape (nights, 2).

        A night is cut in slots of one pair's length; in a slot a block of fields is observed once, then once
        more.
        """
        block = self.block
        slot, place = which // block, which % block
        mine = [
            night for i, night in enumerate(self.nights()) if (i + which) % self.revisit_nights == 0 or i == 0
        ]
        start = np.array(mine, np.float64)[:, None] + _NIGHT_START
        start = start + slot * (_PAIR_DAYS + block * _VISIT_DAYS)
        times = start + place * _VISIT_DAYS + np.array([0.0, max(_PAIR_DAYS, block * _VISIT_DAYS)])
        sequence = np.array([2 * slot * block + place, 2 * slot * block + block + place]) + 1
        return times, np.broadcast_to(sequence, times.shape).astype(np.int64)

    def _conditions(
        self, field: int, ra: float, decl: float, mjd: Float64, sequence: Int64, which: int
    ) -> Visits:
        n = len(mjd)
        night = np.floor(mjd).astype(np.int64)
        # Drawn per night, so that adding nights changes nothing of those before.
        draws = np.array(
            [generator(self.seed, _CADENCE_STREAM, field, int(day)).random(12) for day in night[::2]]
        ).reshape(n // 2, 12)
        illuminated = 0.5 * (1.0 - np.cos(2.0 * np.pi * (night[::2] - 51550.26) / 29.530589))
        dark = illuminated < 0.4
        choice = (draws[:, 0] * 7).astype(int)
        pairs = np.where(dark[:, None], _DARK_PAIRS[choice], _BRIGHT_PAIRS[choice])
        band = pairs.reshape(-1).astype(np.int8)
        each = draws[:, 2:].reshape(n, 5)
        seeing = _SEEING[band] * np.exp(0.18 * 1.6 * (each[:, 0] + each[:, 1] - 1.0) + 0.05)
        depth = (
            _DEPTH[band]
            - 2.5 * np.log10(seeing / _SEEING[band])
            - np.repeat(illuminated, 2) * _MOON_LOSS[band]
        )
        depth += 0.2 * (each[:, 2] - 0.5)
        radius, angle = _DITHER_DEG * np.sqrt(each[:, 3]), 2.0 * np.pi * each[:, 4]
        point_ra, point_decl = offset_position(ra, decl, radius * np.sin(angle), radius * np.cos(angle))
        days = [
            datetime.date(1858, 11, 17) + datetime.timedelta(days=int(m))
            for m in np.floor(mjd - 0.5).tolist()
        ]
        stamp = np.array([d.year * 10_000 + d.month * 100 + d.day for d in days], np.int64)
        return Visits(
            visit=stamp * 100_000 + sequence,
            field=np.full(n, which, np.int32),
            ra=point_ra,
            decl=point_decl,
            rotation=360.0 * (each[:, 2] + each[:, 4]) % 360.0,
            mjd=mjd,
            band=band,
            depth=depth,
            seeing=seeing,
            emitted=night >= int(np.floor(self.start_mjd)),
        )

    def emitted_visits(self) -> Visits:
        """The visits of the simulated nights in order of time."""
        parts = [self.field_visits(i) for i in range(self.num_fields)]
        parts = [part.take(part.emitted) for part in parts]
        joined = Visits(
            **{name: np.concatenate([getattr(p, name) for p in parts]) for name in Visits.__slots__}
        )
        return joined.take(np.argsort(joined.mjd, kind="stable"))
