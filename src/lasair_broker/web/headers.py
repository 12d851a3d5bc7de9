"""Headers that tell browsers what a page may do; Django's own middleware sets the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from lasair_broker.web._logins import hosts_of_providers

_DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
_SAMP = "http://localhost:21012"
"""The hub of SAMP's web profile on the user's own machine, to which a button sends tables."""

_NOTHING_NEEDED = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django's form of a middleware."""

    pages = _pages(settings.LASAIR_SITE.image_hosts, hosts_of_providers(settings.LASAIR))

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        page = response.get("Content-Type", "").startswith(("text/html", "application/javascript"))
        response.setdefault("Content-Security-Policy", pages if page else _DATA)
        response.setdefault("Permissions-Policy", _NOTHING_NEEDED)
        if request.path.startswith("/api/"):
            # What is answered depends on who asks.
            response.setdefault("Cache-Control", "private, no-store")
        return response

    return answer


def _pages(image_hosts: Sequence[str], login_hosts: Sequence[str]) -> str:
    """The policy of pages: all is of this site, but images and log-ins that the operator allows."""
    images = "".join(f" https://{host}" for host in image_hosts)
    logins = "".join(f" https://{host}" for host in login_hosts)
    return (
        # Aladin Lite carries its WebAssembly in itself, and fetches it from there: connect-src data:
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:{images}; connect-src 'self' data: {_SAMP}{images}; "
        f"worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'{logins}; "
        "frame-ancestors 'none'"
    )
