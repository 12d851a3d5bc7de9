"""How unlike all that the model has learnt an object is, in which features, and which objects it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Anomaly", "fit_anomaly", "unknown_mass"]

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]

_MOST = 4.0  # of a feature's deviations: one wild number alone makes no anomaly
_QUANTILES = 201
_UNKNOWN_POWER = 20.0
UNKNOWN_PRIOR = 0.01
"""Share of objects that are nothing the model has learnt: a guess, for nobody knows."""


@dataclass(frozen=True)
class Anomaly:
    """Principal components of robustly scaled features, and how far training objects lie from them.

    Attributes
    ----------
    features
        Places in the feature row.
    centre, scale
        Median and spread (half the distance of the 16th and 84th percentile) of each.
    components
        Shape (components, features), orthonormal.
    spread
        Standard deviation along each component.
    scores
        Quantiles of the score among training objects, rising.
    """

    features: npt.NDArray[np.int64]
    centre: Float64
    scale: Float64
    components: Float64
    spread: Float64
    scores: Float64

    def __call__(self, rows: Float32) -> tuple[Float64, Float64, npt.NDArray[np.int64]]:
        """Score, place among its like, and the features that made the score.

        Returns
        -------
        anomaly
            Share of training objects that are less strange, 0 to 1; above 1 as far as it is beyond all.
        embedding
            Shape (objects, components), each of unit variance in training: near rows are similar objects.
        causes
            Shape (objects, 3), places in the feature row of what deviates most, most first.
        """
        x = self._scaled(rows)
        along = x @ self.components.T
        residual = x - along @ self.components
        embedding = along / self.spread
        score = np.sqrt((residual**2).mean(axis=1) + 0.1 * (embedding**2).mean(axis=1))
        place = np.interp(score, self.scores, np.linspace(0.0, 1.0, len(self.scores)))
        anomaly = np.where(score > self.scores[-1], score / self.scores[-1], place)
        most = np.argpartition(-np.abs(residual), 3, axis=1)[:, :3]
        order = np.argsort(-np.abs(np.take_along_axis(residual, most, axis=1)), axis=1)
        causes = self.features[np.take_along_axis(most, order, axis=1)]
        return anomaly, embedding, causes

    def _scaled(self, rows: Float32) -> Float64:
        x = rows[:, self.features].astype(np.float64)
        x -= self.centre
        x /= self.scale
        np.clip(x, -_MOST, _MOST, out=x)
        np.nan_to_num(x, copy=False)
        return x


def fit_anomaly(rows: Float32, candidates: Sequence[int], components: int = 8) -> Anomaly:
    """Learn from training objects, using those of the features that at least 30 % of them have."""
    which = np.array([k for k in candidates if np.isfinite(rows[:, k]).mean() > 0.3], np.int64)
    low, centre, high = np.nanpercentile(rows[:, which].astype(np.float64), [16, 50, 84], axis=0)
    scale = np.maximum(0.5 * (high - low), 1e-6 + 1e-3 * np.abs(centre))
    shaped = Anomaly(
        which, centre, scale, np.zeros((components, len(which))), np.ones(components), np.zeros(1)
    )
    x = shaped._scaled(rows)
    _, vectors = np.linalg.eigh(x.T @ x / len(x))
    found = vectors[:, ::-1][:, :components].T
    learnt = Anomaly(
        which, centre, scale, found, np.maximum((x @ found.T).std(axis=0), 1e-9), np.array([np.inf])
    )
    along = x @ found.T
    residual = x - along @ found
    score = np.sqrt((residual**2).mean(axis=1) + 0.1 * ((along / learnt.spread) ** 2).mean(axis=1))
    scores = np.quantile(score, np.linspace(0.0, 1.0, _QUANTILES))
    return Anomaly(which, centre, scale, found, learnt.spread, scores)


def unknown_mass(anomaly: Float64, prior: float = UNKNOWN_PRIOR) -> Float64:
    """Probability that an object is nothing the model has learnt.

    By Bayes' rule with the score's distribution: flat for known objects, which is what the score is scaled
    to, and 20 a^19 for others, which are supposed to lie at its upper end; beyond all training objects the
    odds grow as the tenth power of the score.
    """
    inside = _UNKNOWN_POWER * np.minimum(anomaly, 1.0) ** (_UNKNOWN_POWER - 1.0)
    odds = prior / (1.0 - prior) * inside * np.maximum(anomaly, 1.0) ** 10
    return np.asarray(odds / (1.0 + odds))
