"""The archive of a site: tables in PostgreSQL, raw alerts in packs that its machines share."""

from .archive import PostgreSQLArchive
from .snapshot import SnapshotPlace

__all__ = ["PostgreSQLArchive", "SnapshotPlace"]
