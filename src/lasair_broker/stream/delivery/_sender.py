"""What every way of delivery can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ._outputs import Output
from ._parcel import Parcel

__all__ = ["DeliveryError", "Sender"]


class DeliveryError(Exception):
    """Hits could not be delivered now; the text is for the filter's owner and holds no secrets."""


class Sender(Protocol):
    """One way of delivery. Called from several threads at once, but never twice for the same output.

    Attributes
    ----------
    most
        Hits that are sent at once.
    pause
        Seconds to leave an output alone after something was sent, so that people are not flooded.
    """

    most: int
    pause: float

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        """Send hits; when it returns, they have arrived where the output leads.

        Parameters
        ----------
        seconds
            How long it may take.

        Returns
        -------
        Ids of hits that can never be delivered there, with the reason; usually none.

        Raises
        ------
        DeliveryError
            If not all arrived. Some may have.
        """

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        """Tell how many hits were held back because there were more than the output's limit.

        Raises
        ------
        DeliveryError
            If that did not arrive.
        """

    def test(self, output: Output, seconds: float) -> str:
        """Try the output without a hit; tells in words what was done.

        Raises
        ------
        DeliveryError
            If it does not work.
        """

    def close(self) -> None:
        """Give back connections and processes."""
