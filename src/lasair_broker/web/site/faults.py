"""Pages that say what went wrong: what services raise, and Django's own errors."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render

from lasair_broker import archive, query
from lasair_broker.context import ContextError
from lasair_broker.stream.delivery import DeliveryError
from lasair_broker.web import errors
from lasair_broker.web.archive import let_go
from lasair_broker.web.site.contents import InsteadOfPage

_log = structlog.get_logger(__name__)

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.NotFound, 404),
    (errors.NotAllowed, 403),
    (errors.Invalid, 400),
    (errors.Busy, 503),
    (errors.Unavailable, 503),
    (errors.TooOften, 429),
    (query.QueryError, 400),
    (archive.QueryError, 400),
    (archive.ArchiveError, 503),
    (ContextError, 503),
    (DeliveryError, 503),
)

_HELP = {
    400: "Something in the request is wrong. Go back, change it and try again.",
    403: "You may not do this, or see this.",
    404: "There is no page at this address. It may have been removed, or be somebody's own.",
    429: "That was too often in a short time. Wait a little, and try again.",
    500: "That is a fault of ours, which the site's log now has. Nothing of yours was lost or changed.",
    503: "The archive cannot be read now. Try again in a moment.",
}


class Faults:
    """A middleware that turns what services raise in a page's view into a page that says so.

    The API does this by itself (web/api/problems.py). A form that can show faults beside its fields catches
    `Invalid` before it comes here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Django's hook."""
        if isinstance(error, InsteadOfPage):
            return error.response
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), None)
        if status is None:
            return None
        if status != 503:
            return fault(request, status, str(error))
        if isinstance(error, archive.ArchiveError):
            let_go()
        _log.warning("a page could not be shown", path=request.path, reason=str(error))
        # What an archive says names our files.
        told = isinstance(error, DeliveryError | errors.Unavailable)
        response = fault(request, 503, str(error) if told else "")
        response["Retry-After"] = "10"
        return response


def fault(request: HttpRequest, status: int, reason: str = "") -> HttpResponse:
    """The page that says what went wrong; to htmx only the words, which it shows as a notice."""
    whole = not getattr(request, "htmx", False)
    context = {
        "status": status,
        "phrase": HTTPStatus(status).phrase,
        "reason": reason or _HELP.get(status, ""),
    }
    return render(request, "site/fault.html" if whole else "site/_fault.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400."""
    return _told(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    return _told(request, 403, str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    # What Django itself says here is a list of addresses.
    return _told(request, 404)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Django's CSRF_FAILURE_VIEW."""
    return _told(
        request,
        403,
        "The form was too old, or did not come from this site. Load the page anew and send it again.",
    )


def broken(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500: with no template that asks a database, which may be what failed."""
    if _by_program(request):
        return _problem(500)
    return render(None, "site/broken.html", {"reason": _HELP[500]}, status=500)


def _told(request: HttpRequest, status: int, reason: str = "") -> HttpResponseBase:
    return _problem(status, reason) if _by_program(request) else fault(request, status, reason)


def _by_program(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/health/", "/fits/"))


def _problem(status: int, reason: str = "") -> HttpResponseBase:
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": reason or _HELP[status],
    }
    return JsonResponse(problem, status=status, content_type="application/problem+json")
