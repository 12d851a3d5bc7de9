"""Joint events: the overlap of maps against brute force, and GW170817 with GRB 170817A as published."""

from __future__ import annotations

import math
from typing import Any

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.time import Time
from astropy_healpix import HEALPix

from lasair_broker.messengers import (
    MessengerIndex,
    joint_events,
    raven_false_alarm_rate,
    sky_overlap,
)
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import gaussian_skymap


def test_overlaps_are_those_of_brute_force() -> None:
    one, other = gaussian_skymap(40.0, -20.0, 6.0, 2.0, 30.0), gaussian_skymap(44.0, -16.0, 5.0)
    grid = HEALPix(256, order="nested")
    lon, lat = grid.healpix_to_lonlat(np.arange(grid.npix))

    def density(ra: float, decl: float, major: float, minor: float, angle: float) -> np.ndarray:
        dx = (lon.deg - ra) * np.cos(np.radians(lat.deg))
        dy = lat.deg - decl
        a = math.radians(angle)
        along, across = dx * math.sin(a) + dy * math.cos(a), dx * math.cos(a) - dy * math.sin(a)
        values = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
        return values / (values.sum() * grid.pixel_area.to_value(u.sr))

    brute = np.sum(density(40, -20, 6, 2, 30) * density(44, -16, 5, 5, 0)) * 4 * math.pi
    brute *= grid.pixel_area.to_value(u.sr)
    assert sky_overlap(one, other) == pytest.approx(brute, rel=0.05)
    assert sky_overlap(one, other) == pytest.approx(sky_overlap(other, one))
    assert sky_overlap(one, gaussian_skymap(220.0, 20.0, 5.0)) == 0.0
    # Two of one width with one centre: p of their difference at zero, in units of the whole sky's.
    sigma = math.radians(3.0)
    same = sky_overlap(gaussian_skymap(0.0, 0.0, 3.0), gaussian_skymap(0.0, 0.0, 3.0))
    assert same == pytest.approx(4 * math.pi / (4 * math.pi * sigma**2), rel=0.01)


def event(**changed: Any) -> dict[str, Any]:
    return {"revision": 0, "role": "observation", "retracted": False} | changed


def mjd(text: str) -> float:
    return float(Time(text, scale="utc").tai.mjd)


GW170817 = event(
    # Abbott et al. 2017, ApJL 848, L12: 12:41:04.4 UTC, 40 Mpc, 28 deg^2 at 90 % (here as a circle around
    # NGC 4993), false-alarm rate below 1 in 8.0e4 years.
    origin="LVK", eventName="GW170817", mw_id=1, kind="gw", eventMjdTai=mjd("2017-08-17T12:41:04.4"),
    ra=197.45, decl=-23.38, errorRadius=math.sqrt(28.0 / math.pi), falseAlarmRate=1 / 8.0e4, BNS=1.0,
)  # fmt: skip
GRB170817A = event(
    # Goldstein et al. 2017, ApJL 848, L14: GBM, 1.7 s later, 11.6 deg (68 %, statistical) about this place.
    origin="Fermi GBM", eventName="GRB 170817A", mw_id=2, kind="grb",
    eventMjdTai=mjd("2017-08-17T12:41:06.1"), ra=176.8, decl=-39.8,
    errorRadius=math.hypot(11.6, 1.86) * math.sqrt(math.log(0.1) / math.log(0.32)),
)  # fmt: skip


def pairs(*events: dict[str, Any]) -> Any:
    rows = pa.Table.from_pylist(list(events), schema=arrow_schema("external_events"))
    versions = arrow_schema("event_versions").empty_table()
    return joint_events(MessengerIndex.build(rows, versions, lambda name: pytest.fail(name)))


def test_gw170817_and_grb_170817a_belong_together() -> None:
    (pair,) = pairs(GW170817, GRB170817A)
    assert (pair.first, pair.second) == (1, 2)
    assert pair.seconds == pytest.approx(1.7, abs=0.05)
    # Of time alone 310 bursts a year and 6 s give 5.9e-5, as RAVEN has it.
    assert pair.time_rate == pytest.approx(5.9e-5 / 8.0e4, rel=0.01)
    assert pair.rate == pytest.approx(pair.time_rate / pair.overlap)
    assert pair.rate < 1e-9  # less than once in a thousand million years
    # Abbott et al. 2017, ApJL 848, L13: chance 5.0e-8 with the rate of short bursts; Ashton et al. 2018, ApJ
    # 860, 6: odds above 1e6. All bursts are eight times as many, so that the chance here is larger.
    assert pair.ln_odds > math.log(1e4)
    assert pair.chance < 1e-4


def test_a_random_pair_does_not() -> None:
    assert pairs(GW170817, {**GRB170817A, "eventMjdTai": GW170817["eventMjdTai"] + 0.2}) == []
    (pair,) = pairs(GW170817, {**GRB170817A, "ra": 17.0, "decl": 23.0})
    assert pair.ln_odds < 0.0
    assert pair.rate == math.inf or pair.rate > 1e-3
    assert pairs({**GW170817, "retracted": True}, GRB170817A) == []
    (unrated,) = pairs({**GW170817, "falseAlarmRate": None}, GRB170817A)
    assert unrated.rate is None


def test_the_rate_of_noise_is_that_of_a_simulation() -> None:
    random = np.random.default_rng(2)
    years, gw_rate, grb_rate, window = 400.0, 200.0, 310.0, 6000.0
    gw = np.sort(random.uniform(0, years, random.poisson(years * gw_rate)))
    grb = np.sort(random.uniform(0, years, random.poisson(years * grb_rate)))
    wide = window / (365.25 * 86400)
    found = np.searchsorted(grb, gw + wide) - np.searchsorted(grb, gw)
    assert raven_false_alarm_rate(gw_rate, grb_rate, window) == pytest.approx(found.sum() / years, rel=0.05)
    assert raven_false_alarm_rate(1.0, 1.0, 1.0, 0.0) == math.inf
