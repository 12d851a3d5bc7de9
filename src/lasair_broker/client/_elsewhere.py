"""What the site fetches from other servers, and sends to them, for the user of the client."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lasair_broker.client._errors import LasairError

__all__ = ["Elsewhere", "part"]


class Elsewhere(ABC):
    """The part of the client that has photometry fetched and objects sent; it asks as `Lasair` does."""

    @abstractmethod
    def every(self, kind: str) -> Iterator[dict[str, Any]]:
        """All things of a kind that you see."""

    @abstractmethod
    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]: ...

    def services(self) -> list[dict[str, Any]]:
        """The services of other surveys from which the site fetches photometry: name, title, about."""
        return list(self._json("GET", "photometry/services/")["results"])

    def fetch_photometry(
        self,
        key: int | str,
        service: str,
        *,
        wait: float = 3600.0,
        visibility: str | None = None,
        collaboration: str | None = None,
    ) -> dict[str, Any]:
        """Have the site fetch photometry of an object from a service, waiting for it so many seconds.

        The points are then among those of `photometry`, in place of what was fetched from there before.

        Returns
        -------
        dict
            What came of it: `count` points, `left_out` that the service marks as bad, `photometry` their set.

        Raises
        ------
        LasairError
            Also if it failed or was cancelled, or has not ended by then.
        """
        given: dict[str, Any] = {"service": service}
        given |= {} if visibility is None else {"visibility": visibility}
        given |= {} if collaboration is None else {"collaboration": collaboration}
        begun = self._json("POST", f"objects/{part(key)}/photometry/fetch/", json=given)
        return self._ended(begun, wait)

    def destinations(self) -> list[dict[str, Any]]:
        """The TOMs and SkyPortals that you have stored, without their tokens."""
        return list(self.every("destinations"))

    def add_destination(self, name: str, system: str, address: str, token: str) -> dict[str, Any]:
        """Store where objects are to be sent: `system` is "skyportal" or "tom". The site's operator allows
        hosts. The token is kept encrypted, and never shown again."""
        given = {"name": name, "system": system, "address": address, "token": token}
        return self._json("POST", "destinations/", json=given)

    def test_destination(self, destination: int, *, wait: float = 300.0) -> str:
        """Whether a destination takes its token: what it says. Otherwise an error tells why not."""
        begun = self._json("POST", f"destinations/{int(destination)}/test/")
        return str(self._ended(begun, wait)["progress"])

    def send(
        self, key: int | str, destination: int, *, private: bool = False, wait: float = 1800.0
    ) -> dict[str, Any]:
        """Send an object with its photometry to a destination, waiting for it so many seconds.

        Parameters
        ----------
        private
            Whether added points go along that not everybody sees.

        Returns
        -------
        dict
            What came of it: `count` points, `left_out` that it cannot have, `link` to the object there.

        Raises
        ------
        LasairError
            Also if it is not taken, or has not ended by then.
        """
        given = {"destination": destination, "private": private}
        return self._ended(self._json("POST", f"objects/{part(key)}/send/", json=given), wait)

    def _ended(self, transfer: Mapping[str, Any], wait: float) -> dict[str, Any]:
        """A transfer that is done."""
        number, end, pause = int(transfer["id"]), time.monotonic() + wait, 0.1
        while (known := self._json("GET", f"transfers/{number}/"))["phase"] in ("QUEUED", "EXECUTING"):
            if time.monotonic() > end:
                raise LasairError(f"transfer {number} has not ended after {wait:g} seconds; ask for it later")
            time.sleep(pause)
            pause = min(2.0 * pause, 5.0)
        if known["phase"] != "COMPLETED":
            raise LasairError(f"transfer {number} was not done ({known['phase']}): {known['error']}")
        return known


def part(value: int | str) -> str:
    """A part of an address."""
    return quote(str(value), safe="")
