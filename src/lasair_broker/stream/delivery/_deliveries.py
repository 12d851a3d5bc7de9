"""The service that brings hits to users: a thread that finds what waits, and workers that send it."""

from __future__ import annotations

import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pyarrow as pa
import structlog

from lasair_broker.archive import Archive
from lasair_broker.settings import DeliverySettings

from ._attempt import Attempts
from ._metrics import DeliveryMetrics
from ._outputs import Channel, Kind, Outcome, Output, Outputs
from ._recent import RecentHits
from ._sender import Sender

__all__ = ["Deliveries"]

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 1.0
_LEAST_SECONDS = 0.2
"""Between two looks at what waits, however often we are told that there is something new."""

_LEASE_SECONDS, _RENEW_SECONDS = 20.0, 5.0
"""For how long an output is ours, and how often that is prolonged: so long it waits if we are killed."""

_SLOW_SECONDS = 2.0
"""An output that took longer than this waits in a line of its own, so that it does not delay the others."""

_Lane = tuple[Channel, bool]
"""A line in which outputs wait for workers: by channel, the slow ones apart."""


class Deliveries:
    """Delivers hits until stopped: at least once, each with its hitId, in the order of their commits.

    An output's cursor moves only after its hits have arrived and are marked in the archive, so that whoever
    kills this at whatever moment causes repeats, never losses. Outputs are held while they are served, so
    that several of these services may run at once, on several machines.

    Parameters
    ----------
    archive
        Where hits are, and are marked.
    outputs
        Where they go, and the account of it.
    senders
        How, by channel. They are closed by `stop`.
    settings
        How many outputs are served at once, and how long an attempt may take.
    metrics
        Where to count.
    """

    def __init__(
        self,
        archive: Archive,
        outputs: Outputs,
        senders: Mapping[Channel, Sender],
        settings: DeliverySettings | None = None,
        metrics: DeliveryMetrics | None = None,
    ) -> None:
        settings = settings or DeliverySettings()
        self._archive = archive
        self._outputs = outputs
        self._senders = senders
        self._workers = settings.workers
        self._metrics = metrics or DeliveryMetrics()
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._ending = threading.Event()
        self._last_seconds = 0.0
        self._done: queue.SimpleQueue[tuple[Outcome, bool]] = queue.SimpleQueue()
        self._lanes: dict[_Lane, ThreadPoolExecutor] = {}
        self._busy: dict[int, _Lane] = {}
        self._renewed = 0.0
        self._slow: set[int] = set()
        self._hits = RecentHits(archive)
        self._attempts = Attempts(archive, self._hits, senders, settings.budget)
        self._looked_at: dict[int, float] = {}
        self._unsettled: list[Outcome] = []
        self._behind: dict[int, tuple[Channel, float]] = {}
        self._metrics.follow(self.backlog)
        self._thread = threading.Thread(target=self._run, name="lasair-deliver", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def notify(self, *anything: object) -> None:
        """Tell that there may be new hits, right after a commit. Returns at once; takes, and ignores,
        whatever it is called with, so that it can be a callback."""
        self._wake.set()

    def stop(self, seconds: float = 5.0) -> None:
        """End: what has been committed until now is still delivered, if it takes no longer than so many
        seconds; the rest waits for the next start."""
        self._last_seconds = seconds
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        for sender in set(self._senders.values()):
            sender.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.wait(_POLL_SECONDS * min(30, 1 << failures))
            self._wake.clear()
            try:
                self._settle()
                self._submit()
                failures = 0
            except Exception:
                # The archive or the user database cannot be had now. Nothing is lost by trying again.
                failures = min(failures + 1, 5)
                _log.exception("deliveries wait")
            self._stopping.wait(_LEAST_SECONDS)
        self._finish()
        self._ending.set()
        for pool in self._lanes.values():
            pool.shutdown()
        self._settle_finally()

    def _finish(self) -> None:
        """Deliver what waits, for as long as `stop` allows."""
        deadline = time.monotonic() + self._last_seconds
        try:
            while time.monotonic() < deadline:
                self._settle()
                self._submit()
                if not self._busy:
                    return
                self._wake.wait(_LEAST_SECONDS)
                self._wake.clear()
        except Exception:
            _log.exception("what waits is not delivered before the next start")

    def _submit(self) -> None:
        """Give the workers what waits and nobody is at."""
        self._hits.look()
        self._renew()
        waiting = {output.output_id: output.channel for output in self._outputs.due() if self._waits(output)}
        self._note_behind(waiting)
        if not waiting:
            return
        for output in self._outputs.take(tuple(waiting), self._holder, _LEASE_SECONDS):
            lane = self._busy[output.output_id] = output.channel, output.output_id in self._slow
            self._looked_at[output.output_id] = self._hits.newest(output.filter_id)
            if lane not in self._lanes:
                self._lanes[lane] = ThreadPoolExecutor(self._workers, f"lasair-deliver-{lane[0]}")
            self._lanes[lane].submit(self._serve, output)

    def _note_behind(self, waiting: Mapping[int, Channel]) -> None:
        """Keep in mind since when each output has hits to be sent."""
        now = time.monotonic()
        channels = {**waiting, **{output_id: lane[0] for output_id, lane in self._busy.items()}}
        since = self._behind
        self._behind = {
            output_id: (channel, since[output_id][1] if output_id in since else now)
            for output_id, channel in channels.items()
        }

    def backlog(self) -> dict[str, tuple[int, float]]:
        """By channel: how many outputs have hits to be sent, and seconds since the first of them has."""
        found: dict[str, tuple[int, float]] = {}
        now = time.monotonic()
        for channel, since in self._behind.values():
            count, longest = found.get(str(channel), (0, 0.0))
            found[str(channel)] = count + 1, max(longest, now - since)
        return found

    def _renew(self) -> None:
        """Keep the outputs that are being served ours."""
        now = time.monotonic()
        if self._busy and now - self._renewed > _RENEW_SECONDS:
            self._outputs.take(tuple(self._busy), self._holder, _LEASE_SECONDS)
            self._renewed = now

    def _waits(self, output: Output) -> bool:
        if output.output_id in self._busy:
            return False
        if output.held_back or output.again is not None:
            return True
        if output.channel is Channel.DIGEST and output.digest_until is None:
            return False
        newest = self._hits.newest(output.filter_id)
        return newest >= output.cursor[0] and (
            newest > self._looked_at.get(output.output_id, 0.0) or output.digest_until is not None
        )

    def _serve(self, output: Output) -> None:
        """Make an attempt, in a worker's thread; at the end, just let go of the output."""
        if self._ending.is_set():
            self._done.put((Outcome(output, Kind.NEW), True))
        else:
            self._done.put(self._attempts.make(output))
        self._wake.set()

    def _settle(self) -> None:
        """Mark the hits of finished attempts in the archive, and then move cursors on: in this order."""
        while True:
            try:
                outcome, more = self._done.get_nowait()
            except queue.Empty:
                break
            self._unsettled.append(outcome)
            output_id = outcome.output.output_id
            if more or outcome.error:
                self._looked_at.pop(output_id, None)
            if outcome.seconds > _SLOW_SECONDS:
                self._slow.add(output_id)
            else:
                self._slow.discard(output_id)
        if not self._unsettled:
            return
        noted = _deliveries_of(self._unsettled)
        if noted.num_rows:
            self._archive.note_deliveries(noted)
        self._outputs.settle(self._unsettled, self._holder)
        self._metrics.add(self._unsettled)
        for outcome in self._unsettled:
            del self._busy[outcome.output.output_id]
        self._unsettled = []

    def _settle_finally(self) -> None:
        for _ in range(3):
            try:
                self._settle()
            except Exception:
                _log.exception("what was delivered last could not be noted, and will be sent again")
                time.sleep(1.0)
            else:
                return


def _deliveries_of(outcomes: Iterable[Outcome]) -> pa.Table:
    """What the archive is to note of hits: rows of hitId, deliveredMjdTai, deliveryAttempts, deliveryError.

    A hit that went to several outputs gets the time of the first.
    """
    rows: dict[str, tuple[float | None, int, str | None]] = {}
    for outcome in outcomes:
        for _, hit in outcome.hits:
            at, attempts, error = rows.get(hit, (None, 0, None))
            failed = outcome.error or outcome.refused.get(hit) or None
            if failed is None:
                at = outcome.at if at is None else min(at, outcome.at)
            rows[hit] = (at, attempts + 1, None if at is not None else failed or error)
    times, attempts_, errors = zip(*rows.values(), strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "hitId": pa.array(list(rows), pa.string()),
            "deliveredMjdTai": pa.array(times, pa.float64()),
            "deliveryAttempts": pa.array(attempts_, pa.int32()),
            "deliveryError": pa.array(errors, pa.string()),
        }
    )
