"""Where objects are sent to: a SkyPortal, or a TOM made with the TOM Toolkit."""

from __future__ import annotations

from collections.abc import Mapping

from lasair_broker.web.transfers.destinations import _skyportal, _tom
from lasair_broker.web.transfers.destinations._system import (
    Measurement,
    Parcel,
    Reach,
    RefusedError,
    Sent,
    System,
)

__all__ = ["SYSTEMS", "Measurement", "Parcel", "Reach", "RefusedError", "Sent", "System"]

SYSTEMS: Mapping[str, System] = {system.name: system for system in (_skyportal.SYSTEM, _tom.SYSTEM)}
"""By name."""
