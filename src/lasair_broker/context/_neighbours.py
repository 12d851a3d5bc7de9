"""How far the nearest galaxies are, whose redshifts tell nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lasair_broker.context._candidates import Candidates
from lasair_broker.context._galaxies import HostModel
from lasair_broker.context._rules import Hosts, Neighbour
from lasair_broker.sky import separation_arcsec

__all__ = ["distances", "host_model"]

Float64 = npt.NDArray[np.float64]


def host_model(hosts: Hosts) -> HostModel:
    """The host model as it is configured."""
    return HostModel(
        hosts.scale, hosts.brightness, hosts.crowding, hosts.log_unseen, hosts.nearest, hosts.largest
    )


def distances(
    candidates: Candidates, galaxy: npt.NDArray[np.bool_], neighbours: Sequence[Neighbour]
) -> Float64:
    """Distance of each candidate, Mpc, as its catalogue has it, or else that of the neighbour that it is; NaN
    where neither tells.

    A galaxy is a neighbour if it lies within the neighbour's radius and is no smaller than a tenth of that.
    """
    found = candidates.distance.copy()
    large = galaxy & np.isnan(found) & (candidates.semi_major > 0.0)
    for each in neighbours:
        some = np.flatnonzero(large & (candidates.semi_major > 360.0 * each.radius))
        if len(some):
            apart = separation_arcsec(candidates.ra[some], candidates.decl[some], each.ra, each.decl)
            found[some[apart <= 3600.0 * each.radius]] = each.distance
    return found
