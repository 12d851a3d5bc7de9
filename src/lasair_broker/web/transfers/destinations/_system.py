"""What is sent, and what a system that takes it has to do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from lasair_broker.http import Answer, HttpError, Patience, ask, at_the_server_of

__all__ = ["Measurement", "Parcel", "Reach", "RefusedError", "Sent", "System"]


class RefusedError(Exception):
    """The system takes nothing; the text says why and what to do, for the user."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A point of the light curve.

    Attributes
    ----------
    mjd
        Middle of the exposure, MJD UTC.
    passband
        As sncosmo, and so SkyPortal, names it: lsstr, ztfg, atlaso.
    flux, error
        Of the difference, nJy; AB magnitudes are 31.4 - 2.5 log10 of it.
    """

    mjd: float
    passband: str
    flux: float
    error: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent of an object: its name, its place (degrees, ICRS), and its points."""

    name: str
    ra: float
    decl: float
    points: Sequence[Measurement]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it.

    Attributes
    ----------
    link
        The page of the object there.
    count, left_out
        Points that it took, and that it can not have.
    """

    link: str
    count: int
    left_out: int


class System(Protocol):
    """A kind of system; `name` and `title` are for programs, and for people."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...

    def test(self, reach: Reach) -> str:
        """Ask whether it takes the token, and change nothing; what to tell of it.

        Raises
        ------
        RefusedError
            If it does not.
        """

    def send(self, reach: Reach, parcel: Parcel) -> Sent:
        """Send an object; what was sent of it before is brought up to date.

        Raises
        ------
        RefusedError
            If it is not taken.
        """


@dataclass(frozen=True, slots=True)
class Reach:
    """How a destination is reached: only its own server is asked, and it is not followed elsewhere.

    Attributes
    ----------
    scheme
        The word before the token, in the header.
    """

    address: str
    token: str = field(repr=False)
    patience: Patience
    title: str = ""
    scheme: str = "Token"

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        asked: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        media: str = "application/json",
    ) -> Answer:
        """An answer, whatever its status, unless that says that the token is refused.

        Parameters
        ----------
        path
            Below the address; or a whole address at the same server.
        body
            JSON, or bytes of this media type.

        Raises
        ------
        RefusedError
            If there is no answer, or it takes not the token.
        """
        address = path if path.startswith(self.address) else f"{self.address}/{path.lstrip('/')}"
        address += f"?{urlencode(asked)}" if asked else ""
        headers = {"Authorization": f"{self.scheme} {self.token}", "Accept": "application/json"}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = media
        try:
            answer = ask(
                address,
                at_the_server_of(self.address),
                self.patience,
                method=method,
                headers=headers,
                body=content,
            )
        except HttpError as error:
            raise RefusedError(f"{self.title} gives no answer: {error}. Try again later.") from None
        if answer.status in (401, 403):
            raise RefusedError(
                f"{self.title} refuses the token ({answer.status}): {_words(answer)}. "
                "Give it the rights to read and to upload, or store another."
            )
        return answer

    def done(self, answer: Answer, what: str) -> Any:
        """The JSON of an answer that says that something was done.

        Raises
        ------
        RefusedError
            If it says something else.
        """
        if not answer.ok:
            raise RefusedError(f"{self.title} did not {what} ({answer.status}): {_words(answer)}")
        try:
            return answer.json() if answer.content.strip() else None
        except HttpError as error:
            raise RefusedError(f"{self.title} did not {what}: {error}. Look at its address.") from None


def _words(answer: Answer) -> str:
    """What a refusal says, in short; it is shown as text only."""
    try:
        told = answer.json()
    except HttpError:
        return "it gives no reason"
    said = told.get("message") or told.get("detail") or told if isinstance(told, dict) else told
    return str(said)[:300]
