"""Which objects may be the counterparts of gravitational waves, neutrinos, bursts; and events of each other.

Pure functions of columns: events and their notices (tables `external_events`, `event_versions`), objects and
what is known at their places in, rows of `mma_hits` out.
"""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.messengers._associate import associate
    from lasair_broker.messengers._background import Background
    from lasair_broker.messengers._candidates import CANDIDATE_COLUMNS, PROBABILITY_COLUMNS, Candidates
    from lasair_broker.messengers._index import Chances, MessengerIndex, drawn_region
    from lasair_broker.messengers._joint import JointEvents, joint_events, raven_false_alarm_rate, sky_overlap
    from lasair_broker.messengers._models import CLASSES, LIGHT_CURVE_CLASSES, Model, is_messenger, models_of

__all__ = [
    "CANDIDATE_COLUMNS",
    "CLASSES",
    "LIGHT_CURVE_CLASSES",
    "PROBABILITY_COLUMNS",
    "Background",
    "Candidates",
    "Chances",
    "JointEvents",
    "MessengerIndex",
    "Model",
    "associate",
    "drawn_region",
    "is_messenger",
    "joint_events",
    "models_of",
    "raven_false_alarm_rate",
    "sky_overlap",
]

import_when_used(__name__)
