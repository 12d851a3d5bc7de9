"""Positions on the sky: HEALPix and HTM cells, separations, cones, catalogues, galactic coordinates."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.sky._cones import cone_ranges, contains_cone
    from lasair_broker.sky._distances import distance_moments, ln_volume_density
    from lasair_broker.sky._ecliptic import ecliptic_latitude
    from lasair_broker.sky._galactic import galactic_coordinates, galactic_latitude
    from lasair_broker.sky._healpix import healpix29
    from lasair_broker.sky._htm import htm16
    from lasair_broker.sky._moc import Moc, MocError
    from lasair_broker.sky._moc_index import WatchmapIndex, WatchmapMatches
    from lasair_broker.sky._separation import separation_arcsec
    from lasair_broker.sky._sexagesimal import sexagesimal
    from lasair_broker.sky._skymap import SkyMap, SkyMapError
    from lasair_broker.sky._skymap_draw import gaussian_skymap
    from lasair_broker.sky._skymap_index import SkyMapIndex, SkyMapMatches
    from lasair_broker.sky._skymap_read import read_skymap
    from lasair_broker.sky._sorted_cells import SortedCells
    from lasair_broker.sky._volumes import VolumeLevels
    from lasair_broker.sky._watchlist_angles import angles
    from lasair_broker.sky._watchlist_columns import UploadError
    from lasair_broker.sky._watchlist_trigger_kernel import TriggerEvents, evaluate_triggers
    from lasair_broker.sky._watchlist_triggers import (
        WHOLE_LIST,
        Direction,
        Trigger,
        TriggerKind,
        TriggerLightCurves,
        Triggers,
        TriggerState,
    )
    from lasair_broker.sky._watchlist_upload import (
        UPLOAD_SCHEMA,
        RowProblem,
        WatchlistUpload,
        read_watchlist,
    )
    from lasair_broker.sky.watchlists import ROW_SCHEMA, WatchlistIndex, WatchlistMatches

__all__ = [
    "ROW_SCHEMA",
    "UPLOAD_SCHEMA",
    "WHOLE_LIST",
    "Direction",
    "Moc",
    "MocError",
    "RowProblem",
    "SkyMap",
    "SkyMapError",
    "SkyMapIndex",
    "SkyMapMatches",
    "SortedCells",
    "Trigger",
    "TriggerEvents",
    "TriggerKind",
    "TriggerLightCurves",
    "TriggerState",
    "Triggers",
    "UploadError",
    "VolumeLevels",
    "WatchlistIndex",
    "WatchlistMatches",
    "WatchlistUpload",
    "WatchmapIndex",
    "WatchmapMatches",
    "angles",
    "cone_ranges",
    "contains_cone",
    "distance_moments",
    "ecliptic_latitude",
    "evaluate_triggers",
    "galactic_coordinates",
    "galactic_latitude",
    "gaussian_skymap",
    "healpix29",
    "htm16",
    "ln_volume_density",
    "read_skymap",
    "read_watchlist",
    "separation_arcsec",
    "sexagesimal",
]

import_when_used(__name__)
