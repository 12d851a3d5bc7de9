"""What a source of alerts is: something that gives messages, and says where to read on once they are safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lasair_broker.packets import Messages

__all__ = [
    "Partition",
    "Positions",
    "Source",
    "SourceError",
    "Taken",
    "positions_after",
    "select",
]

Partition = tuple[str, int]
"""A topic and the number of a partition of it."""

Positions = Mapping[Partition, int]
"""For each partition the offset of the message to read next."""


class SourceError(RuntimeError):
    """A source cannot give messages, and waiting will not help; the message says why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages taken from a source.

    Attributes
    ----------
    messages
        In the order in which the source gave them; offsets of a partition increase.
    positions
        Where to read on when these messages are safe.
    claims
        Under which claim each partition was held when the messages were taken: a source whose partitions can
        be taken away changes the number when that happens (see `Source.held`).
    rewound
        Partitions that are read anew on purpose, and whose positions so may lie before the archive's.
    """

    messages: Messages
    positions: Positions
    claims: Mapping[Partition, int] = field(default_factory=dict)
    rewound: Collection[Partition] = ()


class Source(Protocol):
    """Where alerts come from. `read` is called from one thread, everything else from any."""

    def open(self, positions: Callable[[], Positions]) -> None:
        """Get ready to read on from what `positions` says when asked (the archive's word, not the source's).

        Raises SourceError if there is nothing to be had, with the reason.
        """

    def read(self, stop: threading.Event) -> Taken | None:
        """The next messages, waiting for them if need be; None at the end, or when `stop` is set."""

    def idle(self) -> None:
        """Show signs of life instead of reading: called by the reading thread while it may not read."""

    def held(self, taken: Taken) -> npt.NDArray[np.bool_] | None:
        """Which of the messages are still ours to store, or None for all of them.

        A partition may be given to another worker while its messages are under way here; that worker reads
        them again from the archive's position, so storing them here would store them twice.
        """

    def committed(self, taken: Taken) -> None:
        """Be told that the messages are safe (or were given up, after `held`)."""

    def lag(self) -> Positions:
        """How many messages wait in each partition, as far as is known without asking anybody."""

    def abandon(self) -> None:
        """Be told that nothing taken will be committed any more; whoever waits for that need not."""

    def close(self) -> None:
        """Leave. Nothing is lost: what was taken and not committed will be given again."""


def positions_after(messages: Messages) -> dict[Partition, int]:
    """For each partition in `messages` the offset after its last message."""
    if not len(messages):
        return {}
    key = (messages.topic.astype(np.int64) << 32) | messages.partition.astype(np.int64)
    partitions, place = np.unique(key, return_inverse=True)
    last = np.full(len(partitions), -1, np.int64)
    np.maximum.at(last, place, messages.offset)
    return {
        (messages.topics[int(k) >> 32], int(k) & 0xFFFFFFFF): int(offset) + 1
        for k, offset in zip(partitions, last, strict=True)
    }


def select(messages: Messages, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Messages:
    """The messages at `rows` (a mask, indices or a slice), in that order."""
    index = np.arange(len(messages))[rows]
    values: Sequence[bytes] = [messages.values[i] for i in index.tolist()]
    return Messages(
        values,
        messages.topics,
        messages.topic[index],
        messages.partition[index],
        messages.offset[index],
        messages.arrivedMjdTai[index],
    )
