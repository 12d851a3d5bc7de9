"""Filters on the stream: users' queries on each batch, right before it is committed."""

from ._isolation import Budget
from ._linked import State
from ._metrics import FilterMetrics
from ._plans import check_filter
from ._preview import (
    FilterPreview,
    HitsOfNight,
    Makeup,
    NightOfFilter,
    hits_by_night,
    makeup_of_hits,
    preview,
)
from ._replay import Replayed, replay_filter
from ._stage import ANNOTATIONS, FilterStage
from ._why import Verdict, verdict

__all__ = [
    "ANNOTATIONS",
    "Budget",
    "FilterMetrics",
    "FilterPreview",
    "FilterStage",
    "HitsOfNight",
    "Makeup",
    "NightOfFilter",
    "Replayed",
    "State",
    "Verdict",
    "check_filter",
    "hits_by_night",
    "makeup_of_hits",
    "preview",
    "replay_filter",
    "verdict",
]
