"""The embedded archive, kept by DuckDB in one process."""

from .archive import DuckDBArchive

__all__ = ["DuckDBArchive"]
