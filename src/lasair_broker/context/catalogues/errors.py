"""What can go wrong with catalogues."""

from __future__ import annotations

__all__ = ["CatalogueDamagedError", "CatalogueError", "CatalogueUnavailableError"]


class CatalogueError(Exception):
    """A catalogue cannot be imported or used; the message names file, row and column, and what to do."""


class CatalogueUnavailableError(CatalogueError):
    """A catalogue is not there, or no longer."""


class CatalogueDamagedError(CatalogueError):
    """The files of a catalogue do not fit each other."""
