"""How the kernels of this package are compiled."""

from __future__ import annotations

from lasair_broker.compiled import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
"""Compiled once and kept, without the interpreter's lock; a division by zero gives no exception."""

summing_kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
"""The same, and sums may be taken in any order, several at a time. NaN and infinity keep their meaning."""
