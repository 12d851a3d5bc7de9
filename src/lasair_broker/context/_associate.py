"""What each source near an object means for it: the same source, its host, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lasair_broker.context._candidates import MAGNITUDES, Candidates
from lasair_broker.context._galaxies import (
    directional_light_radius,
    galaxy_counts,
    host_probabilities,
    tangent_offset,
)
from lasair_broker.context._merge import Groups, best, groups, semi_major_of
from lasair_broker.context._neighbours import distances, host_model
from lasair_broker.context._rules import CLASSES, Rules, Search
from lasair_broker.context._sources import Found, Sources, angular_kpc
from lasair_broker.lightcurve import Cosmology

__all__ = ["Associations", "associate"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

LISTED, NOTHING = 4, 9
"""Reliability of a source that is listed without a say, and of one that means nothing."""

_B_MINUS = {
    "R": 1.1, "r": 0.9, "G": 0.8, "V": 0.6, "g": 0.3, "B": 0.0, "I": 1.7, "i": 1.2, "z": 1.4, "J": 2.6,
    "H": 3.3, "K": 3.6, "Ks": 3.6, "U": 0.1, "u": -0.9, "y": 1.5, "Y": 1.5, "W1": 3.8, "": 0.0,
}  # fmt: skip
"""B less another band of an ordinary spiral, roughly: the host model counts in B, for which it was fitted."""

_TO_B = np.array([_B_MINUS[band] for band in MAGNITUDES])

_GLARE_ARCSEC = 20.0

_ORDINARY_KPC, _ORDINARY_ARCSEC = 10.0, 3.0
"""Semi-major axis of a galaxy of which neither size nor magnitude is known."""


@dataclass(frozen=True)
class Associations:
    """What candidates mean, one element each where nothing else is said.

    Attributes
    ----------
    groups
        Which candidates are one source.
    reliability
        1 synonym, 2 association, 3 annotation, 4 listed only, 9 nothing.
    code
        Index into `CLASSES`, -1 for nothing.
    search
        Index of the search that says so, -1 for none.
    ddlr, kpc
        Directional light radius; projected distance at the galaxy's distance, kpc.
    host
        Probability that the candidate's group is the host.
    none
        For each position: that no catalogued galaxy is.
    nucleus, fragment
        Stars taken for the core of a galaxy, and galaxies taken for a piece of another.
    """

    groups: Groups
    reliability: npt.NDArray[np.int8]
    code: npt.NDArray[np.int8]
    search: npt.NDArray[np.int16]
    ddlr: Float64
    kpc: Float64
    host: Float64
    none: Float64
    nucleus: Bool
    fragment: Bool


def associate(
    found: Found, ra: Float64, decl: Float64, sources: Sources, cosmology: Cosmology
) -> Associations:
    """Apply the searches to the candidates of all positions (degrees)."""
    rules, c = sources.rules, found.candidates
    is_host, is_star, has_say = (np.zeros(len(c), np.bool_) for _ in range(3))
    for k, rows in enumerate(found.eligible):
        has_say[rows] |= not sources.searches[k][1].crossmatch
        is_host[rows] |= sources.searches[k][1].host
        is_star[rows] |= sources.kind(k) in ("star", "bright star")
    distance = distances(c, is_host, rules.neighbours)
    fragment, nucleus = _inside_galaxies(c, is_host, is_star & ~is_host, distance, rules, len(ra))
    together = groups(c, found.quality, is_host, rules.merging, alone=~has_say)
    scale = angular_kpc(c, cosmology)
    ddlr, host, none = _hosts(c, together, is_host & ~fragment, ra, decl, scale, distance, rules)
    kpc = scale * c.arcsec
    out = Associations(
        groups=together,
        reliability=np.full(len(c), NOTHING, np.int8),
        code=np.full(len(c), -1, np.int8),
        search=np.full(len(c), -1, np.int16),
        ddlr=ddlr,
        kpc=kpc,
        host=host,
        none=none,
        nucleus=nucleus,
        fragment=fragment,
    )
    z_known = _known(c, together)
    for k, rows in enumerate(found.eligible):
        if len(rows):
            _apply(k, sources.searches[k][1], rows, c, out, z_known, rules, sources.kind(k))
    return out


def _apply(
    number: int,
    search: Search,
    rows: Int64,
    c: Candidates,
    out: Associations,
    z_known: Bool,
    rules: Rules,
    kind: str,
) -> None:
    """Let one search say what it has to, where no search has said anything stronger."""
    if search.crossmatch:
        _say(rows, LISTED, -1, number, out)
        return
    sep = c.arcsec[rows]
    ignored = (out.nucleus[rows] & (kind in ("star", "bright star"))) | (out.fragment[rows] & search.host)
    if search.synonym is not None:
        radius = search.synonym_radius or min(rules.synonym_radius, search.radius)
        same = ~ignored & (sep <= radius)
        if search.synonym == "NT":
            # A faint galaxy, or one of which only a magnitude is known, may stand there by chance.
            faint = c.magnitude[rows] > rules.hosts.faintest_nucleus
            same &= z_known[rows] & ~faint
        _say(rows[same], 1, CLASSES.index(search.synonym), number, out)
    weaker, reliability = (search.association, 2) if search.association else (search.annotation, 3)
    if weaker is not None:
        belongs = ~ignored & (sep <= search.radius)
        if search.halo:
            glare = np.minimum(
                10.0 ** (3.7 - 0.2 * np.nan_to_num(c.magnitude[rows], nan=99.0)), _GLARE_ARCSEC
            )
            belongs &= sep <= glare
        if search.host:
            within = out.ddlr[rows] <= rules.hosts.light_radii
            if search.physical is not None:
                with np.errstate(invalid="ignore"):
                    within |= out.kpc[rows] <= search.physical
            belongs &= within & (out.host[rows] >= rules.hosts.probability)
        _say(rows[belongs], reliability, CLASSES.index(weaker), number, out)


def _say(rows: Int64, reliability: int, code: int, search: int, out: Associations) -> None:
    better = (out.reliability[rows] > reliability) | (
        (out.reliability[rows] == reliability) & (out.code[rows] > code)
    )
    rows = rows[better]
    out.reliability[rows], out.code[rows], out.search[rows] = reliability, code, search


def _known(c: Candidates, together: Groups) -> Bool:
    """Whether the distance of a candidate's group is measured, or it is well resolved."""
    measured = (
        np.isfinite(c.redshift) | np.isfinite(c.distance) | np.isfinite(c.photoz) | (c.semi_major > 3.0)
    )
    some = np.zeros(len(together), np.bool_)
    np.logical_or.at(some, together.of, measured)
    return some[together.of]


