"""Answers that are the same for everybody, kept for a short while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from functools import wraps
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")

_MOST = 64
_forgetters: list[Callable[[], None]] = []


def forget() -> None:
    """Keep nothing any more: what was answered was of another archive."""
    for each in _forgetters:
        each()


def kept(seconds: float) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """A decorator: what a function gave is given again for so many seconds.

    One asker works out what has become too old; others who ask meanwhile get the old, or wait if there is
    none.
    Arguments must be hashable; what is given must not be changed.
    """

    def decorate(function: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        answers: dict[Hashable, tuple[float, Answer]] = {}
        working: dict[Hashable, threading.Lock] = {}
        guard = threading.Lock()

        def forget_answers() -> None:
            with guard:
                answers.clear()

        _forgetters.append(forget_answers)

        @wraps(function)
        def answer(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Answer:
            key = (args, tuple(sorted(kwargs.items())))
            with guard:
                known = answers.get(key)
                lock = working.setdefault(key, threading.Lock())
            if known is not None and (
                time.monotonic() - known[0] < seconds or not lock.acquire(blocking=False)
            ):
                return known[1]
            if known is None:
                lock.acquire()
            try:
                with guard:
                    newer = answers.get(key)
                if newer is not None and time.monotonic() - newer[0] < seconds:
                    return newer[1]
                made = function(*args, **kwargs)
                with guard:
                    if len(answers) >= _MOST:
                        answers.clear()
                        working.clear()
                    answers[key] = (time.monotonic(), made)
                return made
            finally:
                lock.release()

        return answer

    return decorate
