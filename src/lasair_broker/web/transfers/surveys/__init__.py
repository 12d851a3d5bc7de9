"""Services of other surveys that give photometry of a place: each builds its request and reads the answer."""

from __future__ import annotations

from collections.abc import Mapping

from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.transfers.surveys import _atlas, _irsa, _panstarrs
from lasair_broker.web.transfers.surveys._service import Found, Later, Place, Service, ServiceError

__all__ = ["SERVICES", "Found", "Later", "Place", "Service", "ServiceError", "allowed"]

SERVICES: Mapping[str, Service] = {
    service.name: service for service in (_irsa.SERVICE, _atlas.SERVICE, _panstarrs.SERVICE)
}
"""By name."""


def allowed(settings: PhotometrySettings) -> dict[str, Service]:
    """Those that the operator has switched on."""
    return {name: service for name, service in SERVICES.items() if service.on(settings)}
