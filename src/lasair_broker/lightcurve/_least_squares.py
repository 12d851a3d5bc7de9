"""Weighted non-linear least squares after Levenberg and Marquardt."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._kernel import summing_kernel
from lasair_broker.lightcurve._models import normal_equations

_MOST_STEPS = 60
_CONVERGED = 1e-3  # fall of chi-squared in a step that is no longer worth the next: 3 % of an error
_FIRST_DAMPING, _WORST_DAMPING = 1e-3, 1e10


@summing_kernel
def _cholesky(matrix, n):  # type: ignore[no-untyped-def]  # square float64 array, in place
    """Replace the lower triangle by its Cholesky factor; False if it is not positive definite."""
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    return True


@summing_kernel
def _solve(factor, vector, n):  # type: ignore[no-untyped-def]  # float64 arrays, vector in place
    """Solve with a Cholesky factor."""
    for i in range(n):
        for k in range(i):
            vector[i] -= factor[i, k] * vector[k]
        vector[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            vector[i] -= factor[k, i] * vector[k]
        vector[i] /= factor[i, i]


@summing_kernel
def fit(kind, time, flux, weight, band, wavelength, p, free):  # type: ignore[no-untyped-def]  # see below
    """Improve the `free` parameters `p` of model `kind` in place until chi-squared no longer falls.

    The arguments are those of `normal_equations`. Marquardt 1963, J. SIAM 11, 431, with damping relative to
    the
    diagonal. Returns chi-squared; it is never larger than at the start.
    """
    n = len(free)
    matrix, trial_matrix = np.zeros((n, n)), np.zeros((n, n))
    vector, trial_vector = np.zeros(n), np.zeros(n)
    factor, step = np.zeros((n, n)), np.zeros(n)
    trial = p.copy()
    damping = _FIRST_DAMPING
    chi2 = normal_equations(kind, time, flux, weight, band, wavelength, p, free, matrix, vector)
    for _ in range(_MOST_STEPS):
        while True:
            for i in range(n):
                for j in range(i):
                    factor[i, j] = matrix[i, j]
                factor[i, i] = matrix[i, i] * (1.0 + damping) + 1e-300
                step[i] = vector[i]
            better = False
            if _cholesky(factor, n):
                _solve(factor, step, n)
                for i in range(len(p)):
                    trial[i] = p[i]
                for i in range(n):
                    trial[free[i]] += step[i]
                if _allowed(trial):
                    new = normal_equations(
                        kind, time, flux, weight, band, wavelength, trial, free, trial_matrix, trial_vector
                    )
                    better = new <= chi2
            if better:
                break
            damping *= 8.0
            if damping > _WORST_DAMPING:
                return chi2
        gain = chi2 - new
        chi2 = new
        for i in range(len(p)):
            p[i] = trial[i]
        matrix, trial_matrix = trial_matrix, matrix
        vector, trial_vector = trial_vector, vector
        damping = max(damping * 0.15, 1e-12)
        if gain <= _CONVERGED * max(1.0, 1e-2 * chi2) and damping <= _FIRST_DAMPING:
            break
    return chi2


@summing_kernel
def _allowed(p):  # type: ignore[no-untyped-def]  # float64 array
    """Whether the exponentials of the parameters stay within what doubles hold and temperatures can be."""
    return abs(p[2]) < 30.0 and abs(p[3]) < 30.0 and -1.0 < p[4] < 6.0 and math.isfinite(p[0] + p[1])


@summing_kernel
def covariance(kind, time, flux, weight, band, wavelength, p, free, inverse):  # type: ignore[no-untyped-def]  # see below
    """Fill the covariance of the free parameters at `p` from the errors, if the data determine them."""
    n = len(free)
    matrix, vector = np.zeros((n, n)), np.zeros(n)
    normal_equations(kind, time, flux, weight, band, wavelength, p, free, matrix, vector)
    if not _cholesky(matrix, n):
        return
    for i in range(n):
        for k in range(n):
            vector[k] = 1.0 if k == i else 0.0
        _solve(matrix, vector, n)
        for k in range(n):
            inverse[k, i] = vector[k]
