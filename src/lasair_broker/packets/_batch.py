"""The canonical shape of alerts: what every survey's packets become at the door, and what every stage takes.

An `AlertBatch` is object-centred. Alerts of one object in one batch are united: `objects` has one row for
each distinct object, and the rows of `diaSources`, `diaForcedSources` and `diaNondetectionLimits` are
sorted by (row of `objects`, midpointMjdTai, id) without doubles, with offsets that say which rows belong to
which object.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ._source_table import SourceTable

__all__ = ["AlertBatch", "Messages", "Payloads"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages as a source gave them, before anything is known of their contents.

    Attributes
    ----------
    values
        The bytes of each message: Confluent-framed, an Avro object container, or gzip of either.
    topics
        The distinct topics; a file is the topic ``file:<absolute path>``.
    topic, partition, offset
        For each message the index into `topics`, its partition and its offset there.
    arrivedMjdTai
        When each message reached us, MJD TAI in days.
    """

    values: Sequence[bytes]
    topics: tuple[str, ...]
    topic: npt.NDArray[np.int32]
    partition: npt.NDArray[np.int32]
    offset: Int64
    arrivedMjdTai: Float64

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Payloads:
    """The Avro datum of each alert, uncompressed and without framing: views into what `owners` keep alive.

    This is what the raw pack stores; with the schema's fingerprint it can be decoded again. Cut-outs are
    given by their offset and length within the datum.
    """

    address: Int64
    length: Int64
    owners: tuple[Any, ...]
    schema_fingerprint: int
    schema_json: str

    def __len__(self) -> int:
        return len(self.address)

    def bytes(self, row: int) -> bytes:
        """A copy of the datum of alert `row`."""
        return ctypes.string_at(int(self.address[row]), int(self.length[row]))


@dataclass(frozen=True)
class AlertBatch:
    """Alerts of one survey and schema as columns. Stages return a new batch with more columns or tables.

    Attributes
    ----------
    survey
        "lsst", "ztf" or "elasticc".
    alerts
        One row for each message that could be read, in order of arrival (table `alerts` of the schema).
    objects
        One row for each distinct object, its newest state (a growing subset of the columns of table
        `objects`).
    diaSources, diaForcedSources, diaNondetectionLimits
        The light curves of those objects.
    ssSources, ssObjects, mpc_orbits
        Solar-system detections, bodies and orbits, one row each.
    payloads
        The datum of each row of `alerts`.
    tables
        Tables of matches that stages add, by their name in the schema.
    unstated
        For the columns of `objects` that follow from detections where the survey states nothing, in which
        rows that is so.
    """

    survey: str
    alerts: pa.Table
    objects: pa.Table
    diaSources: SourceTable
    diaForcedSources: SourceTable
    diaNondetectionLimits: SourceTable
    ssSources: pa.Table
    ssObjects: pa.Table
    mpc_orbits: pa.Table
    payloads: Payloads
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    unstated: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def with_object_columns(self, columns: Mapping[str, pa.Array]) -> AlertBatch:
        """This batch with columns added to `objects`, replacing those of the same name."""
        objects = self.objects
        for name, values in columns.items():
            place = objects.schema.get_field_index(name)
            if place < 0:
                objects = objects.append_column(name, values)
            else:
                objects = objects.set_column(place, name, values)
        return replace(self, objects=objects)

    def with_table(self, name: str, table: pa.Table) -> AlertBatch:
        """This batch with the match table `name` added."""
        return replace(self, tables={**self.tables, name: table})
