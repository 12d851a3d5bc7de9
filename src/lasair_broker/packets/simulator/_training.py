"""Light curves of known class by the thousand, without packets: for training and testing classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lasair_broker.packets import BANDS
from lasair_broker.packets.simulator._cadence import FIELD_AREA_DEG2, Survey
from lasair_broker.packets.simulator._field import observe
from lasair_broker.packets.simulator._objects import draw_group, field_reddening
from lasair_broker.packets.simulator._sphere import galactic
from lasair_broker.packets.simulator.populations import POPULATIONS, Place

__all__ = ["LightCurves", "simulate_light_curves"]


@dataclass(frozen=True, slots=True)
class LightCurves:
    """Objects, and their forced photometry in every visit that covered them.

    Attributes
    ----------
    objects
        One row an object: ``id`` (0, 1, 2...), ``class``, ``subclass``, ``field``, ``ra``, ``decl``
        (degrees), ``redshift``, ``reddening`` (E(B-V)), ``mjd0`` (MJD TAI), ``hostOffset`` (arcsec),
        ``host_i_mag`` (AB), ``hostRadius`` (arcsec).
    points
        One row a measurement, by object and time: ``id``, ``midpointMjdTai``, ``band``, ``psfFlux``,
        ``psfFluxErr``, ``scienceFlux`` (nJy) and ``detected``.
    """

    objects: pa.Table
    points: pa.Table


def simulate_light_curves(
    counts: Mapping[str, int],
    seed: int = 1,
    *,
    num_fields: int = 20,
    history_days: int = 365,
    start_mjd: float = 61680.0,
    min_detections: int = 2,
    max_rounds: int = 40,
) -> LightCurves:
    """Objects of each class as the survey would see them over `history_days` before `start_mjd`.

    Parameters
    ----------
    counts
        How many objects of each class (names of `POPULATIONS`), each with at least `min_detections`
        detections.
    seed
        Of all that is random.
    num_fields
        Cadences and sky positions to choose from.
    max_rounds
        Most objects of faint classes are never seen; so often a new set is drawn, then there are fewer than
        asked for.

    Raises
    ------
    ValueError
        For a class that does not exist.
    """
    known = {population.name for population in POPULATIONS}
    unknown = set(counts) - known
    if unknown:
        raise ValueError(f"there is no class {sorted(unknown)[0]!r}; have {', '.join(sorted(known))}")
    objects: list[pa.Table] = []
    points: list[pa.Table] = []
    found = 0
    for name, wanted in counts.items():
        still = wanted
        for turn in range(max_rounds):
            if still <= 0:
                break
            survey = Survey(seed + 7919 * turn, num_fields, start_mjd, 1, history_days)
            for which in range(num_fields):
                share = -(-still // (num_fields - which))
                kept = _one_field(survey, which, name, share, min_detections, found, objects, points)
                found += kept
                still -= kept
    return LightCurves(pa.concat_tables(objects), pa.concat_tables(points)) if objects else _nothing()


def _nothing() -> LightCurves:
    return LightCurves(_OBJECTS.empty_table(), _POINTS.empty_table())


_OBJECTS = pa.schema(
    [
        ("id", pa.int64()), ("class", pa.string()), ("subclass", pa.string()), ("field", pa.int32()),
        ("ra", pa.float64()),
        ("decl", pa.float64()), ("redshift", pa.float64()), ("reddening", pa.float64()), ("mjd0",
        pa.float64()),
        ("hostOffset", pa.float64()), ("host_i_mag", pa.float64()), ("hostRadius", pa.float64()),
    ]
)  # fmt: skip
_POINTS = pa.schema(
    [
        ("id", pa.int64()), ("midpointMjdTai", pa.float64()), ("band", pa.string()), ("psfFlux",
        pa.float32()),
        ("psfFluxErr", pa.float32()), ("scienceFlux", pa.float32()), ("detected", pa.bool_()),
    ]
)  # fmt: skip


def _one_field(
    survey: Survey,
    which: int,
    name: str,
    wanted: int,
    min_detections: int,
    first_id: int,
    objects: list[pa.Table],
    points: list[pa.Table],
) -> int:
    """Add at most `wanted` objects of one class in one field; returns how many."""
    numbers, ras, decls = survey.fields()
    ra, decl = float(ras[which]), float(decls[which])
    visits = survey.field_visits(which)
    visits = visits.take(~visits.emitted)
    first = float(np.floor(survey.start_mjd)) - survey.history_days
    place = Place(
        area_deg2=FIELD_AREA_DEG2,
        galactic_latitude=float(galactic(ra, decl)[1]),
        mjd_first=first,
        mjd_last=float(np.floor(survey.start_mjd)),
    )
    mine = [population for population in POPULATIONS if population.name == name]
    weight = np.array([p.natural_number(place) * p.boost for p in mine])
    share = np.maximum(np.ceil(3.0 * wanted * weight / weight.sum()), 1).astype(int)
    kept_here = 0
    for population, number in zip(mine, share.tolist(), strict=True):
        field = int(numbers[which])
        reddening = field_reddening(decl, ra)
        group = draw_group(survey.seed, field, population, ra, decl, place, reddening, number=number)
        seen = observe(group, visits, first)
        most = max(round(wanted * number / share.sum()), 1)
        good = np.flatnonzero(seen["detected"].sum(axis=1) >= min_detections)[: min(most, wanted - kept_here)]
        n, rows = len(good), seen["row"][good]
        if not n:
            continue
        ids = first_id + kept_here + np.arange(n)
        kept_here += n
        p, hosts = group.parameters, group.hosts
        none = pa.nulls(n, pa.float64())
        sub = population.subclasses
        columns = {
            "id": ids,
            "class": [name] * n,
            "subclass": [sub[int(c)] for c in p["subclass"][rows]]
            if "subclass" in p
            else pa.nulls(n, pa.string()),
            "field": np.full(n, which, np.int32),
            "ra": group.ra[rows],
            "decl": group.decl[rows],
            "redshift": p["redshift"][rows] if "redshift" in p else none,
            "reddening": group.reddening[rows],
            "mjd0": p["mjd0"][rows] if "mjd0" in p else none,
            "hostOffset": np.hypot(group.host_east, group.host_north)[rows] if hosts is not None else none,
            "host_i_mag": 31.4 - 2.5 * np.log10((hosts.flux * group.dust)[rows, 3])
            if hosts is not None
            else none,
            "hostRadius": hosts.radius[rows] if hosts is not None else none,
        }
        objects.append(pa.table(columns, schema=_OBJECTS))
        row, column = np.nonzero(seen["detector"][good] >= 0)
        bands = pa.DictionaryArray.from_arrays(pa.array(visits.band[column]), pa.array(BANDS)).cast(
            pa.string()
        )
        measured = {
            "id": ids[row],
            "midpointMjdTai": visits.mjd[column],
            "band": bands,
            "psfFlux": seen["psf"][good][row, column],
            "psfFluxErr": seen["err"][good][row, column],
            "scienceFlux": seen["science"][good][row, column],
            "detected": seen["detected"][good][row, column],
        }
        points.append(pa.table(measured, schema=_POINTS))
    return kept_here
