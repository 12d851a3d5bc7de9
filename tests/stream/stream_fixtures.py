"""Messages, sources that do as they are told, and the contents of an archive, for tests of the stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.packets import Messages, mjd_tai_now, read_files
from lasair_broker.stream import Positions, Taken


def messages_of(paths: Sequence[Path]) -> list[bytes]:
    return [bytes(value) for messages in read_files(paths) for value in messages.values]


def messages(values: Sequence[bytes], topic: str = "alerts", first: int = 0) -> Messages:
    """Values as messages of one partition."""
    count = len(values)
    return Messages(
        list(values),
        (topic,),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.arange(first, first + count, dtype=np.int64),
        np.full(count, mjd_tai_now()),
    )


class ListSource:
    """Gives the values of a topic in batches of `size`, from the archive's position on."""

    def __init__(self, values: Sequence[bytes], size: int = 10, topic: str = "alerts") -> None:
        self.values, self.size, self.topic = list(values), size, topic
        self.told: list[Positions] = []
        self.closed = self.abandoned = False
        self.reads = 0
        self.keep: Callable[[Taken], np.ndarray | None] = lambda taken: None
        self._next = 0

    def open(self, positions: Callable[[], Positions]) -> None:
        self._next = positions().get((self.topic, 0), 0)

    def read(self, stop: threading.Event) -> Taken | None:
        if stop.is_set() or self._next >= len(self.values):
            return None
        self.reads += 1
        first, self._next = self._next, min(self._next + self.size, len(self.values))
        some = messages(self.values[first : self._next], self.topic, first)
        return Taken(some, {(self.topic, 0): self._next}, {(self.topic, 0): 1})

    def read_all(self) -> Messages:
        return messages(self.values, self.topic)

    def idle(self) -> None:
        pass

    def held(self, taken: Taken) -> np.ndarray | None:
        return self.keep(taken)

    def committed(self, taken: Taken) -> None:
        self.told.append(taken.positions)

    def lag(self) -> Positions:
        return {(self.topic, 0): len(self.values) - self._next}

    def abandon(self) -> None:
        self.abandoned = True

    def close(self) -> None:
        self.closed = True


def contents(archive: Archive) -> dict[str, pa.Table]:
    """What is in the archive, in an order of its own, without the times at which it got there."""
    order = {
        "alerts": ("survey", "diaSourceId", "topic", "partition", "offset"),
        "objects": ("diaObjectId",),
        "diaSources": ("diaObjectId", "diaSourceId"),
        "diaForcedSources": ("diaObjectId", "diaForcedSourceId"),
        "diaNondetectionLimits": ("diaObjectId", "midpointMjdTai", "band"),
        "ssSources": ("diaSourceId",),
        "ssObjects": ("ssObjectId",),
        "mpc_orbits": ("designation",),
        "cutouts": ("diaSourceId",),
        "rejected": ("topic", "partition", "offset"),
        "stream_positions": ("topic", "partition"),
    }
    varying = {"timestamp", "arrivedMjdTai", "decodedMjdTai", "committedMjdTai", "pack", "packOffset"}
    varying |= {"cutoutDifferenceOffset", "cutoutScienceOffset", "cutoutTemplateOffset"}
    found = {}
    for name, by in order.items():
        ordered = ", ".join(f'"{column}"' for column in by)
        sql = f'SELECT * FROM "{name}" ORDER BY {ordered}'
        table = archive.query(sql, max_rows=None, timeout=None)
        found[name] = table.select([column for column in table.column_names if column not in varying])
    return found


def assert_same(left: dict[str, pa.Table], right: dict[str, pa.Table]) -> None:
    """Both archives hold the same, NULLs included."""
    for name, table in left.items():
        other = right[name]
        assert table.num_rows == other.num_rows, name
        for column in table.column_names:
            assert table.column(column).equals(other.column(column)), f"{name}.{column}"
