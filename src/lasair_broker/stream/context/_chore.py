"""What the ways of carrying news to stored objects have in common: how far they are, and what is due."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch

__all__ = ["Chore", "Done", "Due"]

Done = tuple[int, int]
"""How much of some work is done, and how much there is in all."""


@dataclass(frozen=True, slots=True)
class Due:
    """Work to do.

    Attributes
    ----------
    target
        The position of the chore when the work is done.
    work
        Does it, in steps of a fraction of a second, and ends with a call of `Chore.reached`.
    """

    target: int
    work: Iterator[Done]


class Chore(ABC):
    """News of one kind. The archive keeps as a position what news its objects have.

    A batch that is committed with older news than its objects had loses them some. The position then falls
    back in time, so that it is all due again. That is noted before the batch is committed, so that a process
    killed right after it finds it due, too.

    All methods are called from the thread that commits. Where one process writes, nothing comes between what
    a step reads and what it writes. A step leaves the archive whole.

    Parameters
    ----------
    archive
        Whose objects are to have the news.
    name
        Of the chore, for people and in table `chores`.
    """

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive = archive
        self.name = name
        self._key = (f"lasair {name}", 0)
        self._position = archive.positions().get(self._key, 0)
        self._target: int | None = None
        self._fallen: int | None = None

    @property
    def position(self) -> int:
        """What news the objects of the archive have."""
        return self._position

    def refresh(self) -> None:
        """Read how far another process has come, which sees to the chore."""
        self._position = self._archive.positions().get(self._key, 0)

    @abstractmethod
    def due(self) -> Due | None:
        """Look for news; None if there are none. Asked about every second.

        Raises
        ------
        ContextError
            If they cannot be read.
        """

    @abstractmethod
    def made_up_to(self, batch: AlertBatch) -> int:
        """What news a batch was made with."""

    @property
    def _reached(self) -> int:
        """What news a batch must have been made with."""
        return self._position if self._target is None else max(self._position, self._target)

    def committing(self, batches: Sequence[AlertBatch]) -> None:
        """Be told of batches right before they are committed."""
        reached = self._reached
        oldest = min((self.made_up_to(batch) for batch in batches if batch.objects.num_rows), default=reached)
        if oldest >= reached:
            return
        self._fallen = oldest if self._fallen is None else min(oldest, self._fallen)
        if oldest < self._position:
            self._archive.write([], positions={self._key: oldest}, rewound={self._key})
            self._position = oldest

    def begin(self, due: Due) -> Iterator[Done]:
        """Begin work; returns its steps."""
        self._target, self._fallen = due.target, None
        return due.work

    def abandon(self) -> None:
        """Let go of work that has not ended; it is due again."""
        self._target = None

    def _end(self, target: int) -> dict[tuple[str, int], int]:
        """The position to store with the last of some work."""
        return {self._key: target if self._fallen is None else min(target, self._fallen)}

    def _ended(self, stored: dict[tuple[str, int], int]) -> None:
        """Be told that it is stored."""
        self._position = stored[self._key]
        self._target = None
