"""Features of light curves (counts, colours, statistics, fits): kernels and the stage that runs them."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from lasair_broker.lightcurve._cosmology import SPEED_OF_LIGHT, Cosmology
    from lasair_broker.lightcurve._enrich import enrich
    from lasair_broker.lightcurve._hosts import HOST_COLUMNS
    from lasair_broker.lightcurve._resources import LSST, ZTF, FeatureResources, Passbands

__all__ = [
    "HOST_COLUMNS",
    "LSST",
    "SPEED_OF_LIGHT",
    "ZTF",
    "Cosmology",
    "FeatureResources",
    "Passbands",
    "enrich",
]

import_when_used(__name__)
