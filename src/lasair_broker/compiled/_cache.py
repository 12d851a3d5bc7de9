"""Where numba keeps machine code, and how it tells whether that is of the present sources.

By itself numba looks at the one file in which a kernel stands. But the machine code of a kernel contains that
of the kernels it calls and the constants it uses, from whatever module; after an edit there the old code
would run on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numba import config
from numba.core import caching

from ._sources import stamp

__all__ = ["InTree", "UserProvided", "UserWide", "keep_by_sources"]

_PACKAGE = Path(__file__).parents[1]


def keep_by_sources() -> None:
    """Have the kernels of this package kept by all their sources, those of others as numba does.

    If somebody has named locators of caches for numba already, these stay.
    """
    settings: Any = config  # which numba fills when it is imported
    if not settings.CACHE_LOCATOR_CLASSES:
        mine = (f"{__name__}.{locator.__name__}" for locator in (UserProvided, InTree, UserWide))
        others = (locator.__name__ for locator in caching.CacheImpl._locator_classes)
        settings.CACHE_LOCATOR_CLASSES = ",".join([*mine, *others])


class _BySources:
    """A place for kernels of this package, and of no other."""

    _py_file: str

    def get_source_stamp(self) -> Any:
        return stamp(Path(self._py_file))

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        if not Path(py_file).is_relative_to(_PACKAGE):
            return None
        return super().from_function(py_func, py_file)  # type: ignore[misc]  # the next class has it


class UserProvided(_BySources, caching.UserProvidedCacheLocator):
    """The folder that `NUMBA_CACHE_DIR` names."""


class InTree(_BySources, caching.InTreeCacheLocator):
    """``__pycache__`` beside the source."""


class UserWide(_BySources, caching.UserWideCacheLocator):
    """The user's own cache, for an installation that cannot be written to."""
