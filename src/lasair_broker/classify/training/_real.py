"""Supernova types of real light curves, judged by cross-validation over objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from lasair_broker.classify._features import FEATURES
from lasair_broker.classify.training._curves import LabelledCurves, truncated_features
from lasair_broker.classify.training._splits import same_objects
from lasair_broker.classify.training._thinned import thinned

__all__ = ["SUPERNOVAE", "cross_validated"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

SUPERNOVAE: Mapping[str, tuple[str, ...]] = {n: (n,) for n in ("SNIa", "SNII", "SNIbc", "SNIIn", "SLSN")}
_WITH_DISTANCE = ("redshift", "redshiftErr", "peakAbsMag", "latestAbsMag", "firstAbsMag", "widthAtRest")
_BALANCE = 0.5
_BESIDE = 0.5  # what an object of another data set counts
_COPIES = 4
"""So many times more each object is learnt from, thinned: two of the types have some thirty objects each."""
_MODELS = 2
_PROCESSORS = 2


def cross_validated(
    judged: LabelledCurves, beside: Sequence[LabelledCurves], *, distances: bool, seed: int, folds: int = 5
) -> tuple[Float64, Int64]:
    """Probabilities of five types of supernova for real objects, each from a model that has not seen it.

    Parameters
    ----------
    judged
        Those that are judged.
    beside
        Others that every model learns from, too, but for objects that are those judged.
    distances
        Whether redshifts may be used.

    Returns
    -------
    Shape (objects, 5) in the order of `SUPERNOVAE`, and the true class, of the objects of these classes.
    """
    names = list(SUPERNOVAE)
    sets = [judged, *beside]
    groups = same_objects(sets)
    truth = np.array([names.index(label) if label in names else -1 for one in sets for label in one.labels])
    copies = [[thinned(one, seed=1000 * k + j) for j, one in enumerate(sets)] for k in range(_COPIES)]
    kept = [k for k, name in enumerate(FEATURES) if distances or name not in _WITH_DISTANCE]
    rows, *further = (
        np.concatenate(
            [truncated_features(one, np.arange(len(one)), np.full(len(one), np.inf)) for one in version]
        )[:, kept]
        for version in [sets, *copies]
    )
    mine = np.flatnonzero((np.arange(len(truth)) < len(judged)) & (truth >= 0))
    others = np.flatnonzero((np.arange(len(truth)) >= len(judged)) & (truth >= 0))
    found = np.zeros((len(mine), len(names)))
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)

    def judge(learnt: Int64, apart: Int64, model: int) -> tuple[Int64, Float64]:
        fresh = others[~np.isin(groups[others], groups[mine[apart]])]
        train = np.concatenate([mine[learnt], fresh])
        weight = np.where(np.arange(len(train)) < len(learnt), 1.0, _BESIDE)
        counts = np.bincount(truth[train], weight, len(names))
        weight = weight * (counts.sum() / np.maximum(counts, 1.0))[truth[train]] ** _BALANCE
        versions = [rows, *further]
        data = lgb.Dataset(
            np.concatenate([version[train] for version in versions]),
            np.tile(truth[train], len(versions)),
            weight=np.tile(weight, len(versions)),
        )
        settings = _SETTINGS | {"seed": seed + 101 * model, "num_class": len(names)}
        booster = lgb.train(settings, data, _ROUNDS)
        return apart, np.asarray(booster.predict(rows[mine[apart]], num_threads=1))

    jobs = [
        (learnt, apart, model)
        for learnt, apart in splits.split(mine, truth[mine], groups[mine])
        for model in range(_MODELS)
    ]
    with ThreadPoolExecutor(_PROCESSORS) as pool:
        for apart, said in pool.map(lambda job: judge(*job), jobs):
            found[apart] += said / _MODELS
    return found, truth[mine]


_ROUNDS = 250
_SETTINGS = {
    "objective": "multiclass",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "extra_trees": True,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 3.0,
    "num_threads": 1,
    "verbose": -1,
}
