"""What is known at a place on the sky: catalogues and what follows from them.

`enrich` is the stage; `ContextLoader` opens what it needs. The contextual classifier is described by
`Rules`, a YAML file; package `catalogues` holds the catalogues, `events` what others announce.
"""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.context._dust import Dust, Reddening, open_dust
    from lasair_broker.context._enrich import ContextResources, classify, classify_objects, enrich
    from lasair_broker.context._galaxies import (
        HostModel,
        directional_light_radius,
        host_probabilities,
        tangent_offset,
    )
    from lasair_broker.context._loader import ContextLoader
    from lasair_broker.context._made_with import what_made
    from lasair_broker.context._partners import (
        PARTNER_COLUMNS,
        PARTNER_RADIUS_ARCSEC,
        PlaceIndex,
        partner_rows,
    )
    from lasair_broker.context._rules import CLASSES, Rules, read_rules
    from lasair_broker.context._solar_system import flag_movers, in_solar_system
    from lasair_broker.context._sources import Sources
    from lasair_broker.context._tns_list import (
        TnsBot,
        TnsNews,
        TnsReport,
        read_tns_news,
        tns_stamp,
        update_tns,
    )
    from lasair_broker.context._tns_schedule import TnsList, lists_due
    from lasair_broker.context._transients import TNS_RADIUS_ARCSEC
    from lasair_broker.context.errors import ContextError, TnsListMissingError

__all__ = [
    "CLASSES",
    "PARTNER_COLUMNS",
    "PARTNER_RADIUS_ARCSEC",
    "TNS_RADIUS_ARCSEC",
    "ContextError",
    "ContextLoader",
    "ContextResources",
    "Dust",
    "HostModel",
    "PlaceIndex",
    "Reddening",
    "Rules",
    "Sources",
    "TnsBot",
    "TnsList",
    "TnsListMissingError",
    "TnsNews",
    "TnsReport",
    "classify",
    "classify_objects",
    "directional_light_radius",
    "enrich",
    "flag_movers",
    "host_probabilities",
    "in_solar_system",
    "lists_due",
    "open_dust",
    "partner_rows",
    "read_rules",
    "read_tns_news",
    "tangent_offset",
    "tns_stamp",
    "update_tns",
    "what_made",
]

import_when_used(__name__)
