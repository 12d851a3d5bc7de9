"""Pan-STARRS' single detections of DR2, at MAST. https://catalogs.mast.stsci.edu/docs/panstarrs.html"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.photometry.models import FluxOf
from lasair_broker.web.transfers.surveys._service import RADIUS, Found, Place, State, file_of, get

__all__ = ["SERVICE"]

_COLUMNS = "[filterID,obsTime,psfFlux,psfFluxErr,psfQfPerfect]"
_MOST_ROWS = 5000  # of one place there are some hundred at most


@dataclass(frozen=True)
class _Panstarrs:
    name: str = "panstarrs"
    title: str = "Pan-STARRS DR2 at MAST"
    about: str = "The detections of the source here from 2010 to 2015, g, r, i, z and y."
    flux_of: FluxOf = FluxOf.TOTAL
    south: float = -31.0

    def on(self, settings: PhotometrySettings) -> bool:
        return bool(settings.panstarrs)

    def step(self, place: Place, state: State, settings: PhotometrySettings) -> Found:
        asked = {
            "ra": f"{place.ra:.6f}",
            "dec": f"{place.decl:.6f}",
            "radius": f"{RADIUS:.6f}",
            "columns": _COLUMNS,
            "pagesize": _MOST_ROWS,
        }
        address = f"{settings.panstarrs.rstrip('/')}/dr2/detection.csv?{urlencode(asked)}"
        return Found(file_of(self.title, get(self.title, settings.panstarrs, address, settings)), address)

    def abandon(self, state: State, settings: PhotometrySettings) -> None:
        """There is nothing to give up: it answers at once."""


SERVICE = _Panstarrs()
