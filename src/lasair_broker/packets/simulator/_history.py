"""What a packet says of an object's past: earlier detections, forced photometry and the summary in diaObject.

The rules are Rubin's (DMTN-248, LDM-612): detections of the last 365 days; forced photometry in every visit
since the first detection and, a day after that one, of the 30 days before it; summaries over the same
detections with the new one: weighted means, standard deviation with n - 1, extremes and the steepest rise
between two successive points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.packets.simulator._field import Field

__all__ = ["HISTORY_DAYS", "History", "history_of", "object_summary"]

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

HISTORY_DAYS = 365.0
PRECOVERY_DAYS = 30.0
PRECOVERY_LAG_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class History:
    """The past of each alert of a batch.

    Attributes
    ----------
    previous, previous_offsets
        Rows of the field's detections that come before, oldest first.
    forced_object, forced_visit, forced_offsets
        Object and column of the visit of each forced measurement.
    """

    previous: Int64
    previous_offsets: Int64
    forced_object: Int64
    forced_visit: Int64
    forced_offsets: Int64


@njit(cache=True)
def _windows(
    rows: Any, still: Any, obj: Any, visit: Any, starts: Any, mjd: Any, covered: Any, first: Any, forced: Any
) -> None:
    """First earlier detection of each alert, and how many forced measurements it has."""
    for i in range(len(rows)):
        row = rows[i]
        first[i] = row
        forced[i] = 0
        if not still[i] or row == starts[obj[row]]:
            continue
        now = mjd[visit[row]]
        k = starts[obj[row]]
        begin = mjd[visit[k]]
        while mjd[visit[k]] < now - HISTORY_DAYS:
            k += 1
        first[i] = k
        early = begin - PRECOVERY_DAYS if now - begin >= PRECOVERY_LAG_DAYS else begin
        for j in range(visit[row] + 1):
            if mjd[j] >= early and mjd[j] >= now - HISTORY_DAYS and covered[obj[row], j] >= 0:
                forced[i] += 1


@njit(cache=True)
def _fill(
    rows: Any, obj: Any, visit: Any, starts: Any, mjd: Any, covered: Any, first: Any, previous: Any,
    previous_offsets: Any, forced_object: Any, forced_visit: Any, forced_offsets: Any,
) -> None:  # fmt: skip
    for i in range(len(rows)):
        row = rows[i]
        at = previous_offsets[i]
        for k in range(first[i], row):
            previous[at] = k
            at += 1
        at, end = forced_offsets[i], forced_offsets[i + 1]
        if at == end:
            continue
        now, begin = mjd[visit[row]], mjd[visit[starts[obj[row]]]]
        early = begin - PRECOVERY_DAYS if now - begin >= PRECOVERY_LAG_DAYS else begin
        for j in range(visit[row] + 1):
            if mjd[j] >= early and mjd[j] >= now - HISTORY_DAYS and covered[obj[row], j] >= 0:
                forced_object[at] = obj[row]
                forced_visit[at] = j
                at += 1


def history_of(field: Field, rows: Int64) -> History:
    """The past of the alerts whose detections are `rows` of the field's detections."""
    d = field.detections
    # One-off artefacts and moving bodies come after the last object's detections, and have no past.
    still = rows < field.starts[-1]
    first, forced = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    shared = (d.object_index, d.visit, field.starts, field.visits.mjd, field.detector)
    _windows(rows, still, *shared, first, forced)
    previous_offsets = np.concatenate([[0], np.cumsum(rows - first)])
    forced_offsets = np.concatenate([[0], np.cumsum(forced)])
    previous = np.empty(previous_offsets[-1], np.int64)
    forced_object, forced_visit = (
        np.empty(forced_offsets[-1], np.int64),
        np.empty(forced_offsets[-1], np.int64),
    )
    _fill(rows, *shared, first, previous, previous_offsets, forced_object, forced_visit, forced_offsets)
    return History(previous, previous_offsets, forced_object, forced_visit, forced_offsets)


