"""SkyPortal (van der Walt et al. 2019, JOSS 4, 1247; https://skyportal.io/docs/api.html)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lasair_broker.web.transfers.destinations._system import Measurement, Parcel, Reach, RefusedError, Sent

__all__ = ["SYSTEM"]

_ZERO_POINT = 31.4  # of AB magnitudes of fluxes in nJy
_MOST_AT_ONCE = 2000


@dataclass(frozen=True)
class _SkyPortal:
    name: str = "skyportal"
    title: str = "SkyPortal"

    def test(self, reach: Reach) -> str:
        told = reach.done(reach.ask("api/groups"), "name the groups of the token")
        groups = _data(told).get("user_groups") or []
        names = [str(group.get("name"))[:60] for group in groups if isinstance(group, dict)]
        return f"It takes the token, which is of {len(names)} groups: {', '.join(names[:5])}"[:200]

    def send(self, reach: Reach, parcel: Parcel) -> Sent:
        instruments = self._instruments(reach)
        path = f"api/sources/{quote(parcel.name, safe='')}"
        place = {"ra": parcel.ra, "dec": parcel.decl}
        if reach.ask(path).ok:
            reach.done(reach.ask(path, method="PATCH", body=place), "change the source")
        else:
            new = {"id": parcel.name, **place, "origin": "Lasair"}
            reach.done(reach.ask("api/sources", method="POST", body=new), "take the source")
        by_instrument: dict[int, list[Measurement]] = {}
        for point in parcel.points:
            if point.passband in instruments:
                by_instrument.setdefault(instruments[point.passband], []).append(point)
        for instrument, points in by_instrument.items():
            for first in range(0, len(points), _MOST_AT_ONCE):
                body = _photometry(parcel.name, instrument, points[first : first + _MOST_AT_ONCE])
                # By PUT what is there already is found again; POST would refuse it.
                reach.done(reach.ask("api/photometry", method="PUT", body=body), "take the photometry")
        count = sum(map(len, by_instrument.values()))
        return Sent(
            f"{reach.address}/source/{quote(parcel.name, safe='')}", count, len(parcel.points) - count
        )

    def _instruments(self, reach: Reach) -> Mapping[str, int]:
        """Of each passband the first instrument there that has it."""
        told = reach.done(reach.ask("api/instrument"), "name its instruments")
        listed = told.get("data") if isinstance(told, dict) else None
        if not isinstance(listed, list):
            raise RefusedError("SkyPortal did not name its instruments. Look at its address.")
        found: dict[str, int] = {}
        for each in listed:
            number = each.get("id") if isinstance(each, dict) else None
            for passband in (each.get("filters") or []) if isinstance(number, int) else []:
                found.setdefault(str(passband), int(number or 0))
        return found


def _photometry(name: str, instrument: int, points: list[Measurement]) -> dict[str, Any]:
    return {
        "obj_id": name,
        "instrument_id": instrument,
        "mjd": [point.mjd for point in points],
        "filter": [point.passband for point in points],
        "flux": [point.flux for point in points],
        "fluxerr": [point.error for point in points],
        "zp": _ZERO_POINT,
        "magsys": "ab",
        "origin": "Lasair",
    }


def _data(told: Any) -> dict[str, Any]:
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(data, dict):
        raise RefusedError("What answers there is no SkyPortal. Look at its address.")
    return data


SYSTEM = _SkyPortal()
