"""The classification stage: features in, probabilities of every class out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.classify._anomaly import unknown_mass
from lasair_broker.classify._features import FEATURES, features
from lasair_broker.classify._kernel import CURVE_VALUES
from lasair_broker.classify._model import Head, Model
from lasair_broker.classify._priors import Priors, shifted
from lasair_broker.classify._taxonomy import UNKNOWN, taxonomy
from lasair_broker.classify.others import OtherModel, said_by
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import arrow_schema, conform

__all__ = ["EMBEDDING", "Classifiers", "Verdict", "classify", "enrich"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

EMBEDDING = 8
"""Numbers that place an object among its like: `embedding1` … in table classifications."""

_AGE = CURVE_VALUES.index("age")


@dataclass(frozen=True)
class Classifiers:
    """What the stage needs beside the batch.

    Attributes
    ----------
    model
        Our own; None: the stage does nothing.
    priors
        What to expect at a place; None: probabilities are for the mixture that the model was trained on.
    others
        Models that somebody else made.
    """

    model: Model | None = None
    priors: Priors | None = None
    others: Sequence[OtherModel] = ()


@dataclass(frozen=True)
class Verdict:
    """What a model says of n objects.

    Attributes
    ----------
    heads
        Number of the head of each object, -1 for those of which the model says nothing.
    nodes
        The probability of each node of the taxonomy, by name.
    anomaly, embedding, causes
        As `Anomaly` gives them.
    """

    heads: npt.NDArray[np.int64]
    nodes: dict[str, Float64]
    anomaly: Float64
    embedding: Float64
    causes: npt.NDArray[np.int64]


def classify(
    model: Model,
    survey: str,
    rows: Float32,
    priors: Priors | None = None,
    context: pa.Array | None = None,
) -> Verdict:
    """Probabilities of every node for objects of one survey.

    Parameters
    ----------
    rows
        Their features.
    priors
        See `Classifiers`; Galactic latitude and dust are among the features.
    context
        What the context stage called each object, text.
    """
    number = len(rows)
    age = rows[:, _AGE].astype(np.float64)
    chosen = np.where(np.isnan(age), -1, model.head_of(survey, np.nan_to_num(age)))
    nodes = {name: np.zeros(number) for name in taxonomy().nodes}
    anomaly, embedding, causes = (
        np.full(number, np.nan),
        np.full((number, EMBEDDING), np.nan),
        np.zeros((number, 3), np.int64),
    )
    for place, head in enumerate(model.heads):
        mine = np.flatnonzero(chosen == place)
        if not len(mine):
            continue
        part = rows[mine]
        said = None if context is None else context.take(pa.array(mine))
        probabilities = _at_place(head, head.predict(part, age[mine]), part, priors, said)
        anomaly[mine], embedding[mine], causes[mine] = head.anomaly(part)
        known = 1.0 - unknown_mass(anomaly[mine])
        for name, values in taxonomy().summed(head.leaves, probabilities * known[:, None]).items():
            nodes[name][mine] = values
        nodes[UNKNOWN][mine] = 1.0 - known
    return Verdict(chosen, nodes, anomaly, embedding, causes)


def _at_place(
    head: Head,
    probabilities: Float64,
    rows: Float32,
    priors: Priors | None,
    context: pa.Array | None,
) -> Float64:
    if priors is None:
        return probabilities
    latitude, ebv = (rows[:, FEATURES.index(name)].astype(np.float64) for name in ("glat", "ebv"))
    expected = priors.at(head.leaves, latitude, ebv)
    if context is not None:
        expected = expected * priors.likelihood(head.leaves, context)
    return shifted(probabilities, np.array(head.trained), expected)


def enrich(batch: AlertBatch, classifiers: Classifiers) -> AlertBatch:
    """Add tables `classifications` and `classification_history` to a batch.

    Parameters
    ----------
    batch
        With what the light curve stage adds, and the context stage, if there is one.
    classifiers
        The models, and what to expect at a place.

    Returns
    -------
    The batch with one row in each table for each model and object that it has something to say of.
    """
    model, others = classifiers.model, classifiers.others
    if (model is None and not others) or not batch.objects.num_rows:
        return batch
    rows = features(batch)
    said = [said_by(other, batch, rows) for other in others]
    if model is not None:
        verdict = classify(model, batch.survey, rows, classifiers.priors, _context(batch))
        found = np.flatnonzero(verdict.heads >= 0)
        said.insert(0, _table(batch, model, verdict, rows[:, _AGE], found))
    table = pa.concat_tables(said)
    history = table.select(arrow_schema("classification_history").names)
    return batch.with_table("classifications", table).with_table("classification_history", history)


def _context(batch: AlertBatch) -> pa.Array | None:
    table = batch.tables.get("sherlock_classifications")
    if table is None or not table.num_rows:
        return None
    place = pc.index_in(batch.objects["diaObjectId"], value_set=table["diaObjectId"].combine_chunks())
    return table["classification"].take(place).combine_chunks()


def _table(
    batch: AlertBatch, model: Model, verdict: Verdict, age: Float32, found: npt.NDArray[np.int64]
) -> pa.Table:
    objects = batch.objects
    names = list(verdict.nodes)
    tree = taxonomy()
    leaves = [name for name in names if name in tree.leaves]
    of_leaves = np.stack([verdict.nodes[name][found] for name in leaves], axis=1)
    top = of_leaves.argmax(axis=1) if len(found) else np.zeros(0, np.int64)
    heads = verdict.heads[found]
    names_of = pa.array(FEATURES)
    why = [names_of.take(pa.array(column)) for column in verdict.causes[found].T]
    repeated = np.zeros(len(found), np.int32)
    columns = {
        "diaObjectId": objects["diaObjectId"].take(pa.array(found)),
        "model": pa.array([model.name]).take(pa.array(repeated)),
        "version": pa.array([model.version]).take(pa.array(repeated)),
        "topClass": pa.array(leaves).take(pa.array(top)),
        "topProbability": pa.array(of_leaves[np.arange(len(found)), top].astype(np.float32)),
        **{name: pa.array(verdict.nodes[name][found].astype(np.float32)) for name in names},
        "trainedOn": _trained_on(model, leaves, heads, top),
        "anomaly": pa.array(verdict.anomaly[found].astype(np.float32)),
        "anomalyFeatures": pc.binary_join_element_wise(*why, ", "),
        **{
            f"embedding{k + 1}": pa.array(verdict.embedding[found, k].astype(np.float32))
            for k in range(EMBEDDING)
        },
        "age": pa.array(age[found], from_pandas=True),
        "newestSourceMjdTai": objects["lastDiaSourceMjdTai"].take(pa.array(found)),
        "computedMjdTai": pa.array(np.full(len(found), mjd_tai_now())),
    }
    return conform(pa.table(columns), "classifications")


def _trained_on(
    model: Model, leaves: Sequence[str], heads: npt.NDArray[np.int64], top: npt.NDArray[np.int64]
) -> pa.Array:
    """The data sets that each object's most probable leaf was learnt from; NULL for none."""
    words = [", ".join(head.sources.get(leaf, ())) or None for head in model.heads for leaf in leaves]
    return pa.array(words, pa.string()).take(pa.array(heads * len(leaves) + top))
