"""From the mixture of classes that a model was trained on to that of the sky, and what the context adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from lasair_broker.classify._taxonomy import taxonomy

__all__ = ["Priors", "PriorsError", "load_priors", "shifted"]

Float64 = npt.NDArray[np.float64]

_R_BAND_EXTINCTION = 2.273
_FAINTER = 0.6  # log10 of the number of galaxies gained a magnitude, Euclidean
_STARS = "galactic"


class PriorsError(ValueError):
    """A file is none of priors; the text says which and why."""


@dataclass(frozen=True)
class Priors:
    """Rates of classes over the sky, and what the context stage says of each class.

    Attributes
    ----------
    rates
        Objects that alert for the first time, per square degree and year, by leaf of the taxonomy.
    latitude_scale
        Degrees of Galactic latitude over which stars become e times fewer.
    context
        By node: how often the context stage gives each of its classes.
    other
        How often it gives one that is not named.
    """

    rates: Mapping[str, float]
    latitude_scale: float
    context: Mapping[str, Mapping[str, float]]
    other: float

    def at(self, leaves: Sequence[str], latitude: Float64, ebv: Float64) -> Float64:
        """Expected shares of the leaves, shape (objects, leaves), at Galactic latitudes (degrees) and E(B-V).

        An unknown latitude is taken as 60 degrees, unknown dust as none.
        """
        b = np.abs(np.where(np.isnan(latitude), 60.0, latitude))
        dust = 10.0 ** (-_FAINTER * _R_BAND_EXTINCTION * np.minimum(np.nan_to_num(ebv), 3.0))
        stars = np.exp((30.0 - b) / self.latitude_scale)
        tree = taxonomy()
        columns = [
            self.rates.get(leaf, 0.0) * (stars if _STARS in tree.ancestors(leaf) else dust) for leaf in leaves
        ]
        shares = np.maximum(np.stack(columns, axis=1), 1e-12)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def likelihood(self, leaves: Sequence[str], said: pa.Array) -> Float64:
        """How likely what the context stage said is for each leaf, shape (objects, leaves); 1 for NULL."""
        coded = pc.dictionary_encode(said)
        words = coded.dictionary.to_pylist()
        tree = taxonomy()
        table = np.ones((len(words) + 1, len(leaves)))
        for k, leaf in enumerate(leaves):
            known = next((self.context[n] for n in tree.ancestors(leaf) if n in self.context), {})
            for j, word in enumerate(words):
                table[j, k] = known.get(word, self.other) if known else 1.0
        likely: Float64 = table[pc.fill_null(coded.indices, len(words)).to_numpy()]
        return likely


def shifted(probabilities: Float64, trained: Float64, expected: Float64) -> Float64:
    """Probabilities for another mixture of classes (Saerens et al. 2002, Neural Computation 14, 21, eq. 4).

    Parameters
    ----------
    probabilities, expected
        Shape (objects, classes).
    trained
        Shares of the classes that the model was calibrated for.
    """
    weighed = probabilities * expected / np.maximum(trained, 1e-12)
    return np.asarray(weighed / np.maximum(weighed.sum(axis=1, keepdims=True), 1e-300))


def load_priors(path: Path | None = None) -> Priors:
    """The priors of a file, or those that come with Lasair.

    Raises
    ------
    PriorsError
        If the file cannot be read, or names a class that is not in the taxonomy or numbers that are no rates;
        with its place.
    """
    if path is None:
        return _shipped()
    try:
        return _read(path.read_text(), str(path))
    except OSError as error:
        raise PriorsError(f"{path}: it cannot be read: {error.strerror}") from error


@cache
def _shipped() -> Priors:
    return _read(files("lasair_broker.classify").joinpath("priors.yaml").read_text(), "priors.yaml")


def _read(text: str, where: str) -> Priors:
    try:
        told = yaml.safe_load(text)
        priors = Priors(
            {name: float(rate) for name, rate in told["rates"].items()},
            float(told["latitude_scale"]),
            {name: {word: float(p) for word, p in row.items()} for name, row in told["context"].items()},
            float(told["other"]),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise PriorsError(f"{where}: not a file of priors: {error}") from error
    tree = taxonomy()
    for name in (*priors.rates, *priors.context):
        if name not in tree.nodes:
            raise PriorsError(f"{where}: {name!r} is no class; the classes are {', '.join(tree.nodes)}")
    for name, rate in priors.rates.items():
        if name not in tree.leaves or not 0.0 <= rate < np.inf:
            raise PriorsError(
                f"{where}: rates: {name} must be a lowest class, its rate a number of at least 0"
            )
    if not priors.latitude_scale > 0.0:
        raise PriorsError(f"{where}: latitude_scale must be above 0")
    return priors
