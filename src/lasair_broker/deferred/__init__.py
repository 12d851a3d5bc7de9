"""Packages that import what they offer when it is used, so that nobody waits for what he does not need.

Such a package says what it offers, and from where, as any other does, but where only type checkers look::

    from typing import TYPE_CHECKING

    from lasair_broker.deferred import import_when_used

    if TYPE_CHECKING:
        from ._kernel import fit

    __all__ = ["fit"]

    import_when_used(__name__)
"""

from ._package import import_when_used

__all__ = ["import_when_used"]
