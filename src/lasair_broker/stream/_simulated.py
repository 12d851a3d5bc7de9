"""Alerts from the simulator, as fast as can be or at the telescope's pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lasair_broker.packets import Messages, mjd_tai_now
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import StreamSettings

from ._source import Positions, SourceError, Taken, positions_after

__all__ = ["SimulatorSource"]


class SimulatorSource:
    """A simulated survey. Its alerts follow from its parameters, so it reads on where the archive stands.

    Parameters
    ----------
    simulation
        The survey.
    stream
        How large a batch may get and, if paced, how long it may wait.
    alerts_per_second
        The pace (`simulator.LSST_ALERTS_PER_SECOND` is the telescope's); None: as fast as can be.
    again
        Begin at the first alert, whatever the archive has.
    """

    def __init__(
        self,
        simulation: Simulation,
        stream: StreamSettings | None = None,
        *,
        alerts_per_second: float | None = None,
        again: bool = False,
    ) -> None:
        if alerts_per_second is not None and not alerts_per_second > 0:
            raise SourceError(f"the pace must be positive, not {alerts_per_second} alerts a second")
        self._simulation = simulation
        self._stream = stream or StreamSettings()
        self._pace = alerts_per_second
        self._again = again
        self._alerts: Iterator[Messages] = iter(())
        self._waiting: Messages | None = None
        self._passed = 0
        self._began = 0.0

    def open(self, positions: Callable[[], Positions]) -> None:
        first = 0 if self._again else positions().get((self._simulation.name, 0), 0)
        self._alerts = self._simulation.alerts(first)
        self._began = time.monotonic()

    def read(self, stop: threading.Event) -> Taken | None:
        parts: list[Messages] = []
        count = size = 0
        began = time.monotonic()
        while not stop.is_set():
            part = self._waiting if self._waiting is not None else next(self._alerts, None)
            self._waiting = None
            if part is None:
                break
            part_size = sum(map(len, part.values))
            full = (
                count + len(part) > self._stream.batch_alerts or size + part_size > self._stream.batch_bytes
            )
            if parts and full:
                self._waiting = part
                break
            if self._pace is not None:
                self._passed += len(part)
                if stop.wait(max(0.0, self._began + self._passed / self._pace - time.monotonic())):
                    return None
            parts.append(part)
            count, size = count + len(part), size + part_size
            if self._pace is not None and time.monotonic() - began >= self._stream.batch_wait:
                break
        if not parts or stop.is_set():
            return None
        messages = _joined(parts)
        positions = positions_after(messages)
        return Taken(messages, positions, rewound=positions if self._again else ())

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
        self._alerts = iter(())


def _joined(parts: Sequence[Messages]) -> Messages:
    """Parts of one stream, one after the other; they arrive when they are taken, not when they were made."""
    count = sum(map(len, parts))
    return Messages(
        [value for part in parts for value in part.values],
        parts[0].topics,
        np.concatenate([part.topic for part in parts]),
        np.concatenate([part.partition for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.full(count, mjd_tai_now()),
    )
