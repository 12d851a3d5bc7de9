"""Compiled kernels, kept between runs and compiled anew when a source that they are made of has changed."""

from ._cache import keep_by_sources

keep_by_sources()

from numba import njit  # noqa: E402 - where kernels are kept is settled before the first of them is made

__all__ = ["njit"]
