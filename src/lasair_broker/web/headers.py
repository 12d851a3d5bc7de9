"""Headers that tell browsers what a page may do; Django's own middleware sets the others."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_PAGES = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
_NOTHING_NEEDED = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django's form of a middleware."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        page = response.get("Content-Type", "").startswith(("text/html", "application/javascript"))
        response.setdefault("Content-Security-Policy", _PAGES if page else _DATA)
        response.setdefault("Permissions-Policy", _NOTHING_NEEDED)
        if request.path.startswith("/api/"):
            # What is answered depends on who asks.
            response.setdefault("Cache-Control", "private, no-store")
        return response

    return answer
