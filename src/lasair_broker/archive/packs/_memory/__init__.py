"""Kernels over raw memory, of which most who read need none."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._kernels import checksums, fill, same_bytes

__all__ = ["checksums", "fill", "same_bytes"]

import_when_used(__name__)
