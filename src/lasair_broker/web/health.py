"""Whether the site is up: for load balancers and process supervisors, who look every few seconds."""

from __future__ import annotations

import structlog
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from lasair_broker.archive import ArchiveError
from lasair_broker.web.archive import archive, let_go

_log = structlog.get_logger(__name__)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """It can read the archive and the user database; 503 with the part that fails, if not."""
    found = failing()
    if found:
        return JsonResponse({"status": "not ready", "failing": found}, status=503)
    return JsonResponse({"status": "ready"})


def failing() -> list[str]:
    """The parts without which this process cannot answer, or run queries; empty if all is well."""
    found = []
    try:
        archive().positions()
    except ArchiveError as error:
        _log.warning("not ready", part="archive", reason=str(error))
        let_go()
        found.append("archive")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        _log.warning("not ready", part="user database", reason=str(error))
        found.append("user database")
    return found
