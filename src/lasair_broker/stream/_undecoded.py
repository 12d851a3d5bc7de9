"""Messages before decoding, new ones or the archive's: what it takes to decode and to divide them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import pyarrow as pa

from lasair_broker.archive import Stored
from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode, decode_datums
from lasair_broker.schema import arrow_schema

from ._source import select

__all__ = ["NewMessages", "StoredMessages", "Undecoded"]


class Undecoded(Protocol):
    """Some messages, all of them in one place."""

    def __len__(self) -> int: ...

    def decode(self, schemas: SchemaStore) -> tuple[list[AlertBatch], pa.Table]:
        """Batches, and rows of table `rejected`."""

    def part(self, start: int, stop: int) -> Self:
        """The messages from `start` to before `stop`."""

    def place(self) -> dict[str, Any]:
        """Topic, partition and offset of the only message."""

    def rejected(self, reason: str) -> pa.Table:
        """The row of table `rejected` of the only message."""


@dataclass(frozen=True, slots=True)
class NewMessages:
    """Messages as a source gave them."""

    messages: Messages

    def __len__(self) -> int:
        return len(self.messages)

    def decode(self, schemas: SchemaStore) -> tuple[list[AlertBatch], pa.Table]:
        return decode(self.messages, schemas)

    def part(self, start: int, stop: int) -> NewMessages:
        return NewMessages(select(self.messages, slice(start, stop)))

    def place(self) -> dict[str, Any]:
        messages = self.messages
        topic = messages.topics[int(messages.topic[0])]
        return {"topic": topic, "partition": int(messages.partition[0]), "offset": int(messages.offset[0])}

    def rejected(self, reason: str) -> pa.Table:
        messages = self.messages
        arrived = float(messages.arrivedMjdTai[0])
        return _rejected(self.place(), arrived, reason, bytes(messages.values[0]))


@dataclass(frozen=True, slots=True)
class StoredMessages:
    """Alerts that the archive keeps, of one writer schema."""

    stored: Stored

    def __len__(self) -> int:
        return len(self.stored.payloads)

    def decode(self, schemas: SchemaStore) -> tuple[list[AlertBatch], pa.Table]:
        batch, rejected = decode_datums(self.stored.payloads, self.stored.alerts, schemas)
        return ([] if batch is None else [batch]), rejected

    def part(self, start: int, stop: int) -> StoredMessages:
        payloads = self.stored.payloads
        some = replace(payloads, address=payloads.address[start:stop], length=payloads.length[start:stop])
        return StoredMessages(Stored(some, self.stored.alerts.slice(start, stop - start)))

    def place(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stored.alerts.select(["topic", "partition", "offset"]).to_pylist()[0]
        return found

    def rejected(self, reason: str) -> pa.Table:
        arrived = self.stored.alerts.column("arrivedMjdTai")[0].as_py()
        return _rejected(self.place(), arrived, reason, self.stored.payloads.bytes(0))


def _rejected(place: dict[str, Any], arrived: float, reason: str, message: bytes) -> pa.Table:
    row = {**place, "arrivedMjdTai": arrived, "reason": reason, "message": message}
    return pa.Table.from_pylist([row], schema=arrow_schema("rejected"))
