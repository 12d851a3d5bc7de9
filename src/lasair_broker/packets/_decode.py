"""Messages in, canonical batches out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import arrow_schema

from ._batch import AlertBatch, Messages
from ._canonical import Arrivals, canonical_batch
from ._schema_store import SchemaStore
from ._surveys import SURVEYS, survey_of
from ._unframe import unframe
from .avro import Codec

__all__ = ["decode", "decode_datums"]

Int64 = npt.NDArray[np.int64]


def decode(messages: Messages, schemas: SchemaStore) -> tuple[list[AlertBatch], pa.Table]:
    """Decode messages of any survey and schema into canonical batches.

    Parameters
    ----------
    messages
        Each one alert: Confluent-framed, an Avro object container, or gzip of either.
    schemas
        Where writer schemas are sought.

    Returns
    -------
    batches, rejected
        One batch for each writer schema met, in order of first appearance, and the rows of table
        `rejected`: every message that is in no batch, with the reason and its bytes. Nothing a message
        contains raises.
    """
    unframed = unframe(messages.values, schemas)
    arrivals = Arrivals(
        messages.topics, messages.topic, messages.partition, messages.offset, messages.arrivedMjdTai
    )
    reasons = dict(unframed.reasons)
    batches = []
    for number, codec in enumerate(unframed.codecs):
        rows = np.flatnonzero(unframed.codec == number)
        batch, refused = _decode_rows(
            unframed.address[rows], unframed.length[rows], codec, arrivals.take(rows), unframed.owners
        )
        reasons.update((int(rows[row]), reason) for row, reason in refused.items())
        if batch is not None:
            batches.append(batch)
    return batches, rejected_table(arrivals, reasons, messages.values)


def decode_datums(
    address: Int64,
    length: Int64,
    schema_json: str,
    schemas: SchemaStore,
    *,
    topics: Sequence[str],
    topic: npt.NDArray[np.int32],
    partition: npt.NDArray[np.int32],
    offset: Int64,
    arrivedMjdTai: npt.NDArray[np.float64],
    owners: tuple[Any, ...],
) -> tuple[AlertBatch | None, pa.Table]:
    """Decode bare Avro datums of one writer schema again, as the raw packs keep them.

    Parameters
    ----------
    address, length
        Where in memory each datum is, shape (n,).
    schema_json
        The schema they were written with.
    schemas
        Keeps the codec made of it.
    topics, topic, partition, offset, arrivedMjdTai
        Where and when the message of each datum arrived, as in `Messages`.
    owners
        What keeps the memory alive.

    Returns
    -------
    batch, rejected
        As `decode`; no batch if not one datum is an alert. The `message` of a rejected row is the bare datum.

    Raises
    ------
    SchemaError
        If the schema is malformed.
    """
    arrivals = Arrivals(tuple(topics), topic, partition, offset, arrivedMjdTai)
    batch, reasons = _decode_rows(address, length, schemas.codec(schema_json), arrivals, owners)
    values = {row: ctypes.string_at(int(address[row]), int(length[row])) for row in reasons}
    return batch, rejected_table(arrivals, reasons, values)


def _decode_rows(
    address: Int64, length: Int64, codec: Codec, arrivals: Arrivals, owners: tuple[Any, ...]
) -> tuple[AlertBatch | None, dict[int, str]]:
    decoded = codec.decode(address, length, owner=owners)
    survey = survey_of(decoded)
    if survey is None:
        known = ", ".join(survey.name for survey in SURVEYS)
        reason = f"schema {codec.plan.root.name} has not the fields of any survey known here ({known})"
        return None, dict.fromkeys(range(len(address)), reason)
    batch, reasons = canonical_batch(decoded, survey, codec, arrivals, owners)
    return (batch if batch.alerts.num_rows else None), reasons


def rejected_table(
    arrivals: Arrivals, reasons: Mapping[int, str], values: Sequence[bytes] | Mapping[int, bytes]
) -> pa.Table:
    """Rows of table `rejected` for the messages that `reasons` names by number."""
    rows = sorted(reasons)
    columns = {
        **arrivals.take(np.array(rows, np.int64)).arrays(),
        "reason": pa.array([reasons[row] for row in rows], pa.string()),
        "message": pa.array([values[row] for row in rows], pa.binary()),
    }
    schema = arrow_schema("rejected")
    return pa.Table.from_arrays([columns[to.name].cast(to.type) for to in schema], schema=schema)
