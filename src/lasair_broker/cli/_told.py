"""Errors of which a user is told in a line, without a traceback.

They are known by their names: who imports them all to tell one waits for what the command did without.
"""

from __future__ import annotations

__all__ = ["TOLD", "hint_of", "is_told"]

TOLD = {
    ("archive", "ArchiveError"),
    ("archive", "QueryError"),
    ("classify", "ModelError"),
    ("classify", "PriorsError"),
    ("context", "CatalogueError"),
    ("context", "ContextError"),
    ("packets", "PacketFileError"),
    ("packets", "SchemaFileError"),
    ("packets", "UnknownSchemaError"),
    ("settings", "SettingsError"),
    ("stream", "SourceError"),
    ("stream", "StageBrokenError"),
    ("stream", "SubscriptionFileError"),
}
"""The package of the house that an error is of, and its name."""


def is_told(error: Exception) -> bool:
    """Whether an error is one that says itself what is wrong."""
    return not TOLD.isdisjoint(map(_known_as, type(error).__mro__))


def hint_of(error: Exception) -> str | None:
    """What to do about an error, where that does not stand in it."""
    if ("archive", "ArchiveLockedError") in map(_known_as, type(error).__mro__):
        return "An embedded archive has one user at a time; wait for it, or stop it."
    return None


def _known_as(kind: type) -> tuple[str, str]:
    house, _, inside = kind.__module__.partition(".")
    return inside.partition(".")[0] if house == "lasair_broker" else "", kind.__name__
