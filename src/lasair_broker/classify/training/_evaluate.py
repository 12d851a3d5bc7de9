"""How good a model is on objects that it has not learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from lasair_broker.classify._calibration import calibration_error
from lasair_broker.classify._enrich import classify
from lasair_broker.classify._model import Model
from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.training._curves import LabelledCurves, truncated_features

__all__ = ["MERGED", "Scores", "flips", "merged_probabilities", "probabilities_at", "scores_of"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MERGED: Mapping[str, tuple[str, ...]] = {
    "SN": ("SN",),
    "kilonova": ("kilonova",),
    "TDE": ("TDE",),
    "AGN": ("AGN",),
    "microlensing": ("microlensing",),
    "eruptive": ("eruptive",),
    "variable": ("variable",),
}
"""The seven classes into which PLAsTiCC's fourteen are merged."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one set of objects; `auc`, `precision` and `recall` by class."""

    number: int
    accuracy: float
    macro_f1: float
    macro_auc: float
    macro_precision: float
    calibration_error: float
    auc: Mapping[str, float]
    precision: Mapping[str, float]
    recall: Mapping[str, float]


def probabilities_at(model: Model, curves: LabelledCurves, age: float) -> dict[str, Float64]:
    """The probability of every node for objects cut off at an age, in the mixture trained on."""
    rows = truncated_features(curves, np.arange(len(curves)), np.full(len(curves), age))
    return classify(model, curves.survey, rows).nodes


def merged_probabilities(nodes: Mapping[str, Float64], classes: Mapping[str, Sequence[str]]) -> Float64:
    """Shape (objects, classes), each class the sum of some nodes, all of a row adding up to one."""
    columns = np.stack([sum((nodes[n] for n in of), np.zeros(1)) for of in classes.values()], axis=1)
    merged: Float64 = columns / np.maximum(columns.sum(axis=1, keepdims=True), 1e-300)
    return merged


def truth_of(labels: Sequence[str], classes: Mapping[str, Sequence[str]]) -> Int64:
    """The number of the merged class of each label, -1 for none."""
    tree = taxonomy()
    names = list(classes)
    of_label = {
        label: next(
            (names.index(name) for name in names if set(tree.ancestors(label)) & set(classes[name])), -1
        )
        for label in set(labels)
    }
    return np.array([of_label[label] for label in labels], np.int64)


def scores_of(probabilities: Float64, truth: Int64, names: Sequence[str]) -> Scores:
    """Figures of probabilities, shape (objects, classes), against the number of each object's class."""
    said = probabilities.argmax(axis=1)
    every = list(range(len(names)))
    present = [k for k in every if 0 < (truth == k).sum() < len(truth)]
    auc = {names[k]: float(roc_auc_score(truth == k, probabilities[:, k])) for k in present}
    precision = precision_score(truth, said, labels=every, average=None, zero_division=np.nan)
    recall = recall_score(truth, said, labels=every, average=None, zero_division=np.nan)
    return Scores(
        number=len(truth),
        accuracy=float((said == truth).mean()),
        macro_f1=float(f1_score(truth, said, labels=present, average="macro")),
        macro_auc=float(np.mean(list(auc.values()))),
        macro_precision=float(np.nanmean(precision)),
        calibration_error=calibration_error(probabilities, truth),
        auc=auc,
        precision=dict(zip(names, precision.tolist(), strict=True)),
        recall=dict(zip(names, recall.tolist(), strict=True)),
    )


def flips(model: Model, curves: LabelledCurves, ages: Sequence[float]) -> Float64:
    """How often the most probable lowest class of each object changes from one age to the next."""
    leaves = taxonomy().leaves
    top = [
        np.stack([nodes[leaf] for leaf in leaves], axis=1).argmax(axis=1)
        for nodes in (probabilities_at(model, curves, age) for age in ages)
    ]
    changes: Float64 = np.sum([a != b for a, b in pairwise(top)], axis=0).astype(np.float64)
    return changes
