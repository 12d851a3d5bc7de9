"""Errors of which a user is told in a line, without a traceback."""

from __future__ import annotations

from lasair_broker.archive import ArchiveError, ArchiveLockedError, QueryError
from lasair_broker.classify import ModelError, PriorsError
from lasair_broker.context import ContextError
from lasair_broker.context.catalogues import CatalogueError
from lasair_broker.packets import PacketFileError, SchemaFileError, UnknownSchemaError
from lasair_broker.settings import SettingsError
from lasair_broker.stream import SourceError, StageBrokenError, SubscriptionFileError

__all__ = ["hint_of", "is_told"]

_TOLD = (
    ArchiveError,
    CatalogueError,
    ContextError,
    ModelError,
    PacketFileError,
    PriorsError,
    QueryError,
    SchemaFileError,
    SettingsError,
    SourceError,
    StageBrokenError,
    SubscriptionFileError,
    UnknownSchemaError,
)


def is_told(error: Exception) -> bool:
    """Whether an error is one that says itself what is wrong."""
    return isinstance(error, _TOLD)


def hint_of(error: Exception) -> str | None:
    """What to do about an error, where that does not stand in it."""
    if isinstance(error, ArchiveLockedError):
        return "An embedded archive has one user at a time; wait for it, or stop it."
    return None
