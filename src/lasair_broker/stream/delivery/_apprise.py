"""Hits to Slack, Telegram, Matrix and whatever else apprise knows."""

from __future__ import annotations

from collections.abc import Mapping

from ._couriers import Couriers
from ._outputs import Output
from ._parcel import Parcel
from ._words import few_lines, summary

__all__ = ["AppriseSender"]


class AppriseSender:
    """One notification for all hits that wait, with the first of them in words."""

    most = 1000
    pause = 10.0

    def __init__(self, couriers: Couriers, site_url: str = "") -> None:
        self._couriers = couriers
        self._site_url = site_url

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        count = len(parcel)
        title = f"{output.name}: {count:,} {'object passes' if count == 1 else 'hits'}"
        self._notify(output, title, few_lines(parcel, 10, self._site_url), seconds)
        return {}

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        self._notify(output, f"{output.name}: {held_back:,} more hits", summary(output, held_back), seconds)

    def test(self, output: Output, seconds: float) -> str:
        self._notify(output, f"{output.name}: a test", "Hits of this filter will be told here.", seconds)
        return "the service took a test notification"

    def close(self) -> None:
        self._couriers.close()

    def _notify(self, output: Output, title: str, body: str, seconds: float) -> None:
        order = {"kind": "apprise", "url": output.address, "title": title, "body": body}
        self._couriers.deliver(order, seconds)
