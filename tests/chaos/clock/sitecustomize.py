"""Shifts Python's wall clock by the seconds that the file named by CHAOS_CLOCK holds; read every half second.

That is `time.time`, from which the archive's and the stream's moments come, and Django's `timezone.now`, from
which leases and schedules come. (The class `datetime` itself cannot be replaced without harm to C libraries.)
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import django.utils.timezone

_file = Path(os.environ["CHAOS_CLOCK"])
_time, _now = time.time, django.utils.timezone.now
_known = (0.0, float("-inf"))


def _shift() -> float:
    global _known
    shift, read = _known
    if time.monotonic() - read > 0.5:
        shift = float(_file.read_text())
        _known = shift, time.monotonic()
    return shift


def _shifted() -> datetime.datetime:
    return _now() + datetime.timedelta(seconds=_shift())


time.time = lambda: _time() + _shift()
django.utils.timezone.now = _shifted
