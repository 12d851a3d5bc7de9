"""The objects that filters look at, and for each what is new of it: an alert, an annotation, or what is known
at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch

from ._identity import Cause, numbers_of_news

__all__ = ["Subjects", "annotated", "microseconds_utc", "mjd_tai_of", "newly_alerted", "with_news"]

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_UNIX_EPOCH_MJD = 40587.0
_TAI_MINUS_UTC_SECONDS = 37.0
_DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Subjects:
    """Objects and the newest thing that happened to each. All arrays have one element an object.

    Attributes
    ----------
    cause
        What happened, the same to all.
    diaObjectId
        Ascending.
    number
        The diaSourceId of the alert, the annotationID, or what `numbers_of_news` gives.
    exposureEndMjdTai
        End of the exposure of the alert, MJD TAI; NaN if unknown.
    arrivedMjdTai
        When the alert, annotation or news reached us, MJD TAI.
    """

    cause: Cause
    diaObjectId: Int64
    number: Int64
    exposureEndMjdTai: Float64
    arrivedMjdTai: Float64

    def __len__(self) -> int:
        return len(self.diaObjectId)

    @property
    def now(self) -> float:
        """The moment of the newest arrival, MJD TAI."""
        return float(self.arrivedMjdTai.max())

    def places(self, diaObjectId: Int64) -> Int64:
        """Where objects are among these; -1 for others."""
        if not len(self):
            return np.full(len(diaObjectId), -1, np.int64)
        found = np.minimum(np.searchsorted(self.diaObjectId, diaObjectId), len(self) - 1)
        return np.where(self.diaObjectId[found] == diaObjectId, found, -1)


def newly_alerted(batches: Sequence[AlertBatch]) -> Subjects:
    """The objects of the batches' alerts, each with its newest alert by (midpointMjdTai, diaSourceId)."""
    names = ("diaObjectId", "diaSourceId", "midpointMjdTai", "exposureEndMjdTai", "arrivedMjdTai")
    alerts = pa.concat_tables([_columns(batch.alerts, names) for batch in batches])
    alerts = alerts.filter(alerts.column("diaObjectId").is_valid())  # others are of the solar system
    ids, sources = (alerts.column(name).to_numpy().astype(np.int64) for name in names[:2])
    midpoint, exposure_end, arrived = (_floats(alerts.column(name)) for name in names[2:])
    order = np.lexsort((sources, midpoint, ids))
    last = order[_last_of_runs(ids[order])]
    return Subjects(Cause.ALERT, ids[last], sources[last], exposure_end[last], arrived[last])


def annotated(annotations: pa.Table) -> Subjects:
    """The objects of rows of table `annotations`, each with its newest annotation by annotationID."""
    ids = annotations.column("diaObjectId").to_numpy().astype(np.int64)
    number = annotations.column("annotationID").fill_null(0).to_numpy().astype(np.int64)
    arrived = mjd_tai_of(annotations.column("timestamp"))
    order = np.lexsort((number, ids))
    last = order[_last_of_runs(ids[order])]
    return Subjects(Cause.ANNOTATION, ids[last], number[last], np.full(len(last), np.nan), arrived[last])


def with_news(diaObjectId: Int64, revision: Int64, arrivedMjdTai: float) -> Subjects:
    """Objects, each once, of whose place something is news: as of which revision, and since when."""
    order = np.argsort(diaObjectId, kind="stable")
    ids = diaObjectId[order]
    count = len(ids)
    numbers = numbers_of_news(ids, revision[order])
    return Subjects(Cause.CONTEXT, ids, numbers, np.full(count, np.nan), np.full(count, arrivedMjdTai))


def mjd_tai_of(timestamps: pa.ChunkedArray) -> Float64:
    """Times in UTC as MJD TAI (TAI − UTC is 37 s since 2017); now for NULL."""
    microseconds = timestamps.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    now = int(datetime.now(UTC).timestamp() * 1e6)
    seconds = microseconds.fill_null(now).to_numpy().astype(np.float64) / 1e6
    return np.asarray(_UNIX_EPOCH_MJD + (seconds + _TAI_MINUS_UTC_SECONDS) / _DAY_SECONDS, np.float64)


def microseconds_utc(mjd_tai: float) -> int:
    """A time as microseconds since 1970 in UTC; the reverse of `mjd_tai_of`."""
    return round(((mjd_tai - _UNIX_EPOCH_MJD) * _DAY_SECONDS - _TAI_MINUS_UTC_SECONDS) * 1e6)


def _columns(table: pa.Table, names: Sequence[str]) -> pa.Table:
    kinds = [pa.int64(), pa.int64(), pa.float64(), pa.float64(), pa.float64()]
    columns = [
        table.column(name).cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    return pa.table(columns, names=list(names))


def _floats(column: pa.ChunkedArray) -> Float64:
    return np.asarray(column.to_numpy(), np.float64)  # NULL becomes NaN


def _last_of_runs(values: Int64) -> Int64:
    last = np.ones(len(values), np.bool_)
    last[:-1] = values[1:] != values[:-1]
    return np.flatnonzero(last)
