"""Alerts from files, read on from where the archive stands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lasair_broker.packets import Messages, read_files
from lasair_broker.settings import StreamSettings

from ._source import Positions, SourceError, Taken, positions_after

__all__ = ["FileSource"]

_PREFIX = "file:"


class FileSource:
    """Packets in files and folders.

    Each file is a topic of its own; its position is the number of packets of it in the archive. So an ingest
    that was broken off goes on where it stopped, a file that has grown gives what is new, and a finished one
    gives nothing and is named in `already_ingested`. A file that cannot be read, or only in part, does not
    keep the others out: it is an error after the last of them.

    Parameters
    ----------
    paths
        As `packets.read_files` takes them.
    stream
        How large a batch may get.
    again
        Read everything from the beginning, whatever the archive has.
    """

    def __init__(
        self, paths: Sequence[str | Path], stream: StreamSettings | None = None, *, again: bool = False
    ) -> None:
        if not paths:
            raise SourceError("no files to read")
        self._paths = [Path(path).absolute() for path in paths]
        self._stream = stream or StreamSettings()
        self._again = again
        self._stored: dict[str, int] = {}
        self._given: set[str] = set()
        self._broken: list[str] = []
        self._messages: Iterator[Messages] = iter(())

    def open(self, positions: Callable[[], Positions]) -> None:
        for path in self._paths:
            if not path.exists():
                raise SourceError(f"{path}: no such file or folder")
        self._stored = {
            topic: offset for (topic, _), offset in positions().items() if topic.startswith(_PREFIX)
        }
        self._messages = read_files(
            self._paths,
            batch_messages=self._stream.batch_alerts,
            batch_bytes=self._stream.batch_bytes,
            positions={} if self._again else self._stored,
            on_broken=lambda error: self._broken.append(str(error)),
        )

    def read(self, stop: threading.Event) -> Taken | None:
        if stop.is_set():
            return None
        messages = next(self._messages, None)
        if messages is None:
            if self._broken:
                raise SourceError("\n".join(self._broken))
            return None
        self._given.update(messages.topics)
        positions = positions_after(messages)
        return Taken(messages, positions, rewound=positions if self._again else ())

    def already_ingested(self) -> list[Path]:
        """After the end: the files in which there was nothing that the archive had not."""
        known = [Path(topic.removeprefix(_PREFIX)) for topic in self._stored.keys() - self._given]
        asked = set(self._paths)
        return sorted(path for path in known if path in asked or not asked.isdisjoint(path.parents))

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
        self._messages = iter(())
