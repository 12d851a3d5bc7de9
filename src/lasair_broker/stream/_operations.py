"""What a worker tells whoever watches it: metrics, whether it lives, whether it can work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lasair_broker.archive import Archive, ArchiveError
from lasair_broker.settings import MetricsSettings

from ._outage import ongoing_outages

__all__ = ["OutageMetrics", "failing_parts", "operations", "operations_served", "serve_operations"]


class OutageMetrics(Collector):
    """What this process waits for, and for how long by now."""

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "lasair_outage_seconds", "How long this worker has waited for something by now.", labels=["what"]
        )
        for outage in ongoing_outages():
            waiting.add_metric([outage.what], outage.seconds)
        yield waiting


def failing_parts(archive: Archive) -> list[str]:
    """What keeps a worker from working now; empty if nothing does."""
    failing = [outage.what for outage in ongoing_outages()]
    try:
        archive.positions()
    except ArchiveError:
        failing.append("archive")
    return failing


def operations(
    collectors: Iterable[Collector], failing: Callable[[], Sequence[str]]
) -> Callable[..., Iterable[bytes]]:
    """/metrics, /health/live and /health/ready as a WSGI application; see `serve_operations`."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/health/live":
            return _answer(start_response, "200 OK", {"status": "live"})
        if path == "/health/ready":
            found = list(failing())
            if found:
                body = {"status": "not ready", "failing": found}
                return _answer(start_response, "503 Service Unavailable", body)
            return _answer(start_response, "200 OK", {"status": "ready"})
        if path in ("/", "/metrics"):
            shown: Iterable[bytes] = metrics(environ, start_response)
            return shown
        return _answer(start_response, "404 Not Found", {"status": "there is no such page"})

    return application


def serve_operations(
    collectors: Iterable[Collector], failing: Callable[[], Sequence[str]], port: int, address: str
) -> WSGIServer:
    """Serve /metrics, /health/live and /health/ready from threads of this process.

    As the site does, for load balancers and supervisors: `live` answers as long as the process does, `ready`
    with 503 and the parts that fail while there are any.

    Parameters
    ----------
    collectors
        What /metrics shows.
    failing
        Names what keeps this process from working; called for each request.
    port, address
        Where to listen; port 0 is any that is free.

    Returns
    -------
    The server: `server_port` is the port, `shutdown()` and `server_close()` end it.

    Raises
    ------
    OSError
        If the port is taken.
    """
    server = make_server(address, port, operations(collectors, failing), _Server, _Quiet)
    Thread(target=server.serve_forever, name="lasair-operations", daemon=True).start()
    return server


@contextmanager
def operations_served(
    settings: MetricsSettings, collectors: Iterable[Collector], failing: Callable[[], Sequence[str]]
) -> Iterator[int | None]:
    """`serve_operations` at the settings' port, with what is waited for; gives the port, None without one."""
    if settings.port is None:
        yield None
        return
    server = serve_operations([*collectors, OutageMetrics()], failing, settings.port, settings.address)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _answer(start_response: Callable[..., Any], status: str, body: object) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(body).encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Who looks every few seconds is not logged."""
