"""Errors as problem details (RFC 9457); at today's addresses, as today's clients read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from lasair_broker import archive, query
from lasair_broker.context import ContextError
from lasair_broker.stream.delivery import DeliveryError
from lasair_broker.web import errors
from lasair_broker.web.archive import let_go
from lasair_broker.web.limits import limits_of

VERSIONED = "/api/v1/"

_log = structlog.get_logger(__name__)

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.NotFound, 404),
    (errors.NotAllowed, 403),
    (errors.Invalid, 400),
    (errors.Unavailable, 503),
    (errors.Busy, 503),
    (errors.TooOften, 429),
    (query.QueryError, 400),
    (archive.QueryError, 400),
    (archive.ArchiveError, 503),
    (ContextError, 503),
    (DeliveryError, 503),
)


def handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to a request in which `error` was raised; None for what is a fault of ours."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
    request = context["request"]
    headers: dict[str, str] = {}
    if status is None:
        response = exception_handler(error, dict(context))
        if response is None:
            return None
        status = response.status_code
        headers = {name: response[name] for name in ("WWW-Authenticate", "Retry-After") if name in response}
    elif status == 503:
        if isinstance(error, archive.ArchiveError):
            let_go()
        _log.warning("a request could not be answered", path=request.path, reason=str(error))
        headers["Retry-After"] = "10"
    elif isinstance(error, errors.TooOften):
        headers["Retry-After"] = str(max(1, math.ceil(error.seconds)))
    if isinstance(error, exceptions.Throttled):
        limits = limits_of(request.user)
        again = max(1, math.ceil(getattr(error, "wait", None) or 0))
        headers["Retry-After"] = str(again)
        detail = (
            f"Request limit exceeded: {limits.requests:,} requests an hour as {limits.name}. "
            f"Ask again in {again} seconds."
        )
    else:
        detail = _detail(error)
    if not request.path.startswith(VERSIONED):
        return Response(_as_today(error, status, detail), status, headers=headers)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    faults = list(_faults(error))
    if faults:
        problem["errors"] = faults
    if isinstance(error, query.QueryError):
        problem |= {"position": error.position, "suggestion": error.suggestion}
    return Response(problem, status, headers=headers, content_type="application/problem+json")


def _detail(error: Exception) -> str:
    if isinstance(error, Http404 | errors.NotFound):
        return str(error) or "there is nothing here"
    if isinstance(error, PermissionDenied):
        return str(error) or "you may not do this"
    if isinstance(error, exceptions.ValidationError):
        return "; ".join(
            f"{f['field']}: {f['message']}" if f["field"] else f["message"] for f in _faults(error)
        )
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    if isinstance(error, archive.ArchiveError) and not isinstance(error, archive.QueryError):
        return "the archive cannot be read now; try again in a moment"  # its text names our files
    return str(error)


def _faults(error: Exception) -> Iterator[dict[str, str]]:
    """Each thing that is wrong, with its field; "" is the whole."""
    if isinstance(error, errors.Invalid):
        yield from ({"field": name, "message": text} for name, text in error.faults.items())
    elif isinstance(error, exceptions.ValidationError):
        yield from _flat(error.detail, "")


def _flat(detail: Any, place: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, part in detail.items():
            here = "" if name == "non_field_errors" else str(name)
            yield from _flat(part, f"{place}.{here}" if place and here else place or here)
    elif isinstance(detail, list | tuple):
        for number, part in enumerate(detail):
            deeper = isinstance(part, Mapping | list)
            yield from _flat(part, f"{place}[{number}]" if deeper else place)
    else:
        yield {"field": place, "message": str(detail)}


def _as_today(error: Exception, status: int, detail: str) -> Any:
    """The bodies that scripts written for today's Lasair know."""
    if isinstance(error, exceptions.ValidationError):
        return error.detail
    if status == 429:
        return {"message": detail}
    return (
        {"error": detail}
        if status in (400, 403, 503) and not isinstance(error, exceptions.APIException)
        else {"detail": detail}
    )
