"""Alerts once more: those that were rejected, and those that are stored."""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch, Messages

from ._pipeline import Pipeline

__all__ = ["RenewReport", "RetryReport", "renew", "replay", "retry_rejected"]

_RETRY_MESSAGES = 1000

_RENEWAL = "lasair replay"
"""Under this topic, and a partition for each choice of objects, the archive keeps how far a renewal has come:
microseconds since MJD 0 of the arrival of the last alert, 0 when it is done."""

_DAY_MICROSECONDS = 86_400_000_000


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
    pipeline.read_known(archive)
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
    pipeline.read_known(archive)
    for stored in archive.replay(
        diaSourceIds=diaSourceIds,
        diaObjectIds=diaObjectIds,
        midpointMjdTai=midpointMjdTai,
        arrivedMjdTai=arrivedMjdTai,
        batch_alerts=batch_alerts,
    ):
        yield from pipeline.process(stored).batches


@dataclass(frozen=True, slots=True)
class RenewReport:
    """Objects looked at, those among them given a new state, and whether all of them had their turn."""

    objects: int
    renewed: int
    complete: bool


def renew(
    archive: Archive,
    pipeline: Pipeline,
    *,
    diaObjectIds: Sequence[int] | None = None,
    arrivedMjdTai: tuple[float, float] = (0.0, 1e6),
    resume: bool = False,
    stop: threading.Event | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    batch_alerts: int = 4000,
) -> RenewReport:
    """Compute the states of objects anew from their newest stored packets, and store them.

    Each batch is one transaction that also notes how far this has come. Done again, or killed and begun
    again, it stores the same states.

    Parameters
    ----------
    diaObjectIds
        Only these objects.
    arrivedMjdTai
        Only objects of alerts that arrived in this half-open range, MJD TAI (days).
    resume
        Go on where an interrupted renewal (with the same choice) stopped.
    stop
        When set, the batch in hand is finished, and this returns.
    on_progress
        Called with the number of objects done and the number of all.

    Raises
    ------
    ArchiveCorruptError
        If stored bytes are gone.
    StageBrokenError
        As `Pipeline.process`.
    """
    pipeline.read_known(archive)
    since, until = arrivedMjdTai
    key = (_RENEWAL, _number_of_choice(diaObjectIds, arrivedMjdTai))
    if resume:
        since = max(since, archive.positions().get(key, 0) / _DAY_MICROSECONDS)
    done = renewed = left = 0
    for stored in archive.replay(
        diaObjectIds=diaObjectIds, arrivedMjdTai=(since, until), newest=True, batch_alerts=batch_alerts
    ):
        if stop is not None and stop.is_set():
            return RenewReport(done, renewed, complete=False)
        position = _position(stored.alerts.column("arrivedMjdTai")[-1].as_py())
        batches = pipeline.process(stored).batches
        report = archive.write(batches, positions={key: position}, renew=True, rewound={key})
        done, left = done + stored.alerts.num_rows, stored.left
        renewed += report.updated_objects
        if on_progress is not None:
            on_progress(done, done + left)
    archive.write([], positions={key: 0}, rewound={key})
    return RenewReport(done, renewed, complete=True)


def _position(arrivedMjdTai: float) -> int:
    """Microseconds since MJD 0, surely before a moment: others may have arrived at the same, and doubles of
    today's dates are not good to a microsecond."""
    return math.floor(arrivedMjdTai * _DAY_MICROSECONDS) - 1


def _number_of_choice(diaObjectIds: Sequence[int] | None, arrivedMjdTai: tuple[float, float]) -> int:
    """A number for a choice of objects, so that one that was interrupted is not taken for another."""
    ids = None if diaObjectIds is None else sorted(set(diaObjectIds))
    return zlib.crc32(repr((ids, arrivedMjdTai)).encode()) >> 1


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
