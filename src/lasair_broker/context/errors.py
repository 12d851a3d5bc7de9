"""Errors of the context stage that a user can do something about."""

__all__ = ["ContextError"]


class ContextError(ValueError):
    """A configuration or a map cannot be used; the message says which, where, and what to do."""
