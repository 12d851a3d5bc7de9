"""Compiled kernels, kept between runs and compiled anew when a source that they are made of has changed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numba import njit
else:
    from ._kernel import njit

__all__ = ["njit"]
