"""Probabilities that mean what they say: temperature and weights by age of the light curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Calibration", "calibration_error"]

Float64 = npt.NDArray[np.float64]

_SMALLEST = 1e-7


@dataclass(frozen=True)
class Calibration:
    """Vector scaling (Guo et al. 2017, arXiv:1706.04599, section 4.2), one for each range of ages.

    Attributes
    ----------
    ages
        Upper ends of the ranges, days since the first detection, rising; the last one holds for all beyond.
    temperature
        One for each range: logarithms of probabilities are divided by it.
    bias
        Shape (ranges, classes), added to them.
    """

    ages: tuple[float, ...]
    temperature: tuple[float, ...]
    bias: tuple[tuple[float, ...], ...]

    def __call__(self, probabilities: Float64, age: Float64) -> Float64:
        """Calibrated probabilities, shape (objects, classes), of objects of these ages (days)."""
        which = np.minimum(np.searchsorted(self.ages, np.nan_to_num(age)), len(self.ages) - 1)
        temperature = np.array(self.temperature)[which, None]
        return softmax(
            np.log(np.maximum(probabilities, _SMALLEST)) / temperature + np.array(self.bias)[which]
        )


def softmax(values: Float64) -> Float64:
    """exp(values), each row divided by its sum."""
    shifted: Float64 = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def calibration_error(probabilities: Float64, truth: npt.NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error of the most probable class (Guo et al. 2017, equation 3), `bins` equal bins.

    Parameters
    ----------
    probabilities, truth
        Shape (objects, classes), and the number of the true class of each object.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        here = which == one
        if here.any():
            error += here.mean() * abs(right[here].mean() - confidence[here].mean())
    return float(error)


def fit_calibration(
    probabilities: Float64, truth: npt.NDArray[np.int64], age: Float64, ages: Sequence[float], weight: Float64
) -> Calibration:
    """The scaling under which the true classes are most likely, with biases held near 0 where there is
    little data.

    Parameters
    ----------
    probabilities, truth, age, weight
        Of objects that the model was not trained on; each weight is what the object counts for.
    ages
        The ranges.
    """
    from scipy.optimize import minimize

    number = probabilities.shape[1]
    logs = np.log(np.maximum(probabilities, _SMALLEST))
    lower = -np.inf
    temperatures, biases = [], []
    for upper in ages:
        here = (age > lower) & ((age <= upper) | (upper == ages[-1]))
        lower = upper
        if here.sum() < 20:
            temperatures.append(1.0)
            biases.append((0.0,) * number)
            continue
        x, y, w = logs[here], truth[here], weight[here] / weight[here].sum()

        def loss(
            values: Float64, x: Float64 = x, y: npt.NDArray[np.int64] = y, w: Float64 = w
        ) -> tuple[float, Float64]:
            scale, bias = np.exp(values[0]), values[1:]
            p = softmax(x * scale + bias)
            chosen = p[np.arange(len(y)), y]
            gradient = p.copy()
            gradient[np.arange(len(y)), y] -= 1.0
            gradient *= w[:, None]
            ridge = 2.0 / len(y)
            total = -(w * np.log(np.maximum(chosen, 1e-12))).sum() + ridge * (bias**2).sum()
            slope = np.concatenate(
                [[(gradient * x).sum() * scale], gradient.sum(axis=0) + 2.0 * ridge * bias]
            )
            return float(total), slope

        best = minimize(
            loss,
            np.zeros(number + 1),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-1.5, 1.5)] + [(-2.0, 2.0)] * number,
        )
        temperatures.append(float(np.exp(-best.x[0])))
        biases.append(tuple(float(v) for v in best.x[1:]))
    return Calibration(tuple(ages), tuple(temperatures), tuple(biases))
