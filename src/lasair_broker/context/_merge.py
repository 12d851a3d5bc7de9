"""Rows of several catalogues that are one source: groups of friends, and the best of what each knows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.context._candidates import Candidates
from lasair_broker.context._galaxies import typical_semi_major
from lasair_broker.context._kernel import kernel
from lasair_broker.context._rules import Merging

__all__ = ["Groups", "best", "groups"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Sources that catalogues share, one element each, sorted by position.

    Attributes
    ----------
    of
        For each candidate its group.
    position
        Of each group the object it is near.
    order
        Candidates from the most trusted to the least, the nearer first.
    """

    of: Int64
    position: Int64
    order: Int64

    def __len__(self) -> int:
        return len(self.position)


def groups(
    candidates: Candidates,
    quality: Float64,
    extended: npt.NDArray[np.bool_],
    merging: Merging,
    alone: npt.NDArray[np.bool_] | None = None,
) -> Groups:
    """Friends of friends among the candidates of each position.

    Parameters
    ----------
    candidates
        Sorted by position.
    quality
        Weight of each candidate's catalogue.
    extended
        Which candidates are galaxies, so that `merging.extent` applies to them.
    alone
        Which candidates are one source with no other, whatever is near them; None: none are.
    """
    # Below 0: not a galaxy.
    size = np.where(extended, np.nan_to_num(candidates.semi_major) * merging.extent, -1.0)
    first = np.searchsorted(candidates.position, np.unique(candidates.position))
    bounds = np.append(first, len(candidates)).astype(np.int64)
    label = np.empty(len(candidates), np.int64)
    # Nothing is near to a position that is no number.
    ra = candidates.ra if alone is None else np.where(alone, np.nan, candidates.ra)
    _friends(bounds, ra, candidates.decl, candidates.catalogue, size, merging.radius, label)
    heads, of = np.unique(label, return_inverse=True)
    # Ties are broken by what is the same in every run: separation, catalogue, row.
    order = np.lexsort((candidates.row, candidates.catalogue, candidates.arcsec, -quality))
    return Groups(of.astype(np.int64), candidates.position[heads], order)


@kernel
def _friends(bounds, ra, decl, catalogue, size, radius, label):  # type: ignore[no-untyped-def]  # numba
    """`label` becomes, for each candidate, the first candidate of its group."""
    for block in range(len(bounds) - 1):
        start, stop = bounds[block], bounds[block + 1]
        for i in range(start, stop):
            label[i] = i
        for i in range(start, stop):
            for j in range(i + 1, stop):
                reach = radius
                if catalogue[i] != catalogue[j] and size[i] >= 0.0 and size[j] >= 0.0:
                    reach = max(radius, size[i], size[j])
                across = math.cos(math.radians(decl[i])) * math.cos(math.radians(decl[j]))
                haversine = math.sin(math.radians(0.5 * (decl[i] - decl[j]))) ** 2
                haversine += across * math.sin(math.radians(0.5 * (ra[i] - ra[j]))) ** 2
                apart = math.degrees(2.0 * math.asin(min(math.sqrt(haversine), 1.0))) * 3600.0
                if apart <= reach and label[i] != label[j]:
                    low, high = min(label[i], label[j]), max(label[i], label[j])
                    for k in range(start, stop):
                        if label[k] == high:
                            label[k] = low


def best(values: Float64, found: Groups) -> tuple[Float64, Int64]:
    """Of each group the value of the most trusted candidate that has one, and that candidate (-1: none)."""
    ranked = found.order[np.isfinite(values[found.order])]
    group, first = np.unique(found.of[ranked], return_index=True)
    out, who = np.full(len(found), np.nan), np.full(len(found), -1, np.int64)
    out[group], who[group] = values[ranked[first]], ranked[first]
    return out, who


def semi_major_of(
    candidates: Candidates, found: Groups, magnitude: Float64
) -> tuple[Float64, Float64, Float64, Int64]:
    """Ellipse of each group: axis, ratio and angle of one and the same catalogue; a guess where none has
    it."""
    axis, who = best(candidates.semi_major, found)
    told = who >= 0
    ratio = np.where(told, candidates.axis_ratio[who], np.nan)
    angle = np.where(told, candidates.position_angle[who], np.nan)
    return np.where(told, axis, typical_semi_major(magnitude)), ratio, angle, who
