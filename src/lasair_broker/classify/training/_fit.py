"""Trees, calibration and open-set score of one head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from lasair_broker.classify._anomaly import fit_anomaly
from lasair_broker.classify._calibration import fit_calibration
from lasair_broker.classify._features import FEATURES
from lasair_broker.classify._kernel import CURVE_VALUES
from lasair_broker.classify._model import EARLY, Head
from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify._trees import Trees
from lasair_broker.classify.training._curves import LabelledCurves, truncated_features
from lasair_broker.classify.training._splits import share_of

__all__ = ["EARLY", "Recipe", "Samples", "draw_ages", "fit_head", "samples_of"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_FIXED_AGES = (0.1, 1.0, 2.0, 10.0, np.inf)
_CALIBRATED = 0.1
_BALANCE = 0.3  # power of the inverse number of a class that its objects are weighted with


@dataclass(frozen=True)
class Recipe:
    """How a head is learnt.

    Attributes
    ----------
    name, surveys, oldest
        As in `Head`.
    youngest, up_to
        Light curves of these ages (days) are learnt from.
    ages
        Upper ends of the ranges of age that are calibrated apart.
    rounds
        Number of trees of each class.
    """

    name: str
    surveys: tuple[str, ...]
    oldest: float | None
    youngest: float
    up_to: float
    ages: tuple[float, ...]
    rounds: int


@dataclass(frozen=True)
class Samples:
    """Objects cut off at some ages: features, class, age, object's number, weight, and data set of each."""

    rows: Float32
    labels: npt.NDArray[np.str_]
    age: Float64
    group: Int64
    names: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]

    def where(self, kept: npt.NDArray[np.bool_]) -> Samples:
        """Those of `kept`."""
        return Samples(*(getattr(self, one.name)[kept] for one in fields(self)))


def draw_ages(number: int, seed: int, more: int = 3) -> tuple[Int64, Float64]:
    """For each of `number` objects the fixed ages and `more` random ones, evenly in logarithm.

    Returns
    -------
    Numbers of the objects, and ages in days; infinity is all of a light curve.
    """
    rng = np.random.default_rng(seed)
    fixed = np.repeat(_FIXED_AGES, number)
    random = 10.0 ** rng.uniform(-1.0, 2.5, number * more)
    objects = np.tile(np.arange(number), len(_FIXED_AGES) + more)
    return objects, np.concatenate([fixed, random])


def samples_of(curves: LabelledCurves, rows: Int64, ages: Float64) -> Samples:
    """Features of objects cut off at ages, with all that learning needs."""
    found = truncated_features(curves, rows, ages)
    names = np.array(curves.objects["name"].to_pylist(), np.str_)
    sources = np.array(curves.objects["source"].to_pylist(), np.str_)
    return Samples(found, curves.labels[rows], np.minimum(ages, 1e6), rows, names[rows], sources[rows])


def fit_head(
    recipe: Recipe, samples: Samples, seed: int, progress: Callable[[str, float], None], components: int = 8
) -> Head:
    """Learn a head from samples.

    The trees learn from nine in ten of the objects and are calibrated on the others.
    """
    use = samples.where((samples.age >= recipe.youngest) & (samples.age <= recipe.up_to))
    leaves = tuple(leaf for leaf in taxonomy().leaves if (use.labels == leaf).any())
    truth = np.array([leaves.index(label) for label in use.labels])
    weight = _weights(truth, len(leaves))
    apart = share_of([f"calibration {name}" for name in use.names.tolist()]) < _CALIBRATED
    booster = _grow(
        recipe, use.rows[~apart], truth[~apart], weight[~apart], len(leaves), seed,
        lambda share: progress(f"{recipe.name}: trees", share),
    )  # fmt: skip
    raw = np.asarray(booster.predict(use.rows[apart], num_threads=2), np.float64)
    age = use.age[apart]
    calibration = fit_calibration(raw, truth[apart], age, recipe.ages, np.ones(len(age)))
    text = booster.model_to_string()
    shares = np.bincount(truth, minlength=len(leaves)) / len(truth)
    return Head(
        name=recipe.name,
        surveys=recipe.surveys,
        oldest=recipe.oldest,
        leaves=leaves,
        text=text,
        trees=Trees.read(text),
        calibration=calibration,
        trained=tuple(shares.tolist()),
        sources=_sources(use, leaves),
        anomaly=fit_anomaly(use.rows, _of_shape(), components),
    )


def _weights(truth: Int64, number: int) -> Float64:
    counts = np.maximum(np.bincount(truth, minlength=number), 1)
    weights: Float64 = (counts.sum() / counts[truth]) ** _BALANCE
    return np.asarray(weights / weights.mean())


def _grow(
    recipe: Recipe,
    rows: Float32,
    truth: Int64,
    weight: Float64,
    number: int,
    seed: int,
    progress: Callable[[float], None],
) -> lgb.Booster:
    settings = {
        "objective": "multiclass",
        "num_class": number,
        "learning_rate": 0.11,
        "num_leaves": 16,
        "max_depth": 6,
        "extra_trees": True,
        "min_data_in_leaf": 40,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.6,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 2,
        "verbose": -1,
    }
    data = lgb.Dataset(rows, truth, weight=weight, feature_name=list(FEATURES), free_raw_data=True)
    return lgb.train(
        settings, data, recipe.rounds, callbacks=[lambda step: progress((step.iteration + 1) / recipe.rounds)]
    )


def _sources(samples: Samples, leaves: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {leaf: tuple(sorted(set(samples.source[samples.labels == leaf].tolist()))) for leaf in leaves}


def _of_shape() -> list[int]:
    """The features that describe a light curve: not where it is on the sky or how well it was observed."""
    left_out = {
        "glat",
        "ebv",
        "redshiftErr",
        "nondetectionDuty",
        "nondetectionGap",
        "posReducedChi2",
        "detections",
        "nights",
        "span",
    }
    kept = [name for name in FEATURES if name not in left_out and not name.endswith("_number")]
    return [
        FEATURES.index(name) for name in kept if name in CURVE_VALUES or "_" in name or name.endswith("Mag")
    ]
