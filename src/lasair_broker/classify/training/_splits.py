"""Which objects are for learning and which for judging: by object, and never both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lasair_broker.classify.training._curves import LabelledCurves

__all__ = ["HOLD_OUT", "held_out", "same_objects", "share_of"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

HOLD_OUT = 0.3
"""This share of the simulated objects is never learnt from."""

_SAME_ARCSEC = 2.0


def share_of(names: Sequence[str]) -> Float64:
    """A number from 0 to 1 for each name, always the same: its hash."""
    digests = [hashlib.sha256(name.encode()).digest()[:8] for name in names]
    return np.array([int.from_bytes(digest) for digest in digests]) / 2.0**64


def held_out(curves: LabelledCurves) -> npt.NDArray[np.bool_]:
    """Which objects are only for judging, whatever data come beside them."""
    return share_of(curves.objects["name"].to_pylist()) < HOLD_OUT


def same_objects(sets: Sequence[LabelledCurves]) -> Int64:
    """The number of the group of each object of all the sets, one set after the other.

    Objects of one name, whatever spaces, case and the prefixes SN and AT, or within 2 arcseconds of each
    other are one group and belong into one split. Only for real data: simulated objects share positions.
    """
    names = [_plain(name) for one in sets for name in one.objects["name"].to_pylist()]
    ra, decl = (
        np.concatenate([one.objects[c].to_numpy(zero_copy_only=False).astype(float) for one in sets])
        for c in ("ra", "decl")
    )
    placed = np.flatnonzero(np.isfinite(ra) & np.isfinite(decl))
    lon, lat = np.radians(ra[placed]), np.radians(decl[placed])
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    near = cKDTree(vectors).query_pairs(np.radians(_SAME_ARCSEC / 3600.0), output_type="ndarray")
    pairs = [placed[near]] if len(near) else []
    first: dict[str, int] = {}
    alike = [(first.setdefault(name, k), k) for k, name in enumerate(names)]
    pairs.append(np.array([pair for pair in alike if pair[0] != pair[1]], np.int64).reshape(-1, 2))
    links = np.concatenate(pairs)
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), (len(names), len(names)))
    groups: Int64 = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def _plain(name: str) -> str:
    return "".join(name.split()).casefold().removeprefix("sn").removeprefix("at")
