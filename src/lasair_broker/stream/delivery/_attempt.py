"""One attempt at one output: from its cursor to what became of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.archive import Archive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.telemetry import Value, span

from ._light_curves import alerts_of
from ._outputs import Channel, Cursor, Kind, LightCurve, Outcome, Output
from ._parcel import Parcel
from ._recent import RecentHits
from ._sender import DeliveryError, Sender

__all__ = ["Attempts"]

_log = structlog.get_logger(__name__)

_DAY_SECONDS = 86400.0
_MOMENTS = {
    "commit": "committedMjdTai",
    "arrival": "arrivedMjdTai",
    "exposure_end": "exposureEndMjdTai",
}

_MOST_WITH_LIGHT_CURVES = 200
"""Hits that are read at once with light curves, which may be a hundred times as large as the hits."""


class Attempts:
    """Makes attempts. It keeps nothing between them, and may be used by many threads.

    Parameters
    ----------
    archive
        Where hits are.
    recent
        The newest of them, at hand.
    senders
        By channel.
    budget
        Seconds an attempt may take.
    """

    def __init__(
        self, archive: Archive, recent: RecentHits, senders: Mapping[Channel, Sender], budget: float
    ) -> None:
        self._archive = archive
        self._recent = recent
        self._senders = senders
        self._budget = budget

    def make(self, output: Output) -> tuple[Outcome, bool]:
        """Try to send what waits, and tell what became of it and whether more may be waiting."""
        about: dict[str, Value] = {"lasair.output": output.output_id, "lasair.channel": str(output.channel)}
        with span("deliver", about, "producer") as trace:
            outcome, more = self._made(output)
            trace.note({"lasair.filter_hits": len(outcome.hits), "lasair.kind": str(outcome.kind)})
            if outcome.hits:
                times = [committed for committed, _ in outcome.hits]
                trace.note({"lasair.hits_first": min(times), "lasair.hits_last": max(times)})
            if outcome.error:
                trace.failed(outcome.error)
            return outcome, more

    def _made(self, output: Output) -> tuple[Outcome, bool]:
        began = time.monotonic()
        kind = self._kind(output)
        hits: tuple[Cursor, ...] = ()
        try:
            sender = self._senders.get(output.channel)
            if sender is None:
                raise DeliveryError(f"this installation does not deliver by {output.channel}")
            if kind is Kind.SUMMARY:
                sender.summarise(output, output.held_back, self._budget)
                return self._ended(Outcome(output, kind, held_back=output.held_back), began), True
            page, cursor, full = self._page(output, sender, kind)
            sent = page if kind is Kind.AGAIN else page.slice(0, output.limit)
            hits = Parcel(sent).places
            refused = self._send(sender, output, sent) if len(sent) else {}
            now = mjd_tai_now()
            return (
                self._ended(
                    Outcome(
                        output,
                        kind,
                        hits,
                        cursor=cursor,
                        held_back=len(page) - len(sent),
                        refused=refused,
                        latencies={} if kind is Kind.AGAIN else _seconds_since(sent, now),
                        finished=not full,
                        pause=sender.pause if len(sent) and kind is Kind.NEW else 0.0,
                    ),
                    began,
                ),
                full or kind is Kind.AGAIN,
            )
        except DeliveryError as error:
            reason = str(error)
        except Exception as error:
            # The text of an unforeseen error might hold an address, so only where it came from is logged.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a delivery failed", output=output.output_id, error=type(error).__name__, where=where)
            reason = f"an error inside the broker ({type(error).__name__})"
        return self._ended(Outcome(output, kind, hits, error=reason), began), False

    def _kind(self, output: Output) -> Kind:
        """What is to be done first: new hits do not wait for old ones that are asked for again."""
        if output.held_back:
            return Kind.SUMMARY
        new = output.channel is not Channel.DIGEST and (
            self._recent.newest(output.filter_id) > output.cursor[0]
        )
        return Kind.AGAIN if output.again is not None and not new else Kind.NEW

    def _page(self, output: Output, sender: Sender, kind: Kind) -> tuple[pa.Table, Cursor, bool]:
        """The next hits, oldest first, the cursor after them, and whether there may be more."""
        again = output.again if kind is Kind.AGAIN else None
        most = sender.most
        if output.light_curve is not LightCurve.NONE:
            most = min(most, _MOST_WITH_LIGHT_CURVES)
        after, until = (output.cursor, output.digest_until) if again is None else (again.after, again.until)
        hits = self._recent.after(output.filter_id, after, until, most)
        if hits is None:
            hits = self._archive.hits_after(output.filter_id, after, until=until, limit=most)
        places = Parcel(hits).places
        if again is not None and again.only is not None:
            hits = hits.filter(pc.is_in(hits.column("hitId"), value_set=pa.array(sorted(again.only))))
        return hits, places[-1] if places else after, len(places) == most

    def _send(self, sender: Sender, output: Output, hits: pa.Table) -> Mapping[str, str]:
        alerts = alerts_of(self._archive, hits.column("diaObjectId").to_pylist(), output.light_curve)
        return sender.send(output, Parcel(hits, alerts), self._budget)

    @staticmethod
    def _ended(outcome: Outcome, began: float) -> Outcome:
        return replace(outcome, seconds=time.monotonic() - began, at=mjd_tai_now())


def _seconds_since(hits: pa.Table, now: float) -> dict[str, npt.NDArray[np.float64]]:
    """How long ago (s) hits were committed, had arrived and were exposed; NaN where that is not known."""
    return {
        since: (now - hits.column(name).to_numpy().astype(np.float64)) * _DAY_SECONDS
        for since, name in _MOMENTS.items()
    }
