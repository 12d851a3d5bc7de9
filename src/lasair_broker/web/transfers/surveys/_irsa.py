"""ZTF's light curves of the newest data release, at IRSA.

https://irsa.ipac.caltech.edu/docs/program_interface/ztf_lightcurve_api.html
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.photometry.models import FluxOf
from lasair_broker.web.transfers.surveys._service import RADIUS, Found, Place, State, file_of, get

__all__ = ["SERVICE"]


@dataclass(frozen=True)
class _Irsa:
    name: str = "ztf"
    title: str = "ZTF light curves at IRSA"
    about: str = "What ZTF's newest data release has of the source here, g, r and i."
    flux_of: FluxOf = FluxOf.TOTAL
    south: float = -31.0

    def on(self, settings: PhotometrySettings) -> bool:
        return bool(settings.ztf)

    def step(self, place: Place, state: State, settings: PhotometrySettings) -> Found:
        asked = {
            "POS": f"CIRCLE {place.ra:.6f} {place.decl:.6f} {RADIUS:.6f}",
            "BAD_CATFLAGS_MASK": "32768",
            "FORMAT": "CSV",
        }
        address = f"{settings.ztf}?{urlencode(asked)}"
        return Found(file_of(self.title, get(self.title, settings.ztf, address, settings)), address)

    def abandon(self, state: State, settings: PhotometrySettings) -> None:
        """There is nothing to give up: it answers at once."""


SERVICE = _Irsa()