@njit(cache=True)
def _summarise(
    rows: Any, previous: Any, previous_offsets: Any, forced_object: Any, forced_visit: Any,
    forced_offsets: Any,
    visit: Any, ra: Any, decl: Any, psf: Any, err: Any, science: Any, forced_psf: Any, forced_err: Any,
    mjd: Any,
    band: Any, position: Any, out: Any, count: Any,
) -> None:  # fmt: skip
    for i in range(len(rows)):
        for b in range(6):
            count[i, b] = 0
            for f in range(out.shape[2]):
                out[i, b, f] = np.nan
        total = np.zeros((6, 6))
        last_time, last_flux = np.zeros(6), np.zeros(6)
        n = previous_offsets[i + 1] - previous_offsets[i] + 1
        ra0, decl0, sum_ra, sum_decl = ra[rows[i]], decl[rows[i]], 0.0, 0.0
        for step in range(n):
            k = previous[previous_offsets[i] + step] if step < n - 1 else rows[i]
            # Differences, so that nothing is lost or wrapped at 0 degrees.
            sum_ra += (ra[k] - ra0 + 540.0) % 360.0 - 180.0
            sum_decl += decl[k] - decl0
            b, flux, error = band[visit[k]], float(psf[k]), float(err[k])
            time = mjd[visit[k]]
            weight = 1.0 / (error * error)
            total[b, 0] += weight
            total[b, 1] += weight * flux
            total[b, 4] += error
            total[b, 5] += weight * science[k]
            count[i, b] += 1
            c = count[i, b]
            # Welford's update of mean and sum of squares.
            delta = flux - total[b, 2]
            total[b, 2] += delta / c
            total[b, 3] += delta * (flux - total[b, 2])
            if c == 1:
                out[i, b, 6], out[i, b, 7] = flux, flux
            else:
                out[i, b, 6] = min(out[i, b, 6], flux)
                out[i, b, 7] = max(out[i, b, 7], flux)
                slope = (flux - last_flux[b]) / (time - last_time[b])
                if c == 2 or slope > out[i, b, 8]:
                    out[i, b, 8] = slope
            last_time[b], last_flux[b] = time, flux
        for b in range(6):
            c = count[i, b]
            if c == 0:
                continue
            out[i, b, 0] = total[b, 1] / total[b, 0]
            out[i, b, 1] = 1.0 / np.sqrt(total[b, 0])
            if c > 1:
                out[i, b, 2] = np.sqrt(total[b, 3] / (c - 1))
            out[i, b, 9] = total[b, 4] / c
            out[i, b, 10] = total[b, 5] / total[b, 0]
            out[i, b, 11] = 1.0 / np.sqrt(total[b, 0])
        position[i, 0] = (ra0 + sum_ra / n) % 360.0
        position[i, 1] = decl0 + sum_decl / n
        for b in range(6):
            total[b, 0], total[b, 1] = 0.0, 0.0
        for k in range(forced_offsets[i], forced_offsets[i + 1]):
            o, v = forced_object[k], forced_visit[k]
            weight = 1.0 / (float(forced_err[o, v]) * float(forced_err[o, v]))
            total[band[v], 0] += weight
            total[band[v], 1] += weight * forced_psf[o, v]
        for b in range(6):
            if total[b, 0] > 0.0:
                out[i, b, 3] = total[b, 1] / total[b, 0]
                out[i, b, 4] = 1.0 / np.sqrt(total[b, 0])


_COLUMNS = {
    "psfFluxMean": 0, "psfFluxMeanErr": 1, "psfFluxSigma": 2, "fpFluxMean": 3, "fpFluxMeanErr": 4,
    "psfFluxMin": 6,
    "psfFluxMax": 7, "psfFluxMaxSlope": 8, "psfFluxErrMean": 9, "scienceFluxMean": 10,
    "scienceFluxMeanErr": 11,
}  # fmt: skip


def object_summary(field: Field, rows: Int64, history: History) -> dict[str, npt.NDArray[Any]]:
    """Columns of diaObject for each alert: position (``ra``, ``dec``, degrees), per-band numbers
    (``g_psfFluxMean``, nJy; NaN where there is none), counts and times. Detections without an object get
    values too."""
    d, n = field.detections, len(rows)
    position, out, count = np.empty((n, 2)), np.empty((n, 6, 12)), np.empty((n, 6), np.int32)
    _summarise(
        rows,
        history.previous,
        history.previous_offsets,
        history.forced_object,
        history.forced_visit,
        history.forced_offsets,
        d.visit,
        d.ra,
        d.decl,
        d.psf,
        d.err,
        d.science,
        field.psf,
        field.err,
        field.visits.mjd,
        field.visits.band,
        position,
        out,
        count,
    )
    columns: dict[str, npt.NDArray[Any]] = {"ra": position[:, 0], "dec": position[:, 1]}
    for b, band in enumerate("ugrizy"):
        columns[f"{band}_psfFluxNdata"] = np.ascontiguousarray(count[:, b])
        for name, place in _COLUMNS.items():
            columns[f"{band}_{name}"] = out[:, b, place].astype(np.float32)
    still = rows < field.starts[-1]
    first = np.where(still, field.starts[np.where(still, d.object_index[rows], 0)], rows)
    columns["nDiaSources"] = (rows - first + 1).astype(np.int32)
    columns["firstDiaSourceMjdTai"] = field.visits.mjd[d.visit[first]]
    columns["lastDiaSourceMjdTai"] = field.visits.mjd[d.visit[rows]]
    columns["firstRow"] = first
    return columns
