"""Where every alert, light curve and image is kept: one interface, whatever engine is behind it."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.packets import Cutout

    from ._copy import Copied, copy_archive
    from ._open import open_archive
    from ._tidy import Retention, Tidied, tidy_archive
    from ._unite import United, unite_packs
    from .errors import (
        ArchiveAwayError,
        ArchiveCorruptError,
        ArchiveError,
        ArchiveFullError,
        ArchiveLockedError,
        ArchiveVersionError,
        QueryCancelledError,
        QueryError,
        QueryMemoryError,
        QueryTimeoutError,
    )
    from .interface import Archive
    from .records import (
        CONE_COLUMNS,
        ArchiveStatus,
        Finding,
        LightCurve,
        Progress,
        Rematch,
        Rendered,
        Stored,
        TableStatus,
        WriteReport,
    )

__all__ = [
    "CONE_COLUMNS",
    "Archive",
    "ArchiveAwayError",
    "ArchiveCorruptError",
    "ArchiveError",
    "ArchiveFullError",
    "ArchiveLockedError",
    "ArchiveStatus",
    "ArchiveVersionError",
    "Copied",
    "Cutout",
    "Finding",
    "LightCurve",
    "Progress",
    "QueryCancelledError",
    "QueryError",
    "QueryMemoryError",
    "QueryTimeoutError",
    "Rematch",
    "Rendered",
    "Retention",
    "Stored",
    "TableStatus",
    "Tidied",
    "United",
    "WriteReport",
    "copy_archive",
    "open_archive",
    "tidy_archive",
    "unite_packs",
]

import_when_used(__name__)
