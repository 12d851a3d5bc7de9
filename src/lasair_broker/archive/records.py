"""What an archive is asked with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from lasair_broker.packets import Payloads
from lasair_broker.schema import Engine

from .packs import PackPlace

__all__ = [
    "CONE_COLUMNS",
    "LIGHT_CURVE_TABLES",
    "ArchiveStatus",
    "Finding",
    "LightCurve",
    "Packs",
    "Progress",
    "Rematch",
    "Rendered",
    "Stored",
    "TableStatus",
    "WriteReport",
]

Rendered = Callable[[Engine], str]
"""A query that can be written for either engine, as `lasair_broker.query.Query.render` does."""

Progress = Callable[[str, float], None]
"""Called in long work with what is being done and how much of all the work is done, 0 to 1."""

CONE_COLUMNS = ("diaObjectId", "objectName", "survey", "ra", "decl", "nDiaSources", "lastDiaSourceMjdTai")
"""What a cone tells of each object, unless asked for more: which, where, and whether it is of interest."""

LIGHT_CURVE_TABLES = ("diaSources", "diaForcedSources", "diaNondetectionLimits")


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What one `Archive.write` did.

    Attributes
    ----------
    alerts
        Alerts stored.
    duplicates
        Alerts that the archive already had, byte for byte, and that were not stored again.
    new_objects, updated_objects, stale_objects
        Objects seen for the first time; given a newer state; left as they were because a newer state was
        held.
    new_rows
        Rows added to each light curve table.
    changed_rows
        Rows of light curve tables replaced because they have been withdrawn since, or because the packet came
        of whose detection others had told.
    compared_objects
        Objects whose rows had to be compared one by one with those held, in any table.
    ss_sources, rejected, filter_hits
        Solar-system detections, rejected messages and new hits of filters stored.
    hitsMjdTai
        The `committedMjdTai` of the first and the last of the new hits; None if there are none.
    pack_bytes
        Bytes appended to the packs.
    seconds, upkeep_seconds
        Wall time of the transaction, and of the upkeep (sorting of recent rows, checkpoint) that followed it.
    """

    alerts: int = 0
    duplicates: int = 0
    new_objects: int = 0
    updated_objects: int = 0
    stale_objects: int = 0
    new_rows: Mapping[str, int] = field(default_factory=dict)
    changed_rows: int = 0
    compared_objects: int = 0
    ss_sources: int = 0
    rejected: int = 0
    filter_hits: int = 0
    hitsMjdTai: tuple[float, float] | None = None
    pack_bytes: int = 0
    seconds: float = 0.0
    upkeep_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LightCurve:
    """What is known of the brightness of one object, or of several, in order of (diaObjectId,
    midpointMjdTai)."""

    diaSources: pa.Table
    diaForcedSources: pa.Table
    diaNondetectionLimits: pa.Table


@dataclass(frozen=True, slots=True)
class Stored:
    """Stored alerts of one writer schema, ready to be decoded again.

    Attributes
    ----------
    payloads
        Their Avro datums.
    alerts
        Their rows of table `alerts`, in the same order.
    left
        How many alerts come after these.
    """

    payloads: Payloads
    alerts: pa.Table
    left: int = 0


@dataclass(frozen=True, slots=True)
class Rematch:
    """What a match found anew: rows in the place of all that a table has with some values of a column.

    Attributes
    ----------
    column
        A column of the table's primary key: `diaObjectId`, or the number of what was matched with objects.
    values
        Its values.
    rows
        Rows of the table, each with one of these values.
    """

    column: str
    values: Sequence[int]
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class TableStatus:
    """Size of a table: rows, of which `recent_rows` are not yet sorted in, and bytes on disk."""

    rows: int
    recent_rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """State of an archive.

    Attributes
    ----------
    where, engine, version
        Place, engine, and version of the archive's own layout.
    tables
        Size of each table.
    database_bytes, pack_bytes, packs
        Bytes of the tables and of the packs on disk; number of pack files.
    bytes_per_alert
        All bytes on disk for each alert stored; 0 without alerts.
    positions
        The offset to read next, by topic and partition.
    newestSourceMjdTai, newestAlertMjdTai
        Time of the newest detection and of the arrival of the newest alert, MJD TAI; None in an empty
        archive.
    """

    where: str
    engine: str
    version: int
    tables: Mapping[str, TableStatus]
    database_bytes: int
    pack_bytes: int
    packs: int
    bytes_per_alert: float
    positions: Mapping[tuple[str, int], int]
    newestSourceMjdTai: float | None
    newestAlertMjdTai: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `Archive.check` found: how bad it is, where, and in words."""

    severity: Literal["error", "warning"]
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Packs:
    """The packs of an archive: where they are, and the committed length of each in bytes.

    Of a pack of length 0 nothing counts any more; it waits to be removed.
    """

    place: PackPlace
    lengths: Mapping[str, int]
