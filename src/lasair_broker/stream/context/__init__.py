"""News of the sky (transients of TNS, events, catalogues) carried to the objects that are stored."""

from ._catalogues import CatalogueChore
from ._chore import Chore, Done, Due
from ._events import EventChore
from ._keeper import ContextKeeper
from ._metrics import ContextMetrics
from ._renewal import Renewal
from ._standing import Standing
from ._tns_follower import TnsFollower
from ._transients import TnsChore

__all__ = [
    "CatalogueChore",
    "Chore",
    "ContextKeeper",
    "ContextMetrics",
    "Done",
    "Due",
    "EventChore",
    "Renewal",
    "Standing",
    "TnsChore",
    "TnsFollower",
]
