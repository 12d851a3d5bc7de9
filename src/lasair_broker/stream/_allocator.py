"""The C library's memory allocator, told to keep what it is given back.

Messages of 60 kB come and go by the thousand. By default glibc maps such blocks afresh, or trims the heap
after each batch, and the kernel then clears every page again. That costs more than reading the message:
reading LSST's from Kafka takes a third of the time when the thresholds are raised.
"""

from __future__ import annotations

import ctypes
import platform
from functools import cache

__all__ = ["keep_freed_memory"]

# From <malloc.h>. glibc takes no mmap threshold above 32 MiB.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD_BYTES = 32 * 1024**2
_TRIM_THRESHOLD_BYTES = 256 * 1024**2


@cache
def keep_freed_memory() -> bool:
    """Raise the thresholds of this process, once; False where the C library is not glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mmap = mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)
    trim = mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)
    return bool(mmap and trim)
