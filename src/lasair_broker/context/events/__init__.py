"""Events that others announce: notices of missions, tables of surveys, alerts; and which objects they match.

`read_events` reads a file, `update_events` takes its events in, and `match_events` is the stage.
"""

from lasair_broker.context.events._fetch import MapSource, attach_map, fetch_map, missing_maps
from lasair_broker.context.events._files import EventFile, read_events, read_notice
from lasair_broker.context.events._gcn import read_gcn
from lasair_broker.context.events._mapping import TableMapping, read_mapping, shipped_mappings
from lasair_broker.context.events._maps import keep_maps, read_map
from lasair_broker.context.events._matching import EventIndex, EventLoader, match_events
from lasair_broker.context.events._store import (
    EVENTS,
    EventReport,
    read_history,
    read_stored,
    remove_events,
    revisions,
    update_events,
)
from lasair_broker.context.events._table import RefusedRow
from lasair_broker.context.events._versions import VERSIONS, read_versions, take_in
from lasair_broker.context.events._voevent import read_voevent
from lasair_broker.context.events.errors import EventError

__all__ = [
    "EVENTS",
    "VERSIONS",
    "EventError",
    "EventFile",
    "EventIndex",
    "EventLoader",
    "EventReport",
    "MapSource",
    "RefusedRow",
    "TableMapping",
    "attach_map",
    "fetch_map",
    "keep_maps",
    "match_events",
    "missing_maps",
    "read_events",
    "read_gcn",
    "read_history",
    "read_map",
    "read_mapping",
    "read_notice",
    "read_stored",
    "read_versions",
    "read_voevent",
    "remove_events",
    "revisions",
    "shipped_mappings",
    "take_in",
    "update_events",
]
