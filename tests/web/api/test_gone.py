"""A query is stopped when its client has gone."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from lasair_broker.archive import QueryCancelledError
from lasair_broker.query import parse
from lasair_broker.web.api.gone import cancelled_when_gone
from lasair_broker.web.archive import ask


def request(**environment: Any) -> Request:
    return Request(RequestFactory().post("/api/v1/query/", **environment))


def test_a_closed_connection_is_noticed() -> None:
    ours, theirs = socket.socketpair()
    with ours, cancelled_when_gone(request(**{"gunicorn.socket": ours})) as cancelled:
        theirs.sendall(b"GET / HTTP/1.1")  # the next request of a client that is there
        assert not cancelled.wait(0.6)
        ours.recv(100)
        theirs.close()
        assert cancelled.wait(20)


def test_so_is_one_of_the_server_inside_run() -> None:
    gone = [False]
    with cancelled_when_gone(request(**{"waitress.client_disconnected": lambda: gone[0]})) as cancelled:
        assert not cancelled.wait(0.6)
        gone[0] = True
        assert cancelled.wait(20)


def test_a_cancelled_query_ends(archive: Any, people: Any) -> None:
    with cancelled_when_gone(request()) as cancelled:
        cancelled.set()
        large = parse(
            "SELECT count(*) AS n FROM objects AS a, objects AS b, objects AS c, objects AS d, objects AS e"
        )
        with pytest.raises(QueryCancelledError):
            ask(people.ann, large, cancelled=cancelled)
