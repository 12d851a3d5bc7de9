"""Errors of the context stage that a user can do something about."""

__all__ = ["ContextError", "TnsListMissingError"]


class ContextError(ValueError):
    """A configuration or a map cannot be used; the message says which, where, and what to do."""


class TnsListMissingError(ContextError):
    """TNS has no such list, or not yet."""
