"""Living on when somebody cuts a file off in the very moment in which its mapping is read.

Beyond the end of a file its mapping has no pages: whoever touches one is sent SIGBUS, which ends the process.
The handler here puts a page of zeros in such a place and lets the reader go on. What was read is worth
nothing then; that the file is shorter than its mapping tells so afterwards (`Catalogue` looks before and
after).
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
import threading
import weakref
from typing import Any

import numpy as np

__all__ = ["survive_cut_files", "watch"]

_MOST = 16_384
_ranges = np.zeros((_MOST, 2), np.int64)
"""Addresses of mappings that are watched: begin and end. Rows of zeros are free."""

_lock = threading.Lock()
_kept: list[Any] = []
"""The handler must outlive all that may call it."""

_ADDRESS_IN_SIGINFO = 2
"""The address of a fault is the third eight bytes of siginfo_t, on Linux of 64 bits."""


def watch(pages: mmap.mmap) -> None:
    """Let a mapping be among those whose lost pages are replaced, for as long as it lives."""
    begin = np.frombuffer(pages, np.uint8).ctypes.data
    with _lock:
        free = np.flatnonzero(_ranges[:, 1] == 0)
        if not len(free):
            return  # it is then as if nobody watched
        row = int(free[0])
        _ranges[row] = begin, begin + len(pages)
    weakref.finalize(pages, _forget, row)


def _forget(row: int) -> None:
    _ranges[row] = 0, 0


def survive_cut_files() -> None:
    """From now on a watched file that is cut off while it is read does not end the process.

    Only on Linux; elsewhere nothing is changed. It takes a second, for the handler is compiled: nothing that
    needs the interpreter may run in it.
    """
    if _kept or sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != ctypes.sizeof(ctypes.c_int64):
        return
    action = _Sigaction()
    handler = _compiled()
    action.handler = handler.address
    action.flags = _SA_SIGINFO
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sigaction(int(signal.SIGBUS), ctypes.byref(action), None) == 0:
        _kept.append(handler)


_SA_SIGINFO = 4
_MAP_FIXED = 0x10


class _Sigaction(ctypes.Structure):
    """struct sigaction of the C library."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * (1024 // (8 * ctypes.sizeof(ctypes.c_ulong)))),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def _compiled() -> Any:
    """The handler, as a C function."""
    from numba import carray, cfunc, types  # type: ignore[attr-defined]  # it is documented, not listed
    from numba.core import cgutils
    from numba.extending import intrinsic

    libc = ctypes.CDLL(None)
    put_page, let_die = libc.mmap, libc.signal
    put_page.argtypes = (
        ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    )  # fmt: skip
    put_page.restype = ctypes.c_size_t
    let_die.argtypes, let_die.restype = (ctypes.c_int, ctypes.c_size_t), ctypes.c_size_t
    page, table, most = mmap.PAGESIZE, int(_ranges.ctypes.data), _MOST
    readable, how = mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED
    number = int(signal.SIGBUS)

    def pointer(context, address):  # type: ignore[no-untyped-def]  # as numba has it
        def code(context, builder, signature, values):  # type: ignore[no-untyped-def]
            return builder.inttoptr(values[0], cgutils.voidptr_t)

        return types.voidptr(address), code

    as_pointer = intrinsic(pointer)

    def handler(signal_number, info, context):  # type: ignore[no-untyped-def]
        address = carray(info, (3,), np.int64)[_ADDRESS_IN_SIGINFO]
        ranges = carray(as_pointer(table), (most, 2), np.int64)  # type: ignore[call-arg]  # numba gives the context
        for row in range(most):
            if ranges[row, 0] <= address < ranges[row, 1]:
                put_page(address // page * page, page, readable, how, -1, 0)
                return
        let_die(number, 0)  # it is somebody else's: the fault comes again, and ends the process as ever

    return cfunc(types.void(types.int32, types.voidptr, types.voidptr))(handler)
