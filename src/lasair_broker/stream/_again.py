"""Alerts once more: those that were rejected, and those that are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch, Messages

from ._pipeline import Pipeline

__all__ = ["RetryReport", "replay", "retry_rejected"]

_RETRY_MESSAGES = 1000


@dataclass(frozen=True, slots=True)
class RetryReport:
    """Rejected messages tried again, and how many are alerts of the archive now, or still rejected."""

    tried: int
    stored: int
    rejected: int


def retry_rejected(
    archive: Archive, pipeline: Pipeline, on_progress: Callable[[int, int], None] | None = None
) -> RetryReport:
    """Process rejected messages again, for instance since their schema has become known.

    Those that succeed are stored, and then leave table `rejected`; the others stay there with the newest
    reason. If this is killed between the two, the next retry finds the alert in the archive and does not
    store it twice.

    Parameters
    ----------
    on_progress
        Called with the number of messages tried and the number of all.
    """
    rows = archive.rejected()
    stored = 0
    for start in range(0, rows.num_rows, _RETRY_MESSAGES):
        some = rows.slice(start, _RETRY_MESSAGES)
        processed = pipeline.process(_messages(some))
        archive.write(processed.batches, processed.rejected)
        done = _keys(some) - _keys(processed.rejected)
        if done:
            archive.take_rejected(done)
        stored += len(done)
        if on_progress is not None:
            on_progress(start + some.num_rows, rows.num_rows)
    return RetryReport(rows.num_rows, stored, rows.num_rows - stored)


def replay(
    archive: Archive,
    pipeline: Pipeline,
    *,
    diaSourceIds: Sequence[int] | None = None,
    diaObjectIds: Sequence[int] | None = None,
    midpointMjdTai: tuple[float, float] | None = None,
    arrivedMjdTai: tuple[float, float] | None = None,
    batch_alerts: int = 4000,
) -> Iterator[AlertBatch]:
    """Send stored alerts through the pipeline again, in order of arrival, without storing what comes out.

    Parameters
    ----------
    diaSourceIds, diaObjectIds
        Only these detections or objects.
    midpointMjdTai, arrivedMjdTai
        Only detections at, or alerts that arrived in, this half-open range, MJD TAI (days).
    batch_alerts
        At most so many alerts at once.

    Yields
    ------
    AlertBatch
        Enriched as if it came now; alerts on which a stage fails are left out (and logged).

    Raises
    ------
    ArchiveCorruptError
        If stored bytes are gone.
    StageBrokenError
        As `Pipeline.process`.
    """
    for stored in archive.replay(
        diaSourceIds=diaSourceIds,
        diaObjectIds=diaObjectIds,
        midpointMjdTai=midpointMjdTai,
        arrivedMjdTai=arrivedMjdTai,
        batch_alerts=batch_alerts,
    ):
        yield from pipeline.process(stored).batches


def _messages(rejected: pa.Table) -> Messages:
    """Rows of table `rejected` as the messages they were."""
    topics = rejected.column("topic").combine_chunks().dictionary_encode()
    return Messages(
        [value or b"" for value in rejected.column("message").to_pylist()],
        tuple(topics.dictionary.to_pylist()),
        topics.indices.to_numpy(zero_copy_only=False).astype(np.int32),
        rejected.column("partition").to_numpy().astype(np.int32),
        rejected.column("offset").to_numpy(),
        rejected.column("arrivedMjdTai").to_numpy(),
    )


def _keys(rejected: pa.Table) -> set[tuple[str, int, int]]:
    columns = (rejected.column(name).to_pylist() for name in ("topic", "partition", "offset"))
    return set(zip(*columns, strict=True))
