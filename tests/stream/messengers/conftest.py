"""Filters for tests of messengers."""

from __future__ import annotations

import sys
from pathlib import Path

# The subscriptions are those of filters.
sys.path[:0] = [str(Path(__file__).parents[1] / "filters")]
