"""Events that others announce: notices of missions, tables of surveys, alerts; and which objects they match.

`read_events` reads a file, `update_events` takes its events in, and `match_events` is the stage.
"""

from lasair_broker.context.events._files import EventFile, read_events
from lasair_broker.context.events._gcn import read_gcn
from lasair_broker.context.events._mapping import TableMapping, read_mapping, shipped_mappings
from lasair_broker.context.events._matching import EventIndex, EventLoader, match_events
from lasair_broker.context.events._store import EventReport, read_stored, remove_events, update_events
from lasair_broker.context.events._table import RefusedRow
from lasair_broker.context.events._voevent import read_voevent
from lasair_broker.context.events.errors import EventError

__all__ = [
    "EventError",
    "EventFile",
    "EventIndex",
    "EventLoader",
    "EventReport",
    "RefusedRow",
    "TableMapping",
    "match_events",
    "read_events",
    "read_gcn",
    "read_mapping",
    "read_stored",
    "read_voevent",
    "remove_events",
    "shipped_mappings",
    "update_events",
]
