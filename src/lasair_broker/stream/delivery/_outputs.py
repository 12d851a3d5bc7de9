"""What delivery needs to know of outputs, and where it keeps account. Declared here, kept elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lasair_broker.query import Query

__all__ = ["Again", "Channel", "Cursor", "Kind", "LightCurve", "Outcome", "Output", "Outputs"]

Cursor = tuple[float, str]
"""A place in the order in which hits are delivered: (committedMjdTai, hitId) of the last one dealt with."""


class Channel(StrEnum):
    """How hits get to somebody."""

    KAFKA = "kafka"
    EMAIL = "email"
    DIGEST = "digest"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class LightCurve(StrEnum):
    """How much of the light curve goes with a hit: nothing, what a plot needs, or all that is known."""

    NONE = "none"
    LITE = "lite"
    FULL = "full"


class Kind(StrEnum):
    """What an attempt was for: new hits, hits asked for again, or a summary of hits above the limit."""

    NEW = "new"
    AGAIN = "again"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Again:
    """Hits of the past that somebody wants again.

    Attributes
    ----------
    request_id
        Number of the request.
    after
        How far it has come.
    until
        Only hits committed until then, MJD TAI.
    only
        Only these hits; None: all of the interval.
    """

    request_id: int
    after: Cursor
    until: float
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One place where a filter's hits go, and how far it has come.

    Attributes
    ----------
    output_id, filter_id
        Numbers of the output and of its filter.
    name
        Of the filter.
    channel
        How.
    cursor
        The last hit dealt with.
    topic
        For Kafka: the topic.
    readers
        For Kafka: the principals that may read the topic; None: everybody.
    avro
        For Kafka: Avro instead of JSON.
    light_curve
        What goes with a hit.
    address
        For webhook and apprise the URL, for e-mail the address. Whoever has it may be able to post in
        somebody's name, so it is a secret.
    secret
        Signs webhooks.
    limit
        Hits that may still be sent this hour; None: no limit.
    hourly_limit
        Hits an hour; for the summary.
    held_back
        Hits above the limit, of which a summary is due now; 0: none is due.
    digest_until
        For a digest: it is made of hits committed until then, MJD TAI.
    again
        What somebody wants again from this output.
    """

    output_id: int
    filter_id: int
    name: str
    channel: Channel
    cursor: Cursor
    topic: str = ""
    readers: tuple[str, ...] | None = None
    avro: bool = False
    light_curve: LightCurve = LightCurve.NONE
    address: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    limit: int | None = None
    hourly_limit: int | None = None
    held_back: int = 0
    digest_until: float | None = None
    again: Again | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    Attributes
    ----------
    output
        As it was when the attempt began.
    kind
        What it was for.
    hits
        The (committedMjdTai, hitId) of hits that were sent, or that could not be, oldest first.
    cursor
        The place that is dealt with now, whatever came of single hits; None if the attempt failed, or was
        not made.
    held_back
        Hits up to the cursor that were not sent because of the limit.
    refused
        Hits that can never be sent, with the reason.
    finished
        No more hits were waiting.
    pause
        Seconds to leave the output alone.
    seconds
        Time it took.
    at
        When it ended, MJD TAI.
    latencies
        For new hits that were sent: the time (s) until then since "commit", "arrival" and "exposure_end", NaN
        where it is not known.
    error
        Why it failed; "" if it did not.
    """

    output: Output
    kind: Kind
    hits: tuple[Cursor, ...] = ()
    cursor: Cursor | None = None
    held_back: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    finished: bool = False
    pause: float = 0.0
    seconds: float = 0.0
    at: float = 0.0
    latencies: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, compare=False)
    error: str = ""


class Outputs(Protocol):
    """Where outputs are kept, with the account of what they have had. Called from one thread at a time."""

    def due(self) -> Sequence[Output]:
        """The outputs that are switched on and may be tried now."""

    def take(self, output_ids: Collection[int], holder: str, seconds: float) -> Sequence[Output]:
        """Keep other workers off these outputs for so long; gives those of them that were free, as they are
        now. Taking again what one holds prolongs it."""

    def settle(self, outcomes: Sequence[Outcome], holder: str) -> None:
        """Note outcomes and let go of their outputs, all or nothing.

        A cursor moves only forward, and only if `holder` still has the output: whoever was thought dead and
        is not may have sent hits a second time, but does not lose any.
        """

    def query(self, filter_id: int, version: int) -> Query | None:
        """The query of a version of a filter; None if it cannot be read any more."""
