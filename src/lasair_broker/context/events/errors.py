"""What can go wrong with events of others."""

from __future__ import annotations

from lasair_broker.context.errors import ContextError

__all__ = ["EventError"]


class EventError(ContextError):
    """A notice or a table of events that cannot be taken in; the message says which, why, and where."""
