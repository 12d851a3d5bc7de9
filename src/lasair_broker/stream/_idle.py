"""A source of no alerts, for a process that sees to everything else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ._source import Positions, Taken

__all__ = ["IdleSource"]


class IdleSource:
    """Waits until it is told to stop."""

    def open(self, positions: Callable[[], Positions]) -> None:
        pass

    def read(self, stop: threading.Event) -> Taken | None:
        stop.wait()
        return None

    def idle(self) -> None:
        pass

    def held(self, taken: Taken) -> npt.NDArray[np.bool_] | None:
        return None

    def committed(self, taken: Taken) -> None:
        pass

    def lag(self) -> Positions:
        return {}

    def abandon(self) -> None:
        pass

    def close(self) -> None:
        pass
