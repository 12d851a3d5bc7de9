"""What a client raises."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LasairError"]


class LasairError(Exception):
    """A request was refused or failed.

    Attributes
    ----------
    status
        Of HTTP; None if no answer came.
    faults
        For each thing that is wrong with what was sent, its field and what is wrong.
    retry_after
        Seconds after which to ask again, if the server said so.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        faults: Sequence[tuple[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.faults, self.retry_after = status, tuple(faults), retry_after
