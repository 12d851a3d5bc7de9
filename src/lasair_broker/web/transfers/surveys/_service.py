"""What a survey's service has to do, and how one is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lasair_broker.http import Answer, HttpError, Patience, ask, at_the_server_of
from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.errors import Invalid
from lasair_broker.web.photometry.formats import File, read_service
from lasair_broker.web.photometry.models import FluxOf

__all__ = ["RADIUS", "Found", "Later", "Place", "Service", "ServiceError", "ask_service", "file_of"]

RADIUS = 1.5 / 3600.0
"""Degrees around the object in which a catalogue's source is taken to be it."""

State = Mapping[str, Any]


class ServiceError(Exception):
    """A service gives nothing; the text says why and what to do, for the user."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the sky: degrees, ICRS."""

    ra: float
    decl: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a service gave.

    Attributes
    ----------
    file
        Its rows; there may be none.
    query
        The address that was asked, or what else tells how to get the same.
    """

    file: File
    query: str


@dataclass(frozen=True, slots=True)
class Later:
    """The service is to be asked again.

    Attributes
    ----------
    state
        What the next step has to know; JSON.
    seconds
        After so long.
    told
        What the service does meanwhile, for the user.
    """

    state: State
    seconds: float
    told: str


class Service(Protocol):
    """A survey's service.

    Attributes
    ----------
    name, title, about
        For programs, and for people.
    flux_of
        What its fluxes are of.
    south
        It has nothing south of this declination, degrees.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def flux_of(self) -> FluxOf: ...
    @property
    def south(self) -> float: ...

    def on(self, settings: PhotometrySettings) -> bool:
        """Whether the operator has switched it on."""

    def step(self, place: Place, state: State, settings: PhotometrySettings) -> Found | Later:
        """Ask it once.

        Parameters
        ----------
        state
            Of the step before; empty at first.

        Raises
        ------
        ServiceError
            If it gives nothing.
        """

    def abandon(self, state: State, settings: PhotometrySettings) -> None:
        """Tell it that nobody waits any more for what a step before has begun. Does not fail."""


def ask_service(
    base: str,
    address: str,
    settings: PhotometrySettings,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """The answer of a service: only its own server is asked, and it is not followed elsewhere.

    Raises
    ------
    HttpError
        If there is none.
    """
    patience = Patience(settings.megabytes * 1_000_000, settings.seconds)
    return ask(address, at_the_server_of(base), patience, method=method, headers=headers, body=body)


def get(title: str, base: str, address: str, settings: PhotometrySettings) -> Answer:
    """The answer of a service that gives all at once.

    Raises
    ------
    ServiceError
        If there is none, or a refusal.
    """
    try:
        answer = ask_service(base, address, settings)
    except HttpError as error:
        raise ServiceError(f"{title} gives no answer: {error}. Try again later.") from None
    if not answer.ok:
        raise ServiceError(refusal(title, answer))
    return answer


def refusal(title: str, answer: Answer) -> str:
    """What to tell of an answer that is none."""
    if answer.status == 429:
        return f"{title} is asked too often (429). Try again in some minutes."
    if answer.status >= 500:
        return f"{title} is out of order ({answer.status}). Try again later."
    return f"{title} refuses the request ({answer.status}). Tell the operator of this site."


def file_of(title: str, answer: Answer) -> File:
    """The rows of an answer; of none that has no text.

    Raises
    ------
    ServiceError
        If it is not what the service gives.
    """
    if not answer.content.strip():
        return File(title, [])
    try:
        found = read_service(answer.content)
    except Invalid as error:
        raise ServiceError(
            f"{title} gives what cannot be read: {error}. Tell the operator of this site."
        ) from None
    if found is None:
        raise ServiceError(f"{title} gives something else than photometry. Tell the operator of this site.")
    return found
