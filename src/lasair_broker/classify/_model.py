"""A trained classifier: its trees, calibration and open-set score, in text files that say what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.classify._anomaly import Anomaly
from lasair_broker.classify._calibration import Calibration
from lasair_broker.classify._features import FEATURES
from lasair_broker.classify._taxonomy import UNKNOWN, taxonomy
from lasair_broker.classify._trees import Trees

__all__ = ["EARLY", "Head", "Model", "ModelError", "load_model", "save_model", "shipped_model"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

DESCRIPTION = "model.json"
EARLY = 2.0
"""Days since the first detection up to which a model's early head is used, if it has one."""


class ModelError(ValueError):
    """A model cannot be used; the text says which file is at fault and why."""


@dataclass(frozen=True)
class Head:
    """One set of trees for objects of some surveys and ages.

    Attributes
    ----------
    name
        For instance "lsst-early".
    surveys
        Whose objects it is for.
    oldest
        It is for light curves up to this age, days since the first detection; None: of any age.
    leaves
        The classes that its columns stand for.
    text, trees
        The trees as LightGBM writes them, and as they are evaluated.
    calibration
        From the trees' probabilities to calibrated ones.
    trained
        Shares of the classes for which it is calibrated.
    sources
        For each class the data sets that it was learnt from.
    anomaly
        The open-set score.
    """

    name: str
    surveys: tuple[str, ...]
    oldest: float | None
    leaves: tuple[str, ...]
    text: str
    trees: Trees
    calibration: Calibration
    trained: tuple[float, ...]
    sources: Mapping[str, tuple[str, ...]]
    anomaly: Anomaly

    def predict(self, rows: Float32, age: Float64) -> Float64:
        """Calibrated probabilities of `leaves`, shape (objects, leaves), in the mixture `trained`."""
        return self.calibration(self.trees.predict(rows), age)


@dataclass(frozen=True)
class Model:
    """A classifier of all surveys it was trained for.

    Attributes
    ----------
    name, version
        The version is the beginning of a hash of all its files.
    heads
        In the order in which they are tried: an object goes to the first that is for it.
    """

    name: str
    version: str
    heads: tuple[Head, ...]

    def head_of(self, survey: str, age: Float64) -> npt.NDArray[np.int64]:
        """For objects of a survey at these ages the number of their head, -1 if there is none."""
        chosen = np.full(len(age), -1)
        for number, head in reversed(list(enumerate(self.heads))):
            if survey in head.surveys:
                chosen[np.ones(len(age), bool) if head.oldest is None else age <= head.oldest] = number
        return chosen


def save_model(folder: Path, name: str, heads: Sequence[Head], about: Mapping[str, Any]) -> str:
    """Write a model into a folder; returns its version.

    `about` (seed, data, figures…) is kept in the description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described = [_described(head) for head in heads]
    for head, one in zip(heads, described, strict=True):
        (folder / f"{head.name}.txt").write_text(head.text)
        one["sha256"] = hashlib.sha256(head.text.encode()).hexdigest()
    told = {"name": name, "features": list(FEATURES), "heads": described, "about": dict(about)}
    told["version"] = _version(told)
    (folder / DESCRIPTION).write_text(json.dumps(told, indent=1) + "\n")
    return str(told["version"])


def _version(told: Mapping[str, Any]) -> str:
    kept = {key: told[key] for key in ("name", "features", "heads")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def _described(head: Head) -> dict[str, Any]:
    return {
        "name": head.name,
        "surveys": list(head.surveys),
        "oldest": head.oldest,
        "leaves": list(head.leaves),
        "trained": [round(share, 6) for share in head.trained],
        "sources": {leaf: list(names) for leaf, names in head.sources.items()},
        "calibration": {
            "ages": list(head.calibration.ages),
            "temperature": [round(t, 5) for t in head.calibration.temperature],
            "bias": [[round(b, 5) for b in row] for row in head.calibration.bias],
        },
        "anomaly": {
            "features": [FEATURES[k] for k in head.anomaly.features],
            **{
                name: np.round(getattr(head.anomaly, name), 6).tolist()
                for name in ("centre", "scale", "components", "spread", "scores")
            },
        },
    }


def load_model(folder: Path) -> Model:
    """The model in a folder.

    Raises
    ------
    ModelError
        If a file is missing or is not what the description says, or the model was trained on other features
        than this version of Lasair computes.
    """
    place = folder / DESCRIPTION
    try:
        told = json.loads(place.read_text())
        if tuple(told["features"]) != FEATURES:
            raise ModelError(
                f"{place}: trained on other features than this version computes; train anew: lasair train"
            )
        if told["version"] != _version(told):
            raise ModelError(f"{place}: it has been changed since it was written (its version does not fit)")
        return Model(told["name"], told["version"], tuple(_head(folder, one) for one in told["heads"]))
    except ModelError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{place}: no model: {error}") from error


def _head(folder: Path, told: Mapping[str, Any]) -> Head:
    place = folder / f"{told['name']}.txt"
    text = place.read_text()
    if hashlib.sha256(text.encode()).hexdigest() != told["sha256"]:
        raise ModelError(f"{place}: it is not the file that the description is of (its hash differs)")
    tree = taxonomy()
    for leaf in told["leaves"]:
        if leaf not in tree.leaves or leaf == UNKNOWN:
            raise ModelError(f"{folder / DESCRIPTION}: {leaf!r} is none of the lowest classes")
    anomaly = told["anomaly"]
    number = {name: k for k, name in enumerate(FEATURES)}
    return Head(
        name=told["name"],
        surveys=tuple(told["surveys"]),
        oldest=told["oldest"],
        leaves=tuple(told["leaves"]),
        text=text,
        trees=Trees.read(text),
        calibration=Calibration(
            tuple(told["calibration"]["ages"]),
            tuple(told["calibration"]["temperature"]),
            tuple(tuple(row) for row in told["calibration"]["bias"]),
        ),
        trained=tuple(told["trained"]),
        sources={leaf: tuple(names) for leaf, names in told["sources"].items()},
        anomaly=Anomaly(
            np.array([number[name] for name in anomaly["features"]], np.int64),
            *(
                np.array(anomaly[name], np.float64)
                for name in ("centre", "scale", "components", "spread", "scores")
            ),
        ),
    )


def shipped_model() -> Model:
    """The model that comes with Lasair: the output of `lasair train` with its defaults.

    Raises
    ------
    ModelError
        As `load_model`.
    """
    return load_model(Path(str(files("lasair_broker.classify").joinpath("models", "lasair"))))