def _hosts(
    c: Candidates,
    together: Groups,
    galaxy: Bool,
    ra: Float64,
    decl: Float64,
    scale: Float64,
    distance: Float64,
    rules: Rules,
) -> tuple[Float64, Float64, Float64]:
    """Light radius and probability of each candidate's group, and of no host for each position."""
    blue = np.where(galaxy, c.magnitude + _TO_B[c.band], np.nan)
    magnitude, _ = best(blue, together)
    of_galaxy = np.zeros(len(together), np.bool_)
    of_galaxy[together.of[galaxy]] = True
    axis, ratio, angle, who = semi_major_of(c, together, magnitude)
    # Of some only a spectrum is known: an ordinary galaxy at its distance, or one like those of 20 mag.
    kpc_per_arcsec, _ = best(scale, together)
    by_distance = np.where(np.isfinite(kpc_per_arcsec), _ORDINARY_KPC / kpc_per_arcsec, _ORDINARY_ARCSEC)
    axis = np.where(np.isfinite(axis), axis, by_distance)
    # The ellipse is centred where the catalogue that gave it has it; else the most trusted member stands.
    _, member = best(np.where(galaxy, 0.0, np.nan), together)
    centre = np.where(who >= 0, who, member)
    east, north = tangent_offset(ra[together.position], decl[together.position], c.ra[centre], c.decl[centre])
    ddlr = np.where(of_galaxy, directional_light_radius(east, north, axis, ratio, angle), np.nan)
    away, _ = best(np.where(galaxy, distance, np.nan), together)
    model = host_model(rules.hosts)
    host, none = host_probabilities(together.position, ddlr, magnitude, axis, ratio, len(ra), model, away)
    return ddlr[together.of], host[together.of], none


_PAIRS_AT_ONCE = 1 << 20
_FRAGMENT_MAG = 1.5
_FRAGMENT_SIZE = 0.33


