"""Messages in, enriched batches out; a message that a stage cannot bear is set aside, the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pyarrow as pa
import structlog

from lasair_broker.archive import Archive, ArchiveError, Stored
from lasair_broker.packets import AlertBatch, Messages, SchemaStore

from ._known import KnownLightCurves
from ._partners import KnownObjects
from ._times import StageTimes
from ._undecoded import NewMessages, StoredMessages, Undecoded

__all__ = ["Pipeline", "Processed", "Resource", "Stage", "StageBrokenError"]

_log = structlog.get_logger(__name__)

R = TypeVar("R")

_TOLD = 10
"""So many messages that cannot be read are told of one by one in the log; all are in table `rejected`."""


class Resource(Generic[R]):
    """What a stage needs beside the batch (a catalogue, a model, lists), replaced as a whole when it changes.

    A stage is given the value once for each batch, so that it never sees half of a change.
    """

    def __init__(self, value: R) -> None:
        self._value = value

    def get(self) -> R:
        return self._value

    def swap(self, value: R) -> R:
        """Put `value` in its place from the next batch on; gives back the old one."""
        old, self._value = self._value, value
        return old


@dataclass(frozen=True, slots=True)
class Stage(Generic[R]):
    """One step of the pipeline: a pure function of a batch and what it needs."""

    name: str
    enrich: Callable[[AlertBatch, R], AlertBatch]
    resource: Resource[R]

    def __call__(self, batch: AlertBatch) -> AlertBatch:
        return self.enrich(batch, self.resource.get())


class StageBrokenError(RuntimeError):
    """A stage fails on too many alerts for it to be the alerts' fault. Nothing of the batch was stored."""


class _StageFailedError(Exception):
    """A stage raised on this batch."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(f"{stage}: {type(cause).__name__}: {cause}")


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of some messages: batches to store, and rows of table `rejected`."""

    batches: list[AlertBatch]
    rejected: pa.Table

    @property
    def alerts(self) -> int:
        return sum(batch.alerts.num_rows for batch in self.batches)


class Pipeline:
    """Decoding and the stages after it.

    Parameters
    ----------
    schemas
        Where writer schemas are found.
    stages
        In the order in which batches go through them.
    poison_limit
        So many messages of one call may be rejected because a stage fails on them. At more, the stage itself
        is taken to be broken: better to stop, with nothing lost, than to reject a night.
    times
        Where to count.
    """

    def __init__(
        self,
        schemas: SchemaStore,
        stages: Sequence[Stage[Any]],
        *,
        poison_limit: int = 100,
        times: StageTimes | None = None,
    ) -> None:
        self.schemas = schemas
        self.stages = tuple(stages)
        self.times = times or StageTimes()
        self._poison_limit = poison_limit

    def read_known(self, archive: Archive | None) -> None:
        """Let the stages that need what is known of objects read it in this archive; None: let it be."""
        for stage in self.stages:
            value = stage.resource.get()
            if isinstance(value, KnownLightCurves | KnownObjects):
                value.archive = archive

    def process(self, messages: Messages | Stored) -> Processed:
        """Decode messages, new ones or the archive's, and run the stages over what they hold.

        If a stage raises, the messages are halved until those it raises on stand alone; they are rejected
        with the reason. Errors that no message can cause (no memory; a file, host or archive that cannot be
        reached) are not caught.

        Raises
        ------
        StageBrokenError
            If more than `poison_limit` messages would be rejected for a stage.
        """
        undecoded = NewMessages(messages) if isinstance(messages, Messages) else StoredMessages(messages)
        poison: list[pa.Table] = []
        parts = self._process(undecoded, poison)
        for part in parts:
            _tell(part.rejected)
        return Processed(
            [batch for part in parts for batch in part.batches],
            pa.concat_tables([*(part.rejected for part in parts), *poison]),
        )

    def _process(self, undecoded: Undecoded, poison: list[pa.Table]) -> list[Processed]:
        try:
            return [self._attempt(undecoded)]
        except _StageFailedError as failure:
            count = len(undecoded)
            if count == 1:
                _log.error(
                    "a stage failed on an alert",
                    reason=str(failure),
                    **undecoded.place(),
                    **self._ids(undecoded),
                )
                poison.append(undecoded.rejected(str(failure)))
                if len(poison) > self._poison_limit:
                    most = f"more than {self._poison_limit} alerts of a batch"
                    raise StageBrokenError(f"{most} failed, the last with {failure}") from failure.__cause__
                return []
            first = self._process(undecoded.part(0, count // 2), poison)
            return first + self._process(undecoded.part(count // 2, count), poison)

    def _ids(self, undecoded: Undecoded) -> dict[str, Any]:
        """The numbers by which people know a single alert, if it can be decoded."""
        try:
            batches, _ = undecoded.decode(self.schemas)
        except (ValueError, KeyError, TypeError, pa.ArrowException):  # it may be what the stage failed on
            return {}
        names = ("survey", "diaSourceId", "diaObjectId", "ssObjectId")
        return {
            name: value
            for batch in batches
            for name, value in batch.alerts.select(names).slice(0, 1).to_pylist()[0].items()
            if value is not None
        }

    def _attempt(self, undecoded: Undecoded) -> Processed:
        stage = "decode"
        try:
            with self.times.measure(stage, len(undecoded)):
                batches, rejected = undecoded.decode(self.schemas)
            for number, batch in enumerate(batches):
                enriched = batch
                for step in self.stages:
                    stage = step.name
                    with self.times.measure(stage, enriched.alerts.num_rows):
                        enriched = step(enriched)
                batches[number] = enriched
        except (MemoryError, OSError, ArchiveError):
            raise
        except Exception as error:
            raise _StageFailedError(stage, error) from error
        return Processed(batches, rejected)


def _tell(rejected: pa.Table) -> None:
    """Where messages were that cannot be read; of a batch with very many, only the first."""
    for row in rejected.slice(0, _TOLD).select(["topic", "partition", "offset", "reason"]).to_pylist():
        _log.warning("a message cannot be read", **row)
    if rejected.num_rows > _TOLD:
        _log.warning("more messages cannot be read", messages=rejected.num_rows - _TOLD)
