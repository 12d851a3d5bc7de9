"""Filters on the stream: users' queries on each batch, right before it is committed."""

from ._isolation import Budget
from ._metrics import FilterMetrics
from ._plans import check_filter
from ._preview import FilterPreview, HitsOfNight, NightOfFilter, hits_by_night, preview
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
    "NightOfFilter",
    "Replayed",
    "Verdict",
    "check_filter",
    "hits_by_night",
    "preview",
    "replay_filter",
    "verdict",
]
