"""Skies that are made up, and filters, for tests of news."""

from __future__ import annotations

import sys
from pathlib import Path

# The made-up sky is that of the context, the subscriptions are those of filters.
sys.path[:0] = [str(Path(__file__).parents[2] / "context"), str(Path(__file__).parents[1] / "filters")]
