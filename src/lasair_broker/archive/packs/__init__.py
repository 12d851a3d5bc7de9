"""Raw alerts, and with them their cut-outs, in files beside the database or in an object store."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._format import Frame, frames
    from ._interface import PackReader, PackWriter, Reserved, damaged
    from ._memory import checksums, same_bytes
    from ._place import PackPlace
    from ._reader import FolderReader, fresh_name, night_of
    from ._writer import FolderWriter

__all__ = [
    "FolderReader",
    "FolderWriter",
    "Frame",
    "PackPlace",
    "PackReader",
    "PackWriter",
    "Reserved",
    "checksums",
    "damaged",
    "frames",
    "fresh_name",
    "night_of",
    "same_bytes",
]

import_when_used(__name__)
