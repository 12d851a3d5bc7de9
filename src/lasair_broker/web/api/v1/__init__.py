"""The versioned API."""

__all__: list[str] = []
