"""Whether chance probabilities of counterparts mean what they say, and how many counterparts are found.

Skies of unrelated objects, each with one true counterpart of an event. The rate of new objects is measured
from skies before the event, as the stream does. Told are, for each kind of event:

- of the best unrelated object of each sky the chance probability, which shall be uniform: the share below
  some values, and the probability of a Kolmogorov-Smirnov test;
- the share of the counterparts with a chance probability below some values, which is the recovery at so many
  false alarms an event.

    python benchmarks/messenger_calibration.py [--quick]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
from astropy_healpix import HEALPix
from scipy import stats

from lasair_broker.messengers import Background, Candidates, MessengerIndex, associate
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import SkyMap, gaussian_skymap

T0 = 61000.0
RATE = 0.01
"""New objects a square degree and day, of a survey south of +30 degrees."""

CLASSES = ["SN", "AGN", "VS", "ORPHAN", "NT"]
SHARES = [0.3, 0.2, 0.3, 0.15, 0.05]
LEVELS = (0.001, 0.01, 0.05, 0.1, 0.3, 0.5)
LIGHT = ("SN", "kilonova", "afterglow", "TDE", "AGN", "galactic")
LIGHT_OF = {"SN": [0.7, 0.02, 0.01, 0.05, 0.17, 0.05], "AGN": [0.1, 0.0, 0.0, 0.1, 0.75, 0.05],
            "VS": [0.02, 0.0, 0.0, 0.0, 0.03, 0.95]}  # fmt: skip
OTHER_LIGHT = [0.4, 0.05, 0.05, 0.05, 0.2, 0.25]
SHARPNESS = 6.0
"""Of classifiers: concentration of the Dirichlet distribution of what they say."""

DAYS = 400.0


def objects(
    random: np.random.Generator, ra: np.ndarray, decl: np.ndarray, first: np.ndarray, kinds: np.ndarray,
    far: np.ndarray, known: np.ndarray, light: np.ndarray,
) -> Candidates:  # fmt: skip
    """Objects with their class, what a classifier says and, where it is known, a host's distance."""
    ids = np.arange(1, len(ra) + 1)
    table = pa.table({"diaObjectId": ids, "ra": ra, "decl": decl, "firstDiaSourceMjdTai": first,
                      "lastDiaSourceMjdTai": first + 5.0})  # fmt: skip
    error = np.where(random.random(len(ra)) < 0.5, 0.03, 0.15)
    hosts = pa.table(
        {"diaObjectId": ids, "hostProbability": random.uniform(0.5, 1.0, len(ra)),
         "best_distance": far * np.exp(error * random.normal(size=len(ra))), "best_distance_err": error * far,
         "best_distance_flag": np.where(error < 0.1, "sz", "pz")}
    ).filter(known)  # fmt: skip
    said = pa.table(
        {"diaObjectId": ids} | dict(zip(LIGHT, light.T, strict=True)) | {"orphanAfterglow": 0.0 * far}
    )
    classes = pa.table({"diaObjectId": ids, "classification": kinds})
    return Candidates.of_tables(table, classes, hosts, said)


def places(
    random: np.random.Generator, ra: float, decl: float, radius: float, density: float
) -> tuple[np.ndarray, np.ndarray]:
    """Places at random within so many degrees of a position, so many a square degree, south of +30."""
    area = 2.0 * np.pi * (1.0 - np.cos(np.radians(radius))) * np.degrees(1.0) ** 2
    count = random.poisson(density * area)
    away = np.arccos(random.uniform(np.cos(np.radians(radius)), 1.0, count))
    turned, d = random.uniform(0.0, 2.0 * np.pi, count), np.radians(decl)
    lat = np.arcsin(np.sin(d) * np.cos(away) + np.cos(d) * np.sin(away) * np.cos(turned))
    lon = np.arctan2(np.sin(turned) * np.sin(away) * np.cos(d), np.cos(away) - np.sin(d) * np.sin(lat))
    seen = lat < np.radians(30.0)
    return (ra + np.degrees(lon[seen])) % 360.0, np.degrees(lat[seen])


