"""Messages in, canonical batches out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.schema import arrow_schema

from ._batch import AlertBatch, Messages, Payloads
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
    groups = [(np.flatnonzero(unframed.codec == i), codec) for i, codec in enumerate(unframed.codecs)]
    for rows, codec in sorted((g for g in groups if len(g[0])), key=lambda group: int(group[0][0])):
        batch, refused = _decode_rows(
            unframed.address[rows], unframed.length[rows], codec, arrivals.take(rows), unframed.owners
        )
        reasons.update((int(rows[row]), reason) for row, reason in refused.items())
        if batch is not None:
            batches.append(batch)
    return batches, rejected_table(arrivals, reasons, messages.values)


def decode_datums(
    payloads: Payloads, arrivals: pa.Table, schemas: SchemaStore
) -> tuple[AlertBatch | None, pa.Table]:
    """Decode bare Avro datums of one writer schema again, as the raw packs keep them.

    Parameters
    ----------
    payloads
        Where the datums are, and the schema they were written with.
    arrivals
        Where and when the message of each datum arrived: columns `topic`, `partition`, `offset` and
        `arrivedMjdTai` of table `alerts`, one row a datum.
    schemas
        Keeps the codec of the schema.

    Returns
    -------
    batch, rejected
        As `decode`; no batch if not one datum is an alert. The `message` of a rejected row is the bare datum.

    Raises
    ------
    SchemaError
        If the schema is malformed.
    """
    topic = pc.dictionary_encode(arrivals.column("topic").combine_chunks())
    where = Arrivals(
        tuple(topic.dictionary.to_pylist()),
        topic.indices.to_numpy(),
        arrivals.column("partition").to_numpy(),
        arrivals.column("offset").to_numpy(),
        arrivals.column("arrivedMjdTai").to_numpy(),
    )
    codec = schemas.codec(payloads.schema_json)
    batch, reasons = _decode_rows(payloads.address, payloads.length, codec, where, payloads.owners)
    return batch, rejected_table(where, reasons, {row: payloads.bytes(row) for row in reasons})


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
