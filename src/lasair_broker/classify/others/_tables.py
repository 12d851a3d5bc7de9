"""Rows of `classifications` from what a model of somebody else says of a batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from lasair_broker.classify._features import FEATURES
from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.others._columns import columns_of
from lasair_broker.classify.others._description import ColumnsInput, Output
from lasair_broker.classify.others._images import alerts_of_objects, images_of
from lasair_broker.classify.others._model import OtherModel, OtherModelError
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import arrow_schema, conform

__all__ = ["nodes_of", "said_by"]

_log = structlog.get_logger(__name__)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_AGE = FEATURES.index("age")
_AT_ONCE = 512  # objects given to a model: the cut-outs of so many take some tens of megabytes


def said_by(model: OtherModel, batch: AlertBatch, features: Float32) -> pa.Table:
    """What a model says of the objects of a batch, as rows of `classifications`.

    A model that fails, or gives what its description does not say, is named in the log and says nothing of
    this batch: somebody else's model must not stop the stream.

    Parameters
    ----------
    features
        Of all objects, as our own model sees them.
    """
    told = model.description
    empty = arrow_schema("classifications").empty_table()
    if told.surveys and batch.survey not in told.surveys:
        return empty
    age = features[:, _AGE]
    rows = np.flatnonzero((age >= told.youngest) & (age <= told.oldest))
    if not len(rows):
        return empty
    alerts = alerts_of_objects(batch)[rows] if told.images else rows
    try:
        parts = [
            _run(model, batch, features, rows[begin : begin + _AT_ONCE], alerts[begin : begin + _AT_ONCE])
            for begin in range(0, len(rows), _AT_ONCE)
        ]
    except OtherModelError as error:
        _log.error("a model failed and says nothing of a batch", model=model.name, reason=str(error))
        return empty
    probabilities = np.concatenate(parts)
    known = np.isfinite(probabilities).all(axis=1)
    return _table(model, batch, rows[known], probabilities[known], age[rows[known]])


def _run(model: OtherModel, batch: AlertBatch, features: Float32, rows: Int64, alerts: Int64) -> Float64:
    """Probabilities of the columns of the output; NaN for objects of which something is missing."""
    complete = np.ones(len(rows), np.bool_)
    inputs = {}
    for one in model.description.inputs:
        if isinstance(one, ColumnsInput):
            values = columns_of(batch, features, rows, one.columns)
            inputs[one.name] = np.where(np.isnan(values), one.missing, values)
        else:
            inputs[one.name], has, faults = images_of(batch, alerts, one)
            complete &= has
            if faults:
                _log.warning("cut-outs cannot be read", model=model.name, number=len(faults), first=faults[0])
    probabilities = np.full((len(rows), len(model.description.output.nodes)), np.nan)
    if complete.any():
        some = {name: values[complete] for name, values in inputs.items()}
        probabilities[complete] = model(some, int(complete.sum()))
    return probabilities


def nodes_of(output: Output, probabilities: Float64) -> dict[str, Float64]:
    """Probabilities of the nodes that the columns of an output tell of.

    Columns of one node are added up, and so are those below a node, if the classes exclude each other and
    all columns stand for classes: else nobody knows how much of the rest belongs to it.
    """
    place = {node: [k for k, name in enumerate(output.nodes) if name == node] for node in taxonomy().nodes}
    summed = output.exclusive and None not in output.nodes
    found = {}
    for node in taxonomy().nodes:
        below = [n for n in taxonomy().nodes if node in taxonomy().ancestors(n)] if summed else [node]
        columns = [k for name in below for k in place[name]]
        if columns:
            found[node] = probabilities[:, columns].sum(axis=1)
    return found


def _table(
    model: OtherModel, batch: AlertBatch, rows: Int64, probabilities: Float64, age: Float32
) -> pa.Table:
    output, number = model.description.output, len(rows)
    nodes = nodes_of(output, probabilities)
    named = [node for node in nodes if node in output.nodes]
    of_named = np.stack([nodes[node] for node in named], axis=1)
    top = of_named.argmax(axis=1)
    taken = batch.objects.select(["diaObjectId", "lastDiaSourceMjdTai"]).take(pa.array(rows))
    columns = {
        "diaObjectId": taken["diaObjectId"],
        "model": pa.repeat(model.name, number),
        "version": pa.repeat(model.version, number),
        "topClass": pa.array(named, pa.string()).take(pa.array(top)),
        "topProbability": pa.array(of_named[np.arange(number), top].astype(np.float32)),
        **{node: pa.array(values.astype(np.float32)) for node, values in nodes.items()},
        "trainedOn": pa.repeat(pa.scalar(model.description.trainedOn or None, pa.string()), number),
        "age": pa.array(age, from_pandas=True),
        "newestSourceMjdTai": taken["lastDiaSourceMjdTai"],
        "computedMjdTai": pa.array(np.full(number, mjd_tai_now())),
    }
    return conform(pa.table(columns), "classifications")
