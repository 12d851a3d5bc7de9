"""A TOM made with the TOM Toolkit (Street et al. 2018, Proc. SPIE 10707; https://tom-toolkit.readthedocs.io).

Points go as a data product of type photometry, which the TOM takes apart by itself; the one that was sent
before is removed first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from urllib3 import encode_multipart_formdata

from lasair_broker.web.transfers.destinations._system import Measurement, Parcel, Reach, RefusedError, Sent

__all__ = ["SYSTEM"]

_ZERO_POINT = 31.4  # of AB magnitudes of fluxes in nJy
_FAINTEST_SIGMA = 3.0  # it takes magnitudes only, of which what is fainter has none worth the name
_MOST_PAGES = 50


@dataclass(frozen=True)
class _Tom:
    name: str = "tom"
    title: str = "TOM"

    def test(self, reach: Reach) -> str:
        told = reach.done(reach.ask("api/targets/"), "list its targets")
        if not isinstance(told, dict) or "results" not in told:
            raise RefusedError("What answers there is no TOM. Look at its address.")
        return f"It takes the token, which sees {int(told.get('count') or 0):,} targets."

    def send(self, reach: Reach, parcel: Parcel) -> Sent:
        number = self._target(reach, parcel)
        product = f"lasair-{parcel.name}"
        for old in list(_listed(reach, "api/dataproducts/", {"target_name": parcel.name})):
            if old.get("product_id") == product and isinstance(old.get("id"), int):
                reach.done(
                    reach.ask(f"api/dataproducts/{old['id']}/", method="DELETE"), "renew the photometry"
                )
        bright = [point for point in parcel.points if point.flux > _FAINTEST_SIGMA * point.error > 0.0]
        if bright:
            body, media = encode_multipart_formdata(
                {
                    "target": str(number),
                    "data_product_type": "photometry",
                    "product_id": product,
                    "file": (f"{product}.csv", _csv(bright), "text/csv"),
                }
            )
            answer = reach.ask("api/dataproducts/", method="POST", body=body, media=media)
            reach.done(answer, "take the photometry")
        return Sent(f"{reach.address}/targets/{number}/", len(bright), len(parcel.points) - len(bright))

    def _target(self, reach: Reach, parcel: Parcel) -> int:
        """The number of the target of this name, which is made if there is none."""
        place = {
            "name": parcel.name,
            "type": "SIDEREAL",
            "ra": parcel.ra,
            "dec": parcel.decl,
            "epoch": 2000.0,
        }
        # It looks for what has the name in its own.
        for known in _listed(reach, "api/targets/", {"name": parcel.name}):
            if known.get("name") == parcel.name and isinstance(known.get("id"), int):
                path = f"api/targets/{known['id']}/"
                reach.done(reach.ask(path, method="PATCH", body=place), "change the target")
                return int(known["id"])
        body = {**place, "aliases": [], "groups": [], "targetextra_set": []}
        made = reach.done(reach.ask("api/targets/", method="POST", body=body), "take the target")
        number = made.get("id") if isinstance(made, dict) else None
        if not isinstance(number, int):
            raise RefusedError("The TOM did not say which target it made. Look at its address.")
        return number


def _listed(reach: Reach, path: str, asked: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What a list has, page by page."""
    for page in range(1, _MOST_PAGES):
        told = reach.done(reach.ask(path, asked={**asked, "page": str(page)}), "list what it has")
        if not isinstance(told, dict) or not isinstance(told.get("results"), list):
            raise RefusedError("What answers there is no TOM. Look at its address.")
        yield from (each for each in told["results"] if isinstance(each, dict))
        if not told.get("next"):
            return


def _csv(points: Sequence[Measurement]) -> bytes:
    lines = ["time,magnitude,filter,error"]
    for point in points:
        magnitude = _ZERO_POINT - 2.5 * math.log10(point.flux)
        error = 2.5 / math.log(10.0) * point.error / point.flux
        lines.append(f"{point.mjd:.8f},{magnitude:.5f},{point.passband},{error:.5f}")
    return "\n".join([*lines, ""]).encode()


SYSTEM = _Tom()
