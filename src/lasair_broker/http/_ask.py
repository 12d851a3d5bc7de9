"""A request to another server, and its whole answer."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any

__all__ = ["Answer", "HttpError", "Patience", "ask"]

_PART = 1 << 16


class HttpError(Exception):
    """There is no answer that could be used; the text says why, and names the address."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much is taken of an answer, and how long it is waited for.

    Attributes
    ----------
    most_bytes
        Of its body.
    seconds
        From the request to the last byte; also of each silence.
    """

    most_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes
    ----------
    status
        Any but a redirection.
    headers
        By name in lower case.
    """

    address: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether the server did as it was asked."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The content.

        Raises
        ------
        HttpError
            If it is no JSON.
        """
        try:
            return json.loads(self.content)
        except ValueError:
            raise HttpError(f"{self.address} answers with something else than JSON") from None


def ask(
    address: str,
    allows: Callable[[str], bool],
    patience: Patience,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    follow: bool = False,
) -> Answer:
    """Ask a server.

    Parameters
    ----------
    allows
        Whether an address may be asked: this one, and each that it leads to.
    follow
        Whether a redirection to what is allowed is followed, without the `headers`, which may have secrets;
        else it is an error.

    Raises
    ------
    HttpError
        If the address, or one that it leads to, may not be asked, or does not answer in time, or with more
        than is taken.
    """
    if not address.startswith(("http://", "https://")) or not allows(address):
        raise HttpError(f"{address} may not be asked: it is at no server that is allowed here")
    # The message of an error never names what the headers hold.
    request = urllib.request.Request(address, data=body, method=method)  # noqa: S310 - http(s) only, see above
    request.add_header("User-Agent", "lasair")
    for name, value in (headers or {}).items():
        request.add_unredirected_header(name, value)
    opener = urllib.request.build_opener(_Redirects(allows if follow else None), _AnyStatus())
    until = time.monotonic() + patience.seconds
    try:
        with opener.open(request, timeout=patience.seconds) as answer:
            content = _read(answer, address, patience, until)
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(address, answer.status, found, content)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise HttpError(f"cannot reach {address}: {reason}") from None


def _read(answer: HTTPResponse, address: str, patience: Patience, until: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_PART):
        size += len(part)
        if size > patience.most_bytes:
            raise HttpError(f"{address} has more than {patience.most_bytes:,} bytes")
        if time.monotonic() > until:
            raise HttpError(f"{address} took more than {patience.seconds:g} s")
        parts.append(part)
    missing = answer.length  # what it announced and did not send
    if missing:
        raise HttpError(f"cannot reach the end of {address}: {missing:,} bytes are missing")
    return b"".join(parts)


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Gives every answer but a redirection as it is, instead of raising: a refusal has words, too."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        if 300 <= response.status < 400:
            return super().http_response(request, response)
        return response

    https_response = http_response


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to addresses that are allowed only."""

    def __init__(self, allows: Callable[[str], bool] | None) -> None:
        self._allows = allows

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if self._allows is None:
            raise HttpError(f"{req.full_url} answers {code} and leads to {newurl}, which is not followed")
        if not self._allows(newurl):
            raise HttpError(f"{req.full_url} leads to {newurl}, which is at no server that is allowed here")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
