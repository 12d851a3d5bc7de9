"""Guesses at what a misspelt name should have been."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["closest", "did_you_mean"]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The name in `known` that is most like `name`, whatever its case; None if none is."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message about `name`: a suggestion, or nothing."""
    match = closest(name, known)
    return f"; did you mean {match!r}?" if match else ""
