"""What the stages have done, kept by night in table `stage_nights`: one row a stage, night and process."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import structlog

from lasair_broker.archive import Archive, ArchiveError
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import arrow_schema

from ._progress import Progress
from ._times import StageTime, StageTimes

__all__ = ["NightKeeper"]

_log = structlog.get_logger(__name__)

_KEEP_SECONDS = 60.0
"""Rows go with a commit this often; what was done since then is lost in a crash."""


class NightKeeper:
    """A commit stage that keeps the sums of all stages by night.

    Parameters
    ----------
    archive
        For the end, when no commit comes any more.
    times
        The sums, since the process began.
    now
        Gives the time, MJD TAI.
    clock
        Gives seconds.
    """

    name = "nights"

    def __init__(
        self,
        archive: Archive,
        times: StageTimes,
        *,
        now: Callable[[], float] = mjd_tai_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive, self._times, self._now, self._clock = archive, times, now, clock
        self._worker = secrets.token_hex(8)
        self._night = self._night_now()
        self._begun: Mapping[str, StageTime] = {}
        self._lags = _Lags()
        self._kept = -math.inf
        self._ended: list[pa.Table] = []
        self._given = False

    def seen(self, progress: Progress) -> None:
        """Note how many messages wait; called after each commit."""
        self._lags.add(sum(progress.lag.values()))

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        """The rows of the night, now and then; of the night that ended, at once."""
        night = self._night_now()
        if night != self._night:
            self._ended.append(self._rows())
            self._night, self._begun, self._lags = night, dict(self._times.report()), _Lags()
        elif not self._ended and self._clock() - self._kept < _KEEP_SECONDS:
            return {}
        rows = self._unkept()
        self._given = True
        return {"stage_nights": rows} if rows.num_rows else {}

    def committed(self) -> None:
        """See `CommitStage`."""
        if self._given:
            self._kept, self._ended, self._given = self._clock(), [], False

    def idle(self) -> None:
        """Nothing is to be done then: the next commit, or the end, takes what there is."""

    def finish(self) -> None:
        """Keep what was done since the last time."""
        rows = self._unkept()
        if not rows.num_rows:
            return
        try:
            self._archive.write([], tables={"stage_nights": rows})
        except ArchiveError as error:  # which may be why the stream ends
            _log.warning("what the stages did last is not kept", reason=str(error))

    def _night_now(self) -> int:
        return math.floor(self._now() - 0.5)

    def _unkept(self) -> pa.Table:
        return pa.concat_tables([*self._ended, self._rows()])

    def _rows(self) -> pa.Table:
        rows = []
        for stage, sums in self._times.report().items():
            before = self._begun.get(stage, StageTime())
            row = {
                "night": self._night,
                "worker": self._worker,
                "stage": stage,
                "alerts": sums.alerts - before.alerts,
                "seconds": sums.seconds - before.seconds,
                "cpuSeconds": sums.cpu_seconds - before.cpu_seconds,
                "failures": sums.failures - before.failures,
            }
            if stage == "read" and self._lags.count:
                row |= {"lagMean": self._lags.total / self._lags.count, "lagMax": self._lags.most}
            if row["alerts"] or row["failures"]:
                rows.append(row)
        return pa.Table.from_pylist(rows, arrow_schema("stage_nights"))


class _Lags:
    """Messages that waited, after each commit of a night."""

    def __init__(self) -> None:
        self.count, self.total, self.most = 0, 0, 0

    def add(self, waiting: int) -> None:
        self.count, self.total, self.most = self.count + 1, self.total + waiting, max(self.most, waiting)
