"""How it stands with what the stream does besides alerts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a chore, or with something that is needed: a row of table `chores`.

    Attributes
    ----------
    state
        ok, working, failed, missing or damaged.
    message
        What is wrong, and what to do.
    done, total
        While working.
    changedMjdTai
        Since when it is in this state.
    """

    state: str
    message: str | None = None
    done: int | None = None
    total: int | None = None
    changedMjdTai: float = 0.0
