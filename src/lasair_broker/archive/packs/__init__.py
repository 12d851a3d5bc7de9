"""Raw alerts, and with them their cut-outs, in append-only files beside the database."""

from ._format import Frame, frames
from ._memory import checksums, same_bytes
from ._reader import PackReader
from ._writer import PackWriter, Reserved, in_use

__all__ = ["Frame", "PackReader", "PackWriter", "Reserved", "checksums", "frames", "in_use", "same_bytes"]
