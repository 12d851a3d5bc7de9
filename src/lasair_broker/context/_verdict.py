"""From what each source means to one class: sources ranked, the first of each object deciding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.context._associate import LISTED, NOTHING, Associations
from lasair_broker.context._candidates import Candidates
from lasair_broker.context._merge import best
from lasair_broker.context._redshift import (
    KINDS,
    PECULIAR,
    Mixture,
    Redshifts,
    host_redshifts,
    mixture_percentiles,
    of_transients,
)
from lasair_broker.context._rules import CLASSES
from lasair_broker.context._sources import Found
from lasair_broker.lightcurve import Cosmology

__all__ = ["DISTANCE_FLAGS", "ORPHAN", "Ranked", "Verdict", "judge"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ORPHAN = "ORPHAN"

DISTANCE_FLAGS = ("dd", "sz", "pz")
"""Where a best distance is from: measured directly, by a spectroscopic, by a photometric redshift."""

_AGN, _CV, _NT, _SN, _HPMS, _VS, _BS, _UNCLEAR = range(len(CLASSES))
_WITH_DISTANCE = (_AGN, _NT, _SN)
_STARS = (_CV, _HPMS, _VS)

_KPC = 50.0
_MOVES_BONUS = 60.0
"""More than any galaxy's 50: what moves is a star, whatever lies behind it."""

_KPC_PER_MPC_ARCSEC = 1000.0 * np.pi / (180.0 * 3600.0)


@dataclass(frozen=True)
class Ranked:
    """Matched sources (groups of candidates), sorted by object and rank; one element each.

    Attributes
    ----------
    position, rank
        Row of the object; 1 for its best match.
    score
        Lower is better. A thousand for each step of reliability; then less the more probable the host (or the
        nearer, in kpc), more the larger the separation.
    member
        The candidate that speaks for the group: name, class and separation are all of this one.
    group
        Number of the group.
    redshift, photoz, photoz_error, distance, magnitude, magnitude_error, band, semi_major
        The best that members know.
    best_distance, best_distance_error, best_distance_flag, best_distance_member
        Mpc; index into DISTANCE_FLAGS (-1: none); candidate that gave it.
    redshift_distance
        By the best redshift, Mpc.
    kpc
        Projected separation at the best distance.
    """

    position: Int64
    rank: Int64
    score: Float64
    member: Int64
    group: Int64
    redshift: Float64
    photoz: Float64
    photoz_error: Float64
    distance: Float64
    magnitude: Float64
    magnitude_error: Float64
    band: npt.NDArray[np.int8]
    semi_major: Float64
    best_distance: Float64
    best_distance_error: Float64
    best_distance_flag: npt.NDArray[np.int8]
    best_distance_member: Int64
    redshift_distance: Float64
    kpc: Float64

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True)
class Verdict:
    """What is said of each of n objects.

    Attributes
    ----------
    ranked
        Every match of every object.
    first
        For each object its match of rank 1, -1 for none that has a say: an ORPHAN.
    code
        Index into CLASSES, -1 for an ORPHAN.
    host, second
        The most probable hosts: groups, -1 for none.
    redshifts, mixture
        Of the most probable host; over all hosts and none.
    redshift_kind
        Of the most probable host, index into `KINDS`.
    """

    ranked: Ranked
    first: Int64
    code: npt.NDArray[np.int8]
    host: Int64
    second: Int64
    host_member: Int64
    second_member: Int64
    host_probability: Float64
    second_probability: Float64
    mixture: Mixture
    redshift_kind: npt.NDArray[np.int8]


