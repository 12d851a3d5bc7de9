"""Raw alerts, and with them their cut-outs, in files beside the database or in an object store."""

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
