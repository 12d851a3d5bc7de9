"""Objects of two surveys at one place: which may be the same, and which are most likely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import conform
from lasair_broker.sky import SortedCells, healpix29, separation_arcsec

__all__ = ["PARTNER_COLUMNS", "PARTNER_RADIUS_ARCSEC", "PlaceIndex", "partner_rows"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

PARTNER_RADIUS_ARCSEC = 1.5
"""Farther apart two objects are never taken for one, however uncertain their positions."""

_SIGMAS = 4.0
"""Of true pairs exp(-8), 0.03 per cent, lie beyond."""

_SYSTEMATIC_ARCSEC = 0.15
"""Per axis: frames, proper motion between epochs, and errors of faint detections that are taken too small."""

_UNSTATED_ARCSEC = {"ztf": 0.3}
"""Per axis, for surveys that state no error of objects' positions: ZTF's near its limit."""

_UNKNOWN_ARCSEC = 0.2

_BRIGHTNESS = tuple(f"{band}_{what}" for band in "ugrizy" for what in ("psfFlux", "latestMJD"))
_STATED = ("ra", "decl", "nDiaSources", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai")

PARTNER_COLUMNS = ("diaObjectId", "survey", "objectName", "raErr", "decErr", *_STATED, *_BRIGHTNESS)
"""Columns of `objects` that an association needs, or tells of a partner."""


def partner_rows(objects: pa.Table, others: pa.Table, about: Int64) -> pa.Table:
    """Rows of table `partners`, both ways, for pairs of an object and an object of another survey.

    The separation counts in units of both errors and a systematic one together. Within 4 of these, and within
    1.5 arcseconds, two objects are a pair. Every pair is kept, ranked from either side.

    Parameters
    ----------
    objects, others
        Objects of one survey and of another, each once, with `PARTNER_COLUMNS`; all that lie near those asked
        about, and all that lie near these.
    about
        Numbers among `others`: only their pairs are given.
    """
    left, right = _pairs(objects, others)
    separation = separation_arcsec(
        _floats(objects, "ra")[left], _floats(objects, "decl")[left],
        _floats(others, "ra")[right], _floats(others, "decl")[right],
    )  # fmt: skip
    variance = _errors(objects)[left] ** 2 + _errors(others)[right] ** 2 + _SYSTEMATIC_ARCSEC**2
    offset = separation / np.sqrt(variance)
    near = (offset <= _SIGMAS) & (separation <= PARTNER_RADIUS_ARCSEC)
    left, right, separation, offset = left[near], right[near], separation[near], offset[near]
    of_left = _ranks(left, offset, others["diaObjectId"].to_numpy()[right])
    of_right = _ranks(right, offset, objects["diaObjectId"].to_numpy()[left])
    mutual = (of_left == 1) & (of_right == 1)
    wanted = np.isin(others["diaObjectId"].to_numpy()[right], about)
    both = [
        _directed(objects, left, others, right, of_left, separation, offset, mutual, wanted),
        _directed(others, right, objects, left, of_right, separation, offset, mutual, wanted),
    ]
    return pa.concat_tables(both)


def _directed(
    ours: pa.Table,
    mine: Int64,
    theirs: pa.Table,
    partner: Int64,
    rank: Int64,
    separation: Float64,
    offset: Float64,
    mutual: npt.NDArray[np.bool_],
    wanted: npt.NDArray[np.bool_],
) -> pa.Table:
    told = theirs.take(pa.array(partner[wanted]))
    columns = {
        "diaObjectId": ours["diaObjectId"].take(pa.array(mine[wanted])),
        "partnerDiaObjectId": told["diaObjectId"],
        "partnerSurvey": told["survey"],
        "partnerName": told["objectName"],
        "separationArcsec": pa.array(separation[wanted].astype(np.float32)),
        "offsetSigma": pa.array(offset[wanted].astype(np.float32)),
        "partnerRank": pa.array(rank[wanted].astype(np.int32)),
        "isMutual": pa.array(mutual[wanted]),
    }
    columns |= {f"partner{name[0].upper()}{name[1:]}": told[name] for name in _STATED}
    columns |= {f"partner_{name}": told[name] for name in _BRIGHTNESS}
    return conform(pa.table(columns), "partners")


def _pairs(objects: pa.Table, others: pa.Table) -> tuple[Int64, Int64]:
    """Rows of both that lie within the radius of each other."""
    cells = healpix29(_floats(others, "ra"), _floats(others, "decl"))
    order = np.argsort(cells, kind="stable")
    order = order[np.searchsorted(cells[order], 0) :]
    ra, decl = _floats(objects, "ra"), _floats(objects, "decl")
    left, row = SortedCells.build(cells[order]).near(ra, decl, np.full(len(ra), PARTNER_RADIUS_ARCSEC))
    return left, order[row]


def _errors(objects: pa.Table) -> Float64:
    """Error of the position of each object per axis, arcseconds."""
    stated = 3600.0 * np.hypot(_floats(objects, "raErr"), _floats(objects, "decErr")) / np.sqrt(2.0)
    surveys = objects["survey"].combine_chunks().dictionary_encode()
    unstated = [_UNSTATED_ARCSEC.get(survey, _UNKNOWN_ARCSEC) for survey in surveys.dictionary.to_pylist()]
    typical = np.array([*unstated, _UNKNOWN_ARCSEC])[surveys.indices.fill_null(len(unstated)).to_numpy()]
    return np.asarray(np.where(stated > 0.0, stated, typical), np.float64)


def _ranks(of: Int64, offset: Float64, tie: Int64) -> Int64:
    """1 for the pair of each `of` with the least offset, 2 for the next and so on; of equals the lesser `tie`
    comes first."""
    order = np.lexsort((tie, offset, of))
    starts = np.flatnonzero(np.append(True, of[order][1:] != of[order][:-1])[: len(order)])
    counts = np.diff(np.append(starts, len(order)))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, counts) + 1
    return ranks


def _floats(table: pa.Table, name: str) -> Float64:
    return np.asarray(table.column(name).to_numpy(), np.float64)


@dataclass(frozen=True)
class _Part:
    cells: SortedCells
    ids: Int64


class PlaceIndex:
    """Numbers of objects by place, in memory: 16 bytes an object, and 4 for each 8 to find them.

    An index never changes. A new one shares most of what the old one has: parts are merged when they are not
    much larger than what comes, so that there are never more than log4 of the objects.
    """

    def __init__(self, parts: Sequence[_Part] = ()) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(len(part.ids) for part in self._parts)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held."""
        return sum(p.cells.cell.nbytes + p.cells.bins.nbytes + p.ids.nbytes for p in self._parts)

    def with_places(self, ids: Int64, ra: Float64, decl: Float64) -> PlaceIndex:
        """An index that has these too (degrees, shape (n,)); what is no position is left out."""
        cells = healpix29(ra, decl)
        good = cells >= 0
        if not good.any():
            return self
        gathered, numbers = [cells[good]], [np.asarray(ids, np.int64)[good]]
        parts, size = sorted(self._parts, key=lambda part: -len(part.ids)), int(good.sum())
        while parts and len(parts[-1].ids) < 4 * size:
            merged = parts.pop()
            gathered.append(merged.cells.cell)
            numbers.append(merged.ids)
            size += len(merged.ids)
        cells, ids = np.concatenate(gathered), np.concatenate(numbers)
        order = np.argsort(cells, kind="stable")
        return PlaceIndex([*parts, _Part(SortedCells.build(cells[order]), ids[order])])

    def near(self, ra: Float64, decl: Float64, radius_arcsec: float) -> tuple[Int64, Int64]:
        """Pairs of a position (degrees) and the number of an object within the radius of it (and, rarely, a
        milliarcsecond beyond), in no order; an object that has moved may be found where it was before."""
        positions, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for part in self._parts:
            position, row = part.cells.near(ra, decl, np.full(len(ra), radius_arcsec))
            positions.append(position)
            numbers.append(part.ids[row])
        return np.concatenate(positions), np.concatenate(numbers)
