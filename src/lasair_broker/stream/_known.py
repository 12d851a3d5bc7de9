"""The first stage: light curves as a whole, not as far back as a packet tells."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.archive import Archive, ArchiveError, LightCurve
from lasair_broker.packets import AlertBatch, SourceTable, with_known

__all__ = ["KnownLightCurves", "unite_with_known"]

Int64 = npt.NDArray[np.int64]

_MEASURED = ("diaObjectId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "timeWithdrawnMjdTai")

_COLUMNS = {
    "diaSources": (
        *_MEASURED,
        "diaSourceId",
        "ra",
        "decl",
        "raErr",
        "decErr",
        "reliability",
        "scienceFlux",
        "scienceFluxErr",
        "templateFlux",
    ),
    "diaForcedSources": (*_MEASURED, "diaForcedSourceId", "scienceFlux", "scienceFluxErr"),
    "diaNondetectionLimits": ("diaObjectId", "midpointMjdTai", "band"),
}
"""What features and magnitude triggers are computed from; other columns of known rows are NULL in the
stages."""


_ROUNDED_HISTORIES = frozenset({"ztf"})
"""Surveys whose packets repeat earlier detections with fewer digits, and another real-bogus score, than
their own packets had: for features that do not depend on it, what is held is read of every object."""


@dataclass(frozen=True, slots=True)
class _Passed:
    """A batch that has passed: its objects, and its light curves as long as somebody has them."""

    ids: Int64
    tables: dict[str, weakref.ref[SourceTable]]


class KnownLightCurves:
    """What is known of objects: in the archive, and in batches that are on their way there.

    While one batch is committed the next is already processed. The light curves of a batch are remembered
    as long as the loop holds it, and when it lets go of it the archive has them.

    Attributes
    ----------
    archive
        Where light curves are read; None for batches that stand for themselves.
    """

    def __init__(self, archive: Archive | None = None) -> None:
        self.archive = archive
        self._passed: list[_Passed] = []
        self._lock = threading.Lock()

    def beyond(self, batch: AlertBatch) -> dict[str, pa.Table]:
        """Rows that may not be in the packets of a batch, by the name of their table."""
        if self.archive is None:
            return {}
        # First what is on its way: it may arrive before the archive is asked, but is not lost in between.
        known = {name: self._on_the_way(name, batch) for name in _COLUMNS}
        held = self._held(self.archive, batch)
        return {name: pa.concat_tables([*rows, getattr(held, name)]) for name, rows in known.items()}

    def _held(self, archive: Archive, batch: AlertBatch) -> LightCurve:
        every = batch.survey in _ROUNDED_HISTORIES
        try:
            return archive.light_curves_beyond(batch, _COLUMNS, every=every)
        except ArchiveError:
            # After a disk was full an archive is opened anew, which breaks off what is being read.
            return archive.light_curves_beyond(batch, _COLUMNS, every=every)

    def remember(self, batch: AlertBatch) -> None:
        """Keep in mind that this batch is on its way to the archive."""
        if self.archive is None:
            return
        tables = {name: weakref.ref(getattr(batch, name)) for name in _COLUMNS}
        passed = _Passed(batch.objects.column("diaObjectId").to_numpy(), tables)
        with self._lock:
            self._passed = [one for one in self._passed if one.tables["diaSources"]() is not None]
            self._passed.append(passed)

    def _on_the_way(self, name: str, batch: AlertBatch) -> list[pa.Table]:
        ids = batch.objects.column("diaObjectId").to_numpy()
        rows = []
        with self._lock:
            on_the_way = list(self._passed)
        for passed in on_the_way:
            table = passed.tables[name]()
            if table is None:
                continue
            common = np.isin(passed.ids, ids)
            if common.any():
                rows.append(table.take(np.flatnonzero(common[table.object_row]), _COLUMNS[name]))
        return rows


def unite_with_known(batch: AlertBatch, known: KnownLightCurves) -> AlertBatch:
    """A batch whose light curves have all that is known of its objects, up to their newest detections.

    What the features are computed from then does not depend on how much of the past a packet repeats, nor on
    which alerts came together in a batch.
    """
    batch = with_known(batch, known.beyond(batch))
    known.remember(batch)
    return batch
