"""Kernels that are compiled, and for whose sake numba is imported, when the first of them is called.

Importing numba takes half a second, and most commands call no kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["Kernel", "njit"]


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """What makes a kernel of a function, with the options of `numba.njit`."""
    return lambda function: Kernel(function, options)


class Kernel:
    """A function that numba compiles when it is called.

    Another kernel that calls it gets what numba made of it, by the protocol that numba has for that. What
    numba's own have besides (`py_func`, `stats`), it has, too.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self._function = function
        self._options = options
        functools.update_wrapper(self, function)

    @functools.cached_property
    def _compiled(self) -> Any:
        from ._numba import njit

        return njit(**self._options)(self._function)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._compiled(*arguments, **named)

    @property
    def _numba_type_(self) -> Any:
        return self._compiled._numba_type_

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # what Python itself asks for, and what is not there before it is compiled
            raise AttributeError(name)
        return getattr(self._compiled, name)