def judge(
    found: Found, said: Associations, num_positions: int, cosmology: Cosmology, own_redshift: Float64
) -> Verdict:
    """Rank the matches of each object and take the class of the first.

    `own_redshift` is that of the transient itself (NaN: not known); it goes before those of hosts.
    """
    c, groups = found.candidates, said.groups
    member = _speakers(c, said, found.quality)
    group = np.flatnonzero(member >= 0)
    ranked = _ranked(c, said, group, member[group], cosmology)
    first = np.full(num_positions, -1, np.int64)
    leads = np.flatnonzero((ranked.rank == 1) & (said.reliability[ranked.member] < LISTED))
    first[ranked.position[leads]] = leads
    code = np.full(num_positions, -1, np.int8)
    code[ranked.position[leads]] = said.code[ranked.member[leads]]
    probability = np.zeros(len(groups))
    probability[groups.of] = said.host
    host, second = _two_best(groups.position, probability, num_positions)
    z = _redshifts(c, said, cosmology)
    mixture = mixture_percentiles(groups.position, probability, z, num_positions)
    measured = np.isfinite(own_redshift)
    _, centre = best(np.where(said.host > 0.0, 0.0, np.nan), groups)
    return Verdict(
        ranked=ranked,
        first=first,
        code=code,
        host=host,
        second=second,
        host_member=_at(centre, host, -1),
        second_member=_at(centre, second, -1),
        host_probability=_at(probability, host, np.nan),
        second_probability=_at(probability, second, np.nan),
        mixture=of_transients(mixture, own_redshift),
        redshift_kind=np.where(measured, KINDS.index("tns"), _at(z.kind, host, -1)).astype(np.int8),
    )


def _at(values: npt.NDArray[Any], rows: Int64, otherwise: float) -> npt.NDArray[Any]:
    """Values at rows, `otherwise` where a row is -1."""
    if not len(values):
        return np.full(len(rows), otherwise, values.dtype)
    return np.where(rows >= 0, values[rows], np.asarray(otherwise, values.dtype))


def _speakers(c: Candidates, said: Associations, quality: Float64) -> Int64:
    """For each group the candidate that speaks for it, -1 for a group that means nothing.

    The surest relation first, then the class with precedence, then the most trusted catalogue, then the
    nearest. A source that moves is no galaxy and no AGN, whatever another catalogue says. An annotation
    counts only for an object of which nothing better is known.
    """
    surest = np.full(int(c.position.max(initial=-1)) + 1, NOTHING, np.int8)
    np.minimum.at(surest, c.position, said.reliability)
    counts = (said.reliability < NOTHING) & ((said.reliability != 3) | (surest[c.position] == 3))
    moving = np.zeros(len(said.groups), np.bool_)
    moving[said.groups.of[c.moves & counts & np.isin(said.code, _STARS)]] = True
    precedence = said.code + np.where(
        moving[said.groups.of] & np.isin(said.code, _WITH_DISTANCE), len(CLASSES), 0
    )
    rows = np.flatnonzero(counts)
    keys = (c.row, c.catalogue, c.arcsec, -quality, precedence, said.reliability)
    order = rows[np.lexsort(tuple(key[rows] for key in keys))]
    out = np.full(len(said.groups), -1, np.int64)
    group, where = np.unique(said.groups.of[order], return_index=True)
    out[group] = order[where]
    return out


