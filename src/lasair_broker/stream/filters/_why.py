"""Why a filter takes an object, or does not."""

from __future__ import annotations

from dataclasses import dataclass

from lasair_broker.archive import Archive
from lasair_broker.query import BatchFrame, Condition, Query, StreamPlan, columns_read, of_objects, why

from ._tables import state_of_objects

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter makes of an object.

    Attributes
    ----------
    diaObjectId, objectName
        The object.
    passes
        Whether the filter takes it, as the archive knows it now.
    conditions
        Each condition with its outcome and the values it saw.
    """

    diaObjectId: int
    objectName: str | None
    passes: bool
    conditions: tuple[Condition, ...]


def verdict(archive: Archive, query: Query, key: int | str) -> Verdict | None:
    """What a filter's query makes of an object, by `diaObjectId` or `objectName`; None for an unknown object.

    Raises
    ------
    QueryError
        If the query groups or unites rows, so that it has no conditions on one object.
    """
    found = archive.object(key, ["diaObjectId", "objectName"])
    if not found.num_rows:
        return None
    number = int(found.column("diaObjectId")[0].as_py())
    frame = BatchFrame(state_of_objects(archive, [number], {}, columns_read(query)))
    passes = StreamPlan(of_objects(query)).run(frame).rows.num_rows > 0
    name = found.column("objectName")[0].as_py()
    return Verdict(number, name, passes, tuple(why(query, frame)))
