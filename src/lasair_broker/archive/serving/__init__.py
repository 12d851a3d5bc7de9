"""Reading an archive that another process of this computer has open, through a socket in its folder."""

from ._client import RemoteArchive
from ._server import ArchiveServer

__all__ = ["ArchiveServer", "RemoteArchive"]
