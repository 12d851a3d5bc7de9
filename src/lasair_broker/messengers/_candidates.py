"""Objects as what is asked of them here: where, when, as what, and how far away their hosts are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.lightcurve import Cosmology
from lasair_broker.messengers._models import LIGHT_CURVE_CLASSES, class_codes
from lasair_broker.packets import floats_of
from lasair_broker.sky import healpix29

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

__all__ = ["CANDIDATE_COLUMNS", "PROBABILITY_COLUMNS", "Candidates"]

_BANDS = "ugrizy"

CANDIDATE_COLUMNS = (
    "diaObjectId", "ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai", "nondetectionGap",
    *(f"{band}_preSnr" for band in _BANDS),
)  # fmt: skip
"""Columns of `objects` that are looked at."""

PROBABILITY_COLUMNS = ("diaObjectId", *(name for names in LIGHT_CURVE_CLASSES.values() for name in names))
"""Columns of `classifications` that are looked at."""

_OUTLIERS = 0.1
"""Share of photometric redshifts that are wrong altogether, and so tell nothing."""

_LEAST_PART = 1e-3
_DEFAULT_ERROR = 0.2
"""Relative error of a distance that states none: that of the candles that mostly give such."""


@dataclass(frozen=True)
class Candidates:
    """n objects.

    Attributes
    ----------
    diaObjectId, ra, decl, cell
        Number, place (degrees) and nested order-29 cell (-1 without a place), shape (n,).
    first, last, nondetection
        When it was first and last detected, and last looked for before the first, MJD TAI; NaN: unknown.
    pre_snr
        Largest significance of its mean forced flux before the first detection in any band; NaN: unknown.
    kind
        Its class, index into CLASSES.
    light
        Probability by its light curve of each of LIGHT_CURVE_CLASSES and, last, of none of them,
        shape (n, 7); NaN: unknown.
    offset
        Its possible hosts are ``offset[i]:offset[i + 1]`` of the next three, shape (n + 1,).
    weight, distance, distance_error
        Probability of each, its luminosity distance and error, Mpc. What the probabilities of an object
        lack to 1 is a host of which nothing is known.
    """

    diaObjectId: Int64
    ra: Float64
    decl: Float64
    cell: Int64
    first: Float64
    last: Float64
    nondetection: Float64
    pre_snr: Float64
    kind: npt.NDArray[np.int8]
    light: Float64
    offset: Int64
    weight: Float64
    distance: Float64
    distance_error: Float64

    def __len__(self) -> int:
        return len(self.diaObjectId)

    @classmethod
    def of_tables(
        cls,
        objects: pa.Table,
        classifications: pa.Table | None = None,
        crossmatches: pa.Table | None = None,
        probabilities: pa.Table | None = None,
        cosmology: Cosmology | None = None,
    ) -> Candidates:
        """From rows of `objects`, `sherlock_classifications`, `sherlock_crossmatches` and `classifications`.

        Columns that are not there are unknown.
        """
        ids = objects["diaObjectId"].to_numpy()
        ra, decl = floats_of(objects, "ra"), floats_of(objects, "decl")
        first, gap = floats_of(objects, "firstDiaSourceMjdTai"), floats_of(objects, "nondetectionGap")
        bands = np.stack([floats_of(objects, f"{band}_preSnr") for band in _BANDS])
        known = ~np.isnan(bands).all(axis=0)
        pre_snr = np.full(len(ids), np.nan)
        pre_snr[known] = np.nanmax(bands[:, known], axis=0)
        names = np.full(len(ids), None, object)
        parts = []
        if classifications is not None and classifications.num_rows:
            row, there = _rows_of(ids, classifications)
            names[there] = classifications["classification"].to_numpy()[row]
            parts.append(_measured(there, classifications.take(pa.array(row)), cosmology or Cosmology()))
        if crossmatches is not None and crossmatches.num_rows:
            parts.append(_hosts(ids, crossmatches, set() if not parts else set(parts[0][0].tolist())))
        which, weight, distance, error = (
            np.concatenate(columns) for columns in zip(*parts, strict=True)
        ) if parts else (np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))  # fmt: skip
        order = np.argsort(which, kind="stable")
        offset = np.searchsorted(which[order], np.arange(len(ids) + 1))
        return cls(
            ids, ra, decl, healpix29(ra, decl), first, floats_of(objects, "lastDiaSourceMjdTai"), first - gap,
            pre_snr, class_codes(names), _light(ids, probabilities), offset,
            weight[order], distance[order], error[order],
        )  # fmt: skip

    def take(self, rows: Int64) -> Candidates:
        """Some of them, in this order."""
        counts = self.offset[1:] - self.offset[:-1]
        offset = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[rows])])
        hosts = np.repeat(self.offset[rows] - offset[:-1], counts[rows]) + np.arange(offset[-1])
        return Candidates(
            self.diaObjectId[rows], self.ra[rows], self.decl[rows], self.cell[rows], self.first[rows],
            self.last[rows], self.nondetection[rows], self.pre_snr[rows], self.kind[rows], self.light[rows],
            offset, self.weight[hosts], self.distance[hosts], self.distance_error[hosts],
        )  # fmt: skip


def _light(ids: Int64, rows: pa.Table | None) -> Float64:
    """What classifiers say of the light curves of objects; of several their mean."""
    light = np.full((len(ids), len(LIGHT_CURVE_CLASSES) + 1), np.nan)
    if rows is None or not rows.num_rows or not len(ids):
        return light
    which, there = _candidates_of(ids, rows)
    rows = rows.take(pa.array(there))
    columns = [
        np.nansum([floats_of(rows, name) for name in names], axis=0) for names in LIGHT_CURVE_CLASSES.values()
    ]
    said = np.stack([*columns, np.maximum(1.0 - np.sum(columns, axis=0), 0.0)], axis=1)
    total = np.zeros_like(light)
    np.add.at(total, which, said)
    known = total.sum(axis=1) > 0.0
    light[known] = total[known] / total[known].sum(axis=1, keepdims=True)
    return light


_Parts = tuple[Int64, Float64, Float64, Float64]
"""Of hosts: which candidate they are of, probability, distance and error."""


def _measured(there: Int64, rows: pa.Table, cosmology: Cosmology) -> _Parts:
    """Objects whose own redshift is known need no host."""
    if "redshiftKind" not in rows.column_names:
        nothing = np.zeros(0)
        return np.zeros(0, np.int64), nothing, nothing, nothing
    own = pc.fill_null(pc.equal(rows["redshiftKind"], "tns"), False).to_numpy().astype(bool)
    z, error = floats_of(rows, "redshift")[own], floats_of(rows, "redshiftErr")[own]
    own_rows = there[own]
    good = z > 0.0
    z, error, own_rows = z[good], error[good], own_rows[good]
    distance = cosmology.luminosity_distance(z)
    spread = np.fmax(error, 1e-3)
    distance_error = 0.5 * (
        cosmology.luminosity_distance(z + spread) - cosmology.luminosity_distance(np.maximum(z - spread, 0.0))
    )
    return own_rows, np.ones(len(z)), distance, np.fmax(distance_error, 1e-3 * distance)


def _hosts(ids: Int64, rows: pa.Table, measured: set[int]) -> _Parts:
    which, there = _candidates_of(ids, rows)
    rows = rows.take(pa.array(there))
    weight, distance = floats_of(rows, "hostProbability"), floats_of(rows, "best_distance")
    error = floats_of(rows, "best_distance_err")
    error = np.where(error > 0.0, error, _DEFAULT_ERROR * distance)
    by_colours = pc.fill_null(pc.equal(rows["best_distance_flag"], "pz"), False).to_numpy().astype(bool)
    weight = np.where(by_colours, (1.0 - _OUTLIERS) * weight, weight)
    good = (weight > _LEAST_PART) & (distance > 0.0) & np.isfinite(error)
    if measured:
        good &= ~np.isin(which, np.fromiter(measured, np.int64))
    return which[good], weight[good], distance[good], error[good]


def _rows_of(ids: Int64, rows: pa.Table) -> tuple[Int64, Int64]:
    """Rows of a table with one row an object, and which of `ids` they are of."""
    which, there = _candidates_of(ids, rows)
    return there, which


def _candidates_of(ids: Int64, rows: pa.Table) -> tuple[Int64, Int64]:
    """Which of `ids` each row is of, and the rows that are of any."""
    order = np.argsort(ids, kind="stable")
    theirs = rows["diaObjectId"].to_numpy()
    place = np.minimum(np.searchsorted(ids[order], theirs), max(len(ids) - 1, 0))
    if not len(ids):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    which = order[place]
    there = np.flatnonzero(ids[which] == theirs)
    return which[there], there
