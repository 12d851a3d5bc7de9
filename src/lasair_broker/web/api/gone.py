"""Stopping what nobody waits for any more."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from rest_framework.request import Request

_LOOK_SECONDS = 0.25


@contextmanager
def cancelled_when_gone(request: HttpRequest | Request) -> Iterator[threading.Event]:
    """An event that is set if the client closes the connection meanwhile; with a server that can tell."""
    cancelled, over = threading.Event(), threading.Event()
    gone = _gone(request)
    if gone is None:
        yield cancelled
        return

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            if gone():
                cancelled.set()
                return

    thread = threading.Thread(target=look, name="lasair-client-gone", daemon=True)
    thread.start()
    try:
        yield cancelled
    finally:
        over.set()
        thread.join()


def _gone(request: HttpRequest | Request) -> Callable[[], bool] | None:
    if told := request.META.get("waitress.client_disconnected"):
        return lambda: bool(told())
    connection = request.META.get("gunicorn.socket")
    if not isinstance(connection, socket.socket) or hasattr(connection, "cipher"):
        return None  # of a TLS connection, bytes that were peeked at would say nothing

    def closed() -> bool:
        try:
            readable, _, _ = select.select([connection], [], [], 0)
            return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    return closed