def _inside_galaxies(
    c: Candidates, galaxy: Bool, star: Bool, distance: Float64, rules: Rules, num_positions: int
) -> tuple[Bool, Bool]:
    """Galaxies that are pieces of a larger one, and stars that are the core of one.

    A piece (a bright knot or region that a catalogue has as a galaxy of its own) lies within the ellipse of a
    galaxy that is much brighter or larger, and has no redshift that says otherwise. Within one so near that
    it covers a good part of the sky, it may be any galaxy behind.
    """
    fragment, nucleus = np.zeros(len(c), np.bool_), np.zeros(len(c), np.bool_)
    hosts, asked = np.flatnonzero(galaxy), np.flatnonzero(galaxy | star)
    count = np.bincount(c.position[hosts], minlength=num_positions)
    first = np.cumsum(count) - count
    # In crowded fields the pairs are many: some positions at a time, so that memory stays small.
    pairs = np.cumsum(count * np.bincount(c.position[asked], minlength=num_positions))
    edges = np.unique(np.searchsorted(pairs, np.arange(_PAIRS_AT_ONCE, pairs[-1:].sum(), _PAIRS_AT_ONCE)))
    bounds = np.searchsorted(c.position[asked], [0, *(edges + 1), num_positions])
    for low, high in pairwise(bounds):
        some = asked[low:high]
        times = count[c.position[some]]
        i = np.repeat(some, times)
        within = np.arange(len(i)) - np.repeat(np.cumsum(times) - times, times)
        j = hosts[first[c.position[i]] + within]
        other = i != j
        _mark_pairs(c, i[other], j[other], galaxy, star, distance, rules, fragment, nucleus)
    return fragment, nucleus


def _mark_pairs(
    c: Candidates,
    i: Int64,
    j: Int64,
    galaxy: Bool,
    star: Bool,
    distance: Float64,
    rules: Rules,
    fragment: Bool,
    nucleus: Bool,
) -> None:
    """Mark those of candidates `i` that are pieces or the core of galaxies `j` near the same positions."""
    east, north = tangent_offset(c.ra[i], c.decl[i], c.ra[j], c.decl[j])
    apart = np.hypot(east, north)
    ddlr = directional_light_radius(east, north, c.semi_major[j], c.axis_ratio[j], c.position_angle[j])
    redshift = np.where(np.isfinite(c.redshift), c.redshift, c.photoz)
    # Two catalogues' entries for one galaxy are not pieces of each other, however their magnitudes differ.
    same = np.where(
        c.catalogue[i] != c.catalogue[j], rules.merging.extent * np.nan_to_num(c.semi_major[j]), 0.0
    )
    with np.errstate(invalid="ignore"):
        fainter = c.magnitude[i] + _TO_B[c.band[i]] > c.magnitude[j] + _TO_B[c.band[j]] + _FRAGMENT_MAG
        smaller = c.semi_major[i] < _FRAGMENT_SIZE * c.semi_major[j]
        elsewhere = np.abs(c.redshift[i] - c.redshift[j]) > 0.005
        inside = (ddlr < 1.0) & (apart > np.maximum(same, rules.merging.radius))
        near = host_model(rules.hosts).dilution(c.semi_major[j], distance[j]) < 1.0
        by_chance = near & (_behind(c, i, j) > rules.hosts.chance)
        fragment[i[galaxy[i] & inside & (fainter | smaller) & ~elsewhere & ~by_chance]] = True
        far = (redshift[j] > rules.nucleus.redshift) | (np.isnan(redshift[j]) & (distance[j] > 5.0))
        core = (apart <= rules.nucleus.radius) | (ddlr <= rules.nucleus.light_radii)
        nucleus[i[star[i] & ~c.moves[i] & far & core & ~fragment[j]]] = True


def _behind(c: Candidates, i: Int64, j: Int64) -> Float64:
    """How many galaxies as bright as candidates `i` are expected by chance within the ellipses of candidates
    `j`; NaN without a magnitude."""
    ratio = np.where(c.axis_ratio[j] > 0.0, np.fmin(c.axis_ratio[j], 1.0), 1.0)
    area = np.pi * c.semi_major[j] ** 2 * ratio
    red = c.magnitude[i] + _TO_B[c.band[i]] - _B_MINUS["R"]
    return np.asarray(area * galaxy_counts(red), np.float64)
