"""Objects whose states are computed anew, with all that follows from what is known at their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch

from .._pipeline import Pipeline
from ..filters import FilterStage

__all__ = ["Renewal", "Revisions"]

Int64 = npt.NDArray[np.int64]

_CHOSEN_AT_ONCE = 20_000
_ALERTS = 400
"""Objects in a step."""

Revisions = Callable[[AlertBatch], tuple[Int64, Int64]]
"""The objects of a batch of which there is news, each once, and as of which revision."""


class Renewal:
    """Computes states anew from the newest stored packets.

    Parameters
    ----------
    archive
        Of the objects.
    pipeline
        Known light curves, context and features, and no stage else: what the others said stays as it is.
    filters
        What is told of the news.
    """

    def __init__(self, archive: Archive, pipeline: Pipeline, filters: FilterStage | None = None) -> None:
        self._archive, self._pipeline, self._filters = archive, pipeline, filters
        pipeline.read_known(archive)

    def of(self, ids: Sequence[int], news: Revisions, arrivedMjdTai: float) -> Iterator[int]:
        """Renew objects; yields after each step how many have had their turn.

        Parameters
        ----------
        arrivedMjdTai
            When the news came, MJD TAI.

        Raises
        ------
        ArchiveCorruptError
            If stored packets are gone.
        StageBrokenError
            As `Pipeline.process`.
        """
        done = 0
        for first in range(0, len(ids), _CHOSEN_AT_ONCE):
            some = ids[first : first + _CHOSEN_AT_ONCE]
            for stored in self._archive.replay(diaObjectIds=some, newest=True, batch_alerts=_ALERTS):
                self._renew(self._pipeline.process(stored).batches, news, arrivedMjdTai)
                done += stored.alerts.num_rows
                yield done

    def _renew(self, batches: Sequence[AlertBatch], news: Revisions, arrivedMjdTai: float) -> None:
        if not batches:
            return  # a stage failed on them, as it had when they came
        tns = [batch.tables["crossmatch_tns"] for batch in batches if "crossmatch_tns" in batch.tables]
        tables = {"crossmatch_tns": pa.concat_tables(_unmarked(tns))} if tns else {}
        told = None
        if self._filters is not None:
            ids, revision = (np.concatenate(parts) for parts in zip(*map(news, batches), strict=True))
            told = self._filters.hits_of_renewed(batches, tables, ids, revision, arrivedMjdTai)
            if told.num_rows:
                tables["filter_hits"] = told
        self._archive.write(batches, tables=tables, renew=True)
        if told is not None and self._filters is not None:
            self._filters.news_committed(told)


def _unmarked(tables: Sequence[pa.Table]) -> list[pa.Table]:
    return [table.replace_schema_metadata() for table in tables]
