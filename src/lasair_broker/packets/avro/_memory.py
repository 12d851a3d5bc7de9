"""Reading and writing memory by address inside kernels, and the addresses of Python's bytes.

The kernels work on (address, length) pairs so that messages are never copied. `load_*` and `store_*` are
single machine instructions without any check: a kernel tests its bounds before it calls one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped] # it ships no types
from numba import types
from numba.extending import intrinsic

__all__ = ["addresses"]

Int64 = npt.NDArray[np.int64]


# numba's own annotations say that an intrinsic is called with the typing context, which is not so.
_typed: Callable[[Any], Any] = intrinsic


def _loader(memory: ir.Type, result: Any, widen: bool, signed: bool = False) -> Any:
    """An intrinsic that reads `memory` at an int64 address, unaligned, in the byte order of the machine."""

    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], memory.as_pointer())
            value = builder.load(pointer)
            value.align = 1
            if not widen:
                return value
            return (builder.sext if signed else builder.zext)(value, ir.IntType(64))

        return result(types.int64), generate

    return load


def _storer(memory: ir.Type, argument: Any, narrow: bool) -> Any:
    """An intrinsic that writes `memory` at an int64 address, unaligned, in the byte order of the machine."""

    @intrinsic
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], memory.as_pointer())
            stored = builder.trunc(arguments[1], memory) if narrow else arguments[1]
            instruction = builder.store(stored, pointer)
            instruction.align = 1
            return context.get_dummy_value()

        return types.void(types.int64, argument), generate

    return store


# Integers are widened to int64: in numba uint64 + int64 is a float, so kernels know int64 only.
load_u8 = _loader(ir.IntType(8), types.int64, True)
load_u32 = _loader(ir.IntType(32), types.int64, True)
load_i32 = _loader(ir.IntType(32), types.int64, True, signed=True)
load_i64 = _loader(ir.IntType(64), types.int64, False)
store_u8 = _storer(ir.IntType(8), types.int64, True)
store_i32 = _storer(ir.IntType(32), types.int64, True)
store_i64 = _storer(ir.IntType(64), types.int64, False)


@_typed
def prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line at an address, which is going to be written; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        flag = ir.IntType(32)
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer.type], ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        )
        builder.call(function, [pointer, flag(1), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@_typed
def trailing_zeros(typing_context: Any, value: Any) -> Any:
    """The number of zero bits below the lowest one of an int64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@_typed
def leading_zeros(typing_context: Any, value: Any) -> Any:
    """The number of zero bits above the highest one of an int64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@_typed
def copy_bytes(typing_context: Any, target: Any, source: Any, length: Any) -> Any:
    """memcpy of `length` bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        to = builder.inttoptr(arguments[0], pointer)
        out_of = builder.inttoptr(arguments[1], pointer)
        size = ir.IntType(64)
        memcpy = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, size])
        builder.call(memcpy, [to, out_of, arguments[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


# PyBytes_AsString is the documented way to the contents of a bytes object; a prototype of our own leaves the
# shared ctypes.pythonapi attribute as it is.
_bytes_address: Callable[[Any], int] = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(
    ("PyBytes_AsString", ctypes.pythonapi)
)


def address_of(array: npt.NDArray[Any]) -> int:
    """Where the elements of an array begin. It must be kept as long as that is in use."""
    address: int = array.__array_interface__["data"][0]
    return address


def _buffer(value: Any) -> tuple[int, int]:
    view = np.frombuffer(value, np.uint8)
    return address_of(view) if len(view) else 0, len(view)


def addresses(values: Sequence[bytes | bytearray | memoryview | npt.NDArray[Any]]) -> tuple[Int64, Int64]:
    """Where the contents of each value lie in memory and how long they are, without copying anything.

    The addresses hold as long as the values live and are not resized: keep `values` while they are in use.
    bytes objects go through CPython's ``PyBytes_AsString``, anything else through the buffer protocol
    (contiguous).

    Returns
    -------
    address, length
        Two int64 arrays, shape (len(values),).
    """
    count = len(values)
    if all(type(value) is bytes for value in values):
        return (
            np.fromiter(map(_bytes_address, values), np.int64, count),
            np.fromiter(map(len, values), np.int64, count),
        )
    pairs = [_buffer(value) for value in values]
    both = np.array(pairs, np.int64).reshape(count, 2)
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])
