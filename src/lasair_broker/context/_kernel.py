"""How the kernels of this package are compiled."""

from __future__ import annotations

from lasair_broker.compiled import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
"""Compiled once and kept, without the interpreter's lock; a division by zero gives no exception."""
