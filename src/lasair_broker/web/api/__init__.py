"""The REST API: today's contract at /api/, and everything else, versioned, at /api/v1/."""

__all__: list[str] = []