def unrelated(
    random: np.random.Generator,
    since: float,
    until: float,
    near: tuple[float, float, float] = (0.0, 0.0, 180.0),
) -> Candidates:
    """Objects that have nothing to do with any event, within some degrees of a position."""
    ra, decl = places(random, *near, RATE * (until - since))
    count = len(ra)
    kinds = random.choice(CLASSES, count, p=SHARES)
    mean = np.array([LIGHT_OF.get(kind, OTHER_LIGHT) for kind in kinds]).reshape(count, len(LIGHT))
    light = random.gamma(SHARPNESS * mean + 0.05)
    return objects(
        random, ra, decl, random.uniform(since, until, count), kinds,
        random.random(count) ** (1 / 3) * 1200.0, random.random(count) < 0.6,
        light / light.sum(axis=1, keepdims=True),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A kind of event and its counterparts.

    Attributes
    ----------
    near
        Position and radius (degrees) within which the map lies.
    days
        In which the counterpart appears.
    kinds, light
        Its classes, and what classifiers mostly say of it.
    distance
        Draws its distance, Mpc; None: as unrelated objects have.
    """

    name: str
    row: dict[str, object]
    near: tuple[float, float, float]
    skymap: SkyMap
    days: tuple[float, float]
    kinds: tuple[list[str], list[float]]
    light: list[float]
    distance: Callable[[np.random.Generator], float] | None = None


def cases() -> list[Case]:
    """A near and a far merger of neutron stars, a gamma-ray burst, a neutrino."""
    found = []
    for name, far, error, width in (("BNS, 100 Mpc", 100.0, 25.0, 6.0), ("BNS, 250 Mpc", 250.0, 70.0, 14.0)):
        flat = gaussian_skymap(200.0, -35.0, width, 0.5 * width, 40.0)
        mu, sigma = (np.full(len(flat), value) for value in (far, error))
        skymap = SkyMap.of_cells(flat.start, flat.order, flat.density, (mu, sigma, 1.0 / (mu**2 + sigma**2)))
        row = {"kind": "gw", "BNS": 0.95, "NSBH": 0.0, "BBH": 0.0, "Terrestrial": 0.05, "HasRemnant": 1.0,
               "distance": far, "distanceErr": error, "skymap": "a", "significant": True}  # fmt: skip
        kilonovae = (["SN", "ORPHAN", "NT", "UNCLEAR"], [0.62, 0.2, 0.1, 0.08])
        found.append(
            Case(name, row, (200.0, -35.0, 5.0 * width), skymap, (0.0, 5.0), kilonovae,
                 [0.25, 0.4, 0.15, 0.05, 0.1, 0.05],
                 lambda random, far=far, error=error: max(random.normal(far, error), 10.0))
        )  # fmt: skip
    burst = gaussian_skymap(60.0, -30.0, 2.0)
    row = {"kind": "grb", "skymap": "a"}
    glow = (["SN", "ORPHAN", "NT", "UNCLEAR"], [0.46, 0.4, 0.08, 0.06])
    found.append(
        Case(
            "GRB, 4.3 deg",
            row,
            (60.0, -30.0, 10.0),
            burst,
            (0.0, 3.0),
            glow,
            [0.25, 0.15, 0.4, 0.05, 0.1, 0.05],
        )
    )
    neutrino = gaussian_skymap(300.0, -20.0, 0.3)
    row = {"kind": "neutrino", "skymap": "a"}
    found.append(
        Case("neutrino, 0.6 deg", row, (300.0, -20.0, 1.5), neutrino, (-1.0, 20.0),
             (["SN", "NT", "ORPHAN"], [0.82, 0.1, 0.08]),
             [0.7, 0.02, 0.01, 0.05, 0.17, 0.05])
    )  # fmt: skip
    return found


def index_of(case: Case, background: Background) -> MessengerIndex:
    """The event alone, with what is expected by chance."""
    row = {
        "origin": "X", "eventName": "E", "revision": 0, "mw_id": 1, "retracted": False, "role": "observation",
        "eventMjdTai": T0, **case.row,
    }  # fmt: skip
    names = arrow_schema("event_versions").names
    version = {name: value for name, value in row.items() if name in names} | {"version": 1}
    index = MessengerIndex.build(
        pa.Table.from_pylist([row], schema=arrow_schema("external_events")),
        pa.Table.from_pylist([version], schema=arrow_schema("event_versions")),
        {"a": case.skymap}.__getitem__,
    )
    return background.applied(index)


def smallest(candidates: Candidates, index: MessengerIndex) -> tuple[float, str]:
    """Chance probability and tier of the best of some objects; 1 if none fits."""
    rows = associate(candidates, index)
    chance = np.nan_to_num(rows["chanceProbability"].to_numpy(), nan=1.0)
    if not len(chance):
        return 1.0, ""
    return float(chance.min()), rows["tier"][int(chance.argmin())].as_py() or ""


def counterpart(random: np.random.Generator, case: Case) -> Candidates:
    """One that belongs to the event."""
    skymap = case.skymap
    chosen = random.choice(len(skymap), p=skymap.probability)
    cell = int(skymap.start[chosen] + random.random() * skymap.size[chosen])
    lon, lat = HEALPix(1 << 29, order="nested").healpix_to_lonlat(cell)
    far = case.distance(random) if case.distance else random.random() ** (1 / 3) * 1200.0
    light = random.gamma(SHARPNESS * np.array([case.light]) + 0.05)
    return objects(
        random, np.array([lon.deg]), np.array([lat.deg]), np.array([T0 + random.uniform(*case.days)]),
        random.choice(case.kinds[0], 1, p=case.kinds[1]), np.array([far]), random.random(1) < 0.7,
        light / light.sum(),
    )  # fmt: skip


def told(case: Case, background: Background, skies: int, random: np.random.Generator) -> None:
    """Print the lines of one kind of event."""
    index = index_of(case, background)
    begin, end = (float(times[0]) for times in index.window())
    chance, found, tiers = [], [], []
    for _ in range(skies):
        chance.append(smallest(unrelated(random, begin, end, case.near), index)[0])
        mine = smallest(counterpart(random, case), index)
        found.append(mine[0])
        tiers.append(mine[1])
    below, recovered = np.array(chance), np.array(found)
    # Skies without any unrelated object, whose chance is 1, are left out of the test; what fits worst of all
    # has the chance that there is any.
    some = below[below < 1.0]
    chances = index.chances[0]
    top = 1.0 if chances is None else -float(np.expm1(-chances.expected[0]))
    test = stats.kstest(some / top, "uniform").pvalue if len(some) > 10 else float("nan")
    expected = background.expected_objects(case.skymap, end - begin)
    area = case.skymap.area_deg2(0.9)
    print(f"{case.name} ({area:,.1f} deg2, {expected:,.1f} unrelated objects, {skies:,} skies)")
    print("  chance below        " + "".join(f"{level:>8g}" for level in LEVELS))
    print("  unrelated, best     " + "".join(f"{np.mean(below < level):8.3f}" for level in LEVELS)
          + f"   uniform: p = {test:.2f}")  # fmt: skip
    gold, silver = (tiers.count(tier) / skies for tier in ("gold", "silver"))
    print("  counterparts found  " + "".join(f"{np.mean(recovered < level):8.3f}" for level in LEVELS)
          + f"   gold {gold:.2f}, silver {silver:.2f}")  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the skies")
    skies = 100 if parser.parse_args().quick else 1000
    random = np.random.default_rng(7)
    background = Background.measure(unrelated(random, T0 - DAYS, T0), T0 - DAYS, T0)
    assert background is not None
    for case in cases():
        told(case, background, skies, random)


if __name__ == "__main__":
    main()
