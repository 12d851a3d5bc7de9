"""What goes on beside the stream: something of others is looked at again and again."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

__all__ = ["Follower"]


class Follower(ABC):
    """Takes in what others announce, in a thread of its own.

    Attributes
    ----------
    thread_name
        Of the thread.
    awaited
        Whether the end is waited for. If not, what is in hand then is done anew by the next process.
    """

    thread_name: ClassVar[str]
    awaited: ClassVar[bool] = False

    def __init__(self) -> None:
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Started within, told to stop afterwards."""
        thread = threading.Thread(target=self._run, name=self.thread_name, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            if self.awaited:
                thread.join()

    @abstractmethod
    def _take(self) -> float:
        """Take in what there is now, and say for how many seconds nothing is to be done; never raises for
        what others do. When `self._stop` is set it comes back soon."""

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            wait = self._take()
