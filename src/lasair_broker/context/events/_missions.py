"""What senders of GCN notices leave unsaid, because everybody knows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Mission", "mission_of"]


@dataclass(frozen=True, slots=True)
class Mission:
    """Who sends a notice, and what it is about.

    Attributes
    ----------
    origin
        Mission and instrument.
    kind, regime
        As in table `external_events`.
    systematic
        68 per cent radius of the error of positions that notices do not include, degrees.
    default_error
        90 per cent radius where notices state none, degrees; None: a position without error is not matched.
    """

    origin: str
    kind: str | None = None
    regime: str | None = None
    systematic: float = 0.0
    default_error: float | None = None


_KNOWN = {
    "boom": Mission("BOOM", "transient", "optical", default_error=1.0 / 3600.0),
    "burstcube": Mission("BurstCube", "grb", "gamma-ray"),
    "chime": Mission("CHIME", "frb", "radio"),
    "dsa110": Mission("DSA-110", "frb", "radio"),
    "einstein_probe": Mission("Einstein Probe", "x-ray transient", "x-ray"),
    # Core of the distribution of GBM's systematic error: Goldstein et al. 2020, ApJ 895, 40.
    "fermi/gbm": Mission("Fermi GBM", "grb", "gamma-ray", systematic=1.86),
    # Flares of catalogued sources: the radius is that of bright sources of the LAT catalogues.
    "fermi/lat": Mission("Fermi LAT", "gamma-ray flare", "gamma-ray", default_error=0.1),
    "glowbug": Mission("Glowbug", "grb", "gamma-ray"),
    "icecube": Mission("IceCube", "neutrino"),
    "km3net": Mission("KM3NeT", "neutrino"),
    "maxi/gsc.known": Mission("MAXI GSC", "x-ray flare", "x-ray", default_error=0.1),
    "maxi": Mission("MAXI GSC", "x-ray transient", "x-ray"),
    "superk": Mission("Super-Kamiokande", "neutrino"),
    "svom": Mission("SVOM", "grb", "gamma-ray"),
    "swift/bat": Mission("Swift BAT", "grb", "gamma-ray"),
}
"""By the beginning of the path of a notice's schema below ``gcn/notices``."""

_PATH = re.compile(r"/gcn/notices/(.+?)(?:\.schema\.json)?$")
_WORDS = re.compile(r"[^\w .:/+-]")


def mission_of(notice: Mapping[str, Any]) -> Mission:
    """Who sent it: known by its schema, else by what it says of itself."""
    found = _PATH.search(str(notice.get("$schema", "")))
    path = found.group(1).lower() if found else ""
    names = [name for name in _KNOWN if path == name or path.startswith((f"{name}/", f"{name}."))]
    stated = " ".join(
        _WORDS.sub("", value) for value in (notice.get("mission"), notice.get("instrument"))
        if isinstance(value, str)
    ).strip()  # fmt: skip
    if names:
        return _KNOWN[max(names, key=len)]
    kind = "neutrino" if notice.get("messenger") == "Neutrino" else None
    return Mission(stated or path.split("/")[0] or "GCN", kind)
