"""Bodies of requests that are too large are refused before they are read."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse

_BESIDE_FILES = 1024**2


def bounded(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django's form of a middleware. Without a length, Django reads no body."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        length = request.headers.get("Content-Length") or "0"
        files = request.content_type == "multipart/form-data"
        most: int = (
            settings.LASAIR_SITE.upload_bytes + _BESIDE_FILES
            if files
            else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        if not length.isdecimal() or int(length[:20]) > most:
            detail = f"the body has {length[:20]} bytes; at most {most:,} are taken"
            problem = {"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": detail}
            return JsonResponse(problem, status=413, content_type="application/problem+json")
        return get_response(request)

    return answer
