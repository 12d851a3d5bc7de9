"""Uniting the light curves of all alerts of an object: sorted by time, without doubles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

from ._columns import BANDS, Column, Columns, finite
from ._times import in_range

__all__ = ["Keys", "unite"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Keys:
    """What tells rows of a light curve table apart, over runs of rows thought of as one after the other.

    Parameters
    ----------
    parts
        The runs.
    identity
        The column of whole numbers that names a measurement, or `band`.
    required
        Columns without which a row is of no use and is left out, besides the time and `identity`.
    """

    def __init__(self, parts: Sequence[Columns], identity: str, required: Sequence[str] = ()) -> None:
        self.parts = tuple(parts)
        self.time, usable = self._joined("midpointMjdTai", np.dtype(np.float64))
        self.identity, named = self._joined(identity, np.dtype(np.int64))
        self.usable = usable & named & in_range(self.time)
        for name in required:
            self.usable &= self._joined(name, None)[1]

    def preference(self) -> tuple[Float64, Bool]:
        """For each row when it was processed (MJD TAI; -inf if unknown) and whether it has been withdrawn."""
        processed, known = self._joined("timeProcessedMjdTai", np.dtype(np.float64))
        return np.where(known, processed, -np.inf), self.withdrawn()

    def withdrawn(self) -> Bool:
        """Which rows the survey has declared invalid."""
        return self._joined("timeWithdrawnMjdTai", np.dtype(np.float64))[1]

    def any_withdrawn(self) -> bool:
        """Whether there may be such rows at all."""
        for part in self.parts:
            column = part.column("timeWithdrawnMjdTai")
            if column is not None and part.num_rows:
                valid = np.ones(part.num_rows, np.bool_) if column.valid is None else column.valid
                if finite(column.values, valid).any():
                    return True
        return False

    def _joined(self, name: str, dtype: np.dtype[Any] | None) -> tuple[npt.NDArray[Any], Bool]:
        """Values (None: not wanted) and presence of a column over all parts."""
        values, presence = [], []
        for part in self.parts:
            column = part.column(name)
            if column is None:
                values.append(np.zeros(part.num_rows, dtype or np.int8))
                presence.append(np.zeros(part.num_rows, np.bool_))
                continue
            here = np.ones(part.num_rows, np.bool_) if column.valid is None else column.valid
            values.append(column.values if column.words is None else _ranks(column))
            presence.append(finite(column.values, here))
        if len(presence) == 1:
            joined = values[0] if dtype is None else values[0].astype(dtype, copy=False)
            return joined, presence[0]
        if dtype is None:
            return values[0], np.concatenate(presence)
        return np.concatenate(values).astype(dtype, copy=False), np.concatenate(presence)


def _ranks(column: Column) -> Int64:
    """Numbers for the words of a column of bands: their order of wavelength, others after them."""
    words = column.words or ()
    ranks = [BANDS.index(w) if w in BANDS else len(BANDS) + i for i, w in enumerate(words)]
    return np.asarray(np.array([*ranks, -1], np.int64)[column.values])


@njit(cache=True, nogil=True)
def _collect(
    object_of_alert: Int64,
    num_objects: int,
    history: Int64,
    num_detections: int,
    time: Float64,
    identity: Int64,
    usable: Bool,
    by_identity: bool,
    order: Int64,
    offsets: Int64,
    mixed: Bool,
) -> bool:
    """The rows of each object, alert by alert. `mixed` says whose are not in order or may have doubles.

    Rows 0 to `num_detections` are the alerts' own detections, the others their history, found by the offsets
    `history`.
    """
    first = np.zeros(num_objects + 1, np.int64)
    for alert in range(len(object_of_alert)):
        if object_of_alert[alert] >= 0:
            first[object_of_alert[alert] + 1] += 1
    for i in range(num_objects):
        first[i + 1] += first[i]
    alerts = np.empty(first[num_objects], np.int64)
    fill = first[:-1].copy()
    for alert in range(len(object_of_alert)):
        i = object_of_alert[alert]
        if i >= 0:
            alerts[fill[i]] = alert
            fill[i] += 1
    any_mixed = False
    place = 0
    for i in range(num_objects):
        offsets[i] = place
        previous = -1
        in_order = True
        for k in range(first[i], first[i + 1]):
            alert = alerts[k]
            start, stop = history[alert], history[alert + 1]
            for step in range(stop - start + 1):
                if step < stop - start:
                    row = num_detections + start + step
                elif num_detections > 0:
                    row = alert
                else:
                    break
                if not usable[row]:
                    continue
                if previous >= 0:
                    later = time[row] > time[previous]
                    tied = time[row] == time[previous] and identity[row] > identity[previous]
                    if not (later or tied) or (by_identity and identity[row] <= identity[previous]):
                        in_order = False
                order[place] = row
                place += 1
                previous = row
        mixed[i] = not in_order
        any_mixed |= not in_order
    offsets[num_objects] = place
    return any_mixed


@njit(cache=True, nogil=True)
def _settle(
    order: Int64,
    offsets: Int64,
    mixed: Bool,
    num_detections: int,
    time: Float64,
    identity: Int64,
    processed: Float64,
    withdrawn: Bool,
    by_identity: bool,
    out: Int64,
    out_offsets: Int64,
) -> None:
    """Sort the rows of `mixed` objects by time and identity and keep the best of doubles; copy the others."""
    place = 0
    for i in range(len(mixed)):
        out_offsets[i] = place
        rows = order[offsets[i] : offsets[i + 1]]
        if not mixed[i]:
            for row in rows:
                out[place] = row
                place += 1
            continue
        # Sorts are stable, so among doubles the rows of later alerts come later.
        rows = rows[np.argsort(identity[rows], kind="mergesort")]
        if not by_identity:
            rows = rows[np.argsort(time[rows], kind="mergesort")]
        kept = np.empty(len(rows), np.int64)
        count = 0
        for row in rows:
            if count:
                best = kept[count - 1]
                if identity[row] == identity[best] and (by_identity or time[row] == time[best]):
                    if withdrawn[row] != withdrawn[best]:
                        better = withdrawn[row]
                    elif processed[row] != processed[best]:
                        better = processed[row] > processed[best]
                    else:
                        better = row < num_detections or best >= num_detections
                    if better:
                        kept[count - 1] = row
                    continue
            kept[count] = row
            count += 1
        kept = kept[:count]
        kept = kept[np.argsort(time[kept], kind="mergesort")]
        for row in kept:
            out[place] = row
            place += 1
    out_offsets[len(mixed)] = place


def unite(
    keys: Keys,
    object_of_alert: Int64,
    num_objects: int,
    history: Int64,
    num_detections: int,
    by_identity: bool = True,
) -> tuple[Int64, Int64]:
    """The rows of all alerts of each object, sorted by (object, time, identity), without doubles.

    Of doubles the one marked as withdrawn is kept, else the one processed last, else an alert's own detection
    before a copy in a history, else the copy in the later message.

    Parameters
    ----------
    keys
        The rows: first `num_detections` (0 or one an alert) own detections, then the histories of all alerts.
    object_of_alert
        For each alert the number of its object, -1 if it has none.
    num_objects
        The number of objects.
    history
        ``history[a]:history[a + 1]`` are the history rows of alert a.
    num_detections
        How many rows come before those of the histories.
    by_identity
        Whether rows of one identity are doubles whatever their times; otherwise time and identity must agree.

    Returns
    -------
    order, offsets
        The rows, and for each object where they begin, shape (num_objects + 1,).
    """
    order = np.empty(len(keys.time), np.int64)
    offsets = np.zeros(num_objects + 1, np.int64)
    mixed = np.zeros(num_objects, np.bool_)
    if _collect(
        object_of_alert, num_objects, history, num_detections, keys.time, keys.identity, keys.usable,
        by_identity, order, offsets, mixed,
    ):  # fmt: skip
        processed, withdrawn = keys.preference()
        out, out_offsets = np.empty_like(order), np.zeros_like(offsets)
        _settle(
            order, offsets, mixed, num_detections, keys.time, keys.identity, processed, withdrawn,
            by_identity, out, out_offsets,
        )  # fmt: skip
        order, offsets = out, out_offsets
    return order[: offsets[-1]], offsets
