"""ATLAS' forced photometry of difference images: a task is put into its line, looked after, and read.

https://fallingstar-data.com/forcedphot/apiguide/
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from lasair_broker.http import Answer, HttpError, at_the_server_of
from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.photometry.models import FluxOf
from lasair_broker.web.transfers.surveys._service import (
    Found,
    Later,
    Place,
    ServiceError,
    State,
    ask_service,
    file_of,
    refusal,
)

__all__ = ["SERVICE"]

_MOST_SILENCES = 5
"""A task that cannot be asked for so often in a row is given up."""
_LONGEST_PAUSE = 600.0
_PLAIN_PAUSE = 30.0


@dataclass(frozen=True)
class _Atlas:
    name: str = "atlas"
    title: str = "ATLAS forced photometry"
    about: str = "Forced photometry of its difference images, o and c. It computes for some minutes."
    flux_of: FluxOf = FluxOf.DIFFERENCE
    south: float = -90.0

    def on(self, settings: PhotometrySettings) -> bool:
        return bool(settings.atlas and settings.atlas_token.get_secret_value())

    def step(self, place: Place, state: State, settings: PhotometrySettings) -> Found | Later:
        if "task" not in state:
            return self._begin(place, state, settings)
        try:
            return self._look(state, settings)
        except HttpError as error:
            silences = int(state.get("silences", 0)) + 1
            if silences > _MOST_SILENCES:
                raise ServiceError(f"{self.title} gives no answer: {error}. Try again later.") from None
            return Later({**state, "silences": silences}, settings.poll_seconds, "ATLAS does not answer now")

    def abandon(self, state: State, settings: PhotometrySettings) -> None:
        if "task" in state:
            with suppress(HttpError):  # it ends by itself there, too
                self._ask(state["task"], settings, method="DELETE")

    def _begin(self, place: Place, state: State, settings: PhotometrySettings) -> Later:
        asked = {"ra": f"{place.ra:.6f}", "dec": f"{place.decl:.6f}", "send_email": "False"}
        address = f"{settings.atlas.rstrip('/')}/queue/"
        try:
            answer = self._ask(address, settings, method="POST", body=urlencode(asked).encode())
            if answer.status == 429:
                return Later(state, _pause(answer), "ATLAS is busy; it is asked again soon")
            if answer.status in (401, 403):
                raise ServiceError("ATLAS refuses the token of this site. Tell the operator of this site.")
            if not answer.ok:
                raise ServiceError(refusal(self.title, answer))
            task = _text(answer.json(), "url")
        except HttpError as error:
            raise ServiceError(f"{self.title} gives no answer: {error}. Try again later.") from None
        if not at_the_server_of(settings.atlas)(task):
            raise ServiceError(
                f"{self.title} names a task at another server. Tell the operator of this site."
            )
        return Later({**state, "task": task}, settings.poll_seconds, "waits in ATLAS' line")

    def _look(self, state: State, settings: PhotometrySettings) -> Found | Later:
        answer = self._ask(state["task"], settings)
        if answer.status == 429:
            return Later(state, _pause(answer), "ATLAS is busy; it is asked again soon")
        if answer.status == 404:
            raise ServiceError(f"{self.title} knows nothing of the task any more. Fetch it again.")
        if not answer.ok:
            raise HttpError(f"{state['task']} answers {answer.status}")
        known = answer.json()
        told = known if isinstance(known, dict) else {}
        if told.get("error_msg"):
            self.abandon(state, settings)
            raise ServiceError(f"{self.title} failed: {str(told['error_msg'])[:200]}")
        if not told.get("finishtimestamp"):
            place = told.get("queuepos")
            before = f", {place} before it" if isinstance(place, int) and place else ""
            doing = "ATLAS computes" if told.get("starttimestamp") else f"waits in ATLAS' line{before}"
            return Later({**state, "silences": 0}, settings.poll_seconds, doing)
        result = self._ask(_text(told, "result_url"), settings)
        if not result.ok:
            raise HttpError(f"its result answers {result.status}")
        found = file_of(self.title, result)
        self.abandon(state, settings)  # so that the line of this site's account stays short there
        number = state["task"].rstrip("/").rsplit("/", 1)[-1]
        return Found(found, f"{settings.atlas.rstrip('/')}/, task {number}")

    def _ask(
        self, address: str, settings: PhotometrySettings, *, method: str = "GET", body: bytes | None = None
    ) -> Answer:
        headers = {
            "Authorization": f"Token {settings.atlas_token.get_secret_value()}",
            "Accept": "application/json",
        }
        return ask_service(settings.atlas, address, settings, method=method, headers=headers, body=body)


def _pause(answer: Answer) -> float:
    """Seconds after which it wants to be asked again, as its header or its words say."""
    header = answer.headers.get("retry-after", "")
    words = re.search(rb"available in (\d{1,6}) (second|minute)", answer.content)
    if header.isdecimal():
        seconds = float(header[:6])
    elif words:
        seconds = float(words[1]) * (60.0 if words[2] == b"minute" else 1.0)
    else:
        seconds = _PLAIN_PAUSE
    return min(seconds, _LONGEST_PAUSE)


def _text(told: Any, name: str) -> str:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, str) or not value:
        raise HttpError(f"its answer has no {name}")
    return value


SERVICE = _Atlas()
