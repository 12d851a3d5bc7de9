"""Work that has to know what the batch before has committed, and so cannot run ahead as other stages do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from lasair_broker.packets import AlertBatch

__all__ = ["CommitStage"]


class CommitStage(Protocol):
    """A stage in the committing half of the loop. All methods are called from the thread that commits.

    Attributes
    ----------
    name
        For metrics.
    """

    name: str

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        """Rows to commit together with the batches, by table of the schema.

        Called right before the commit, when the archive holds everything earlier; and once more if that
        commit fails for want of room and is tried again.

        Parameters
        ----------
        batches
            Enriched batches of one commit, of distinct writer schemas.
        tables
            What the commit stages before this one gave.
        """

    def committed(self) -> None:
        """Be told that what `tables` gave last is safe."""

    def idle(self) -> None:
        """Called after each commit and about twice a second while there is nothing to commit: the moment for
        commits of one's own."""
