"""Numba, told where kernels are kept before the first of them is made."""

from ._cache import keep_by_sources

keep_by_sources()

from numba import njit  # noqa: E402 - see above

__all__ = ["njit"]