def _ranked(c: Candidates, said: Associations, group: Int64, member: Int64, cosmology: Cosmology) -> Ranked:
    groups = said.groups
    redshift, by_spec = best(c.redshift, groups)
    photoz, by_phot = best(c.photoz, groups)
    distance, by_distance = best(c.distance, groups)
    magnitude, by_magnitude = _smallest_error(c, said)
    semi_major, _ = best(c.semi_major, groups)
    z = np.where(np.isfinite(redshift), redshift, photoz)[group]
    far = np.full(len(group), np.nan)
    far[np.isfinite(z)] = cosmology.luminosity_distance(z[np.isfinite(z)])
    direct = distance[group]
    best_distance = np.where(np.isfinite(direct), direct, far)
    who = np.where(by_distance >= 0, by_distance, np.where(by_spec >= 0, by_spec, by_phot))[group]
    flag = np.where(by_distance >= 0, 0, np.where(by_spec >= 0, 1, np.where(by_phot >= 0, 2, -1)))[group]
    # An angle is that of the angular diameter distance, which for a measured distance is taken to be the
    # same.
    across = np.where(np.isfinite(direct), direct, far / (1.0 + z) ** 2) * _KPC_PER_MPC_ARCSEC
    sep = c.arcsec[member]
    kpc = across * sep
    score = _score(c, said, member, kpc)
    position = groups.position[group]
    order = np.lexsort((c.row[member], c.catalogue[member], score, position))
    number = np.arange(len(order))
    sorted_position = position[order]
    starts = (
        np.flatnonzero(np.append(True, sorted_position[1:] != sorted_position[:-1])) if len(order) else number
    )
    rank = number - np.repeat(starts, np.diff(np.append(starts, len(order)))) + 1
    photoz_error = _at(c.photoz_error, by_phot[group], np.nan)
    z_error = np.where(
        flag == 1,
        np.hypot(np.nan_to_num(_at(c.redshift_error, by_spec[group], np.nan)), PECULIAR),
        np.fmax(photoz_error, 0.03 * (1.0 + z)),
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(
            flag == 0, _at(c.distance_error, by_distance[group], np.nan), best_distance * z_error / z
        )
    return Ranked(
        position=sorted_position,
        rank=rank,
        score=score[order],
        member=member[order],
        group=group[order],
        redshift=redshift[group][order],
        photoz=photoz[group][order],
        photoz_error=photoz_error[order],
        distance=direct[order],
        magnitude=magnitude[group][order],
        magnitude_error=_at(c.magnitude_error, by_magnitude[group], np.nan)[order],
        band=_at(c.band, by_magnitude[group], -1)[order],
        semi_major=semi_major[group][order],
        best_distance=best_distance[order],
        best_distance_error=error[order],
        best_distance_flag=flag[order].astype(np.int8),
        best_distance_member=who[order],
        redshift_distance=far[order],
        kpc=kpc[order],
    )


def _smallest_error(c: Candidates, said: Associations) -> tuple[Float64, Int64]:
    """Of each group the magnitude in the band that comes first, of these the one with the smallest error."""
    groups = said.groups
    rows = np.flatnonzero(np.isfinite(c.magnitude))
    order = rows[np.lexsort((c.row[rows], np.nan_to_num(c.magnitude_error[rows], nan=99.0), c.band[rows]))]
    group, where = np.unique(groups.of[order], return_index=True)
    out, who = np.full(len(groups), np.nan), np.full(len(groups), -1, np.int64)
    out[group], who[group] = c.magnitude[order[where]], order[where]
    return out, who


def _score(c: Candidates, said: Associations, member: Int64, kpc: Float64) -> Float64:
    code, sep = said.code[member], c.arcsec[member]
    base = 1000.0 * said.reliability[member]
    slight = np.minimum(sep / 60.0, 100.0)
    near = np.maximum(_KPC - np.nan_to_num(kpc, nan=_KPC), 0.0)
    host = said.host[member]
    galaxy = base + 2.0 + slight - np.where(host > 0.0, _KPC * host, near)
    star = base + 2.0 + sep - np.where(c.moves[member], _MOVES_BONUS, 0.0)
    out: Float64 = np.select(
        [np.isin(code, _WITH_DISTANCE), np.isin(code, _STARS), code == _BS],
        [galaxy, star, base + sep],
        base + 10.0 + slight,
    )
    return out


def _two_best(position: Int64, probability: Float64, n: int) -> tuple[Int64, Int64]:
    """For each position the groups with the highest and second highest probability, -1 for none."""
    some = np.flatnonzero(probability > 0.0)
    order = some[np.lexsort((some, -probability[some], position[some]))]
    at = position[order]
    starts = np.searchsorted(at, np.arange(n))
    stops = np.searchsorted(at, np.arange(n), side="right")
    first, second = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    one, two = stops > starts, stops > starts + 1
    first[one] = order[starts[one]]
    second[two] = order[starts[two] + 1]
    return first, second


def _redshifts(c: Candidates, said: Associations, cosmology: Cosmology) -> Redshifts:
    """The best redshift of each group."""
    groups = said.groups
    redshift, by_spec = best(c.redshift, groups)
    photoz, by_phot = best(c.photoz, groups)
    distance, by_distance = best(c.distance, groups)
    return host_redshifts(
        redshift,
        _at(c.redshift_error, by_spec, np.nan),
        photoz,
        _at(c.photoz_error, by_phot, np.nan),
        distance,
        _at(c.distance_error, by_distance, np.nan),
        cosmology,
    )
