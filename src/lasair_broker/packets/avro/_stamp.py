"""Which version of the kernels' sources a compiled kernel is of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["STAMP"]

_SOURCES = (
    "_container_kernel.py",
    "_decode_kernel.py",
    "_decode_runs.py",
    "_encode_kernel.py",
    "_encode_runs.py",
    "_errors.py",
    "_memory.py",
    "_plan.py",
    "_text.py",
)


def _stamp() -> npt.NDArray[Any]:
    digest = hashlib.blake2b(digest_size=8)
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return np.zeros(1, np.dtype([(f"v{digest.hexdigest()}", np.uint8)]))


STAMP = _stamp()
"""An array whose type is different whenever a source of the kernels is.

numba finds a compiled kernel again by the types of its arguments and the time of the one file it stands in,
not of the files it calls into: after an edit elsewhere it would run the old machine code. So every kernel
that is cached takes this as an argument, and no function inside one is cached by itself.
"""
