"""`lasair serve`: the web site and the API on their own; and as a part of `lasair run`."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from lasair_broker.archive import Archive
from lasair_broker.settings import Settings
from lasair_broker.telemetry import set_up_logging
from lasair_broker.web import migrate

from ._context import ArchiveOption, console, settings_for
from ._user import users_of
from ._watched import MetricsPort

__all__ = ["serve", "serving"]

_DEFAULT_PORT = 8000
_CONNECTIONS = 4000
_OTHER_FILES = 500
"""Open files that are not connections of the site: of the archive, of Kafka, of what is delivered."""
_SETTINGS = "python:lasair_broker.web.gunicorn_settings"


def serve(
    port: Annotated[
        int | None, typer.Option(help="TCP port; 0: any free one. Default: the setting site.port, else 8000.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address to listen at. Default: the setting site.address.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1)] = 1,
    metrics_port: MetricsPort = None,
    archive: ArchiveOption = None,
) -> None:
    """Serve the site and the API.

    An embedded archive that `lasair run` or `lasair ingest` has open is read through that process. `lasair
    run` can serve the site itself: give it --port.
    """
    settings = settings_for(archive)
    set_up_logging(settings.logging)
    users_of(archive)
    chosen = next((p for p in (port, settings.site.port) if p is not None), _DEFAULT_PORT)
    os.environ["LASAIR_SITE__PORT"] = str(chosen)
    os.environ["LASAIR_SITE__ADDRESS"] = address or settings.site.address
    os.environ["LASAIR_SITE_WORKERS"] = str(workers)
    if metrics_port is not None:
        os.environ["LASAIR_METRICS__PORT"] = str(metrics_port)
    # The processes add up in it what each of them counts.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="lasair-metrics-")
    # A program of its own in place of this one, whose libraries have started threads: these would not survive
    # the fork of the workers.
    sys.stdout.flush()
    os.execv(  # noqa: S606 - no shell is wanted, and nothing of what is started is a user's
        sys.executable, [sys.executable, "-m", "gunicorn", "-c", _SETTINGS]
    )


@contextmanager
def serving(archive: Archive, settings: Settings) -> Iterator[None]:
    """Serve the site in threads of this process, which has the archive open, if the settings name a port."""
    site = settings.site
    if site.port is None:
        yield
        return
    migrate()
    import waitress
    from waitress.server import MultiSocketServer

    from lasair_broker.web.archive import use
    from lasair_broker.web.wsgi import application

    # The application comes first: it makes Django ready.
    from lasair_broker.web.queries.worker import workers  # isort: skip

    use(archive)
    server = waitress.create_server(
        application,
        host=site.address,
        port=site.port,
        threads=site.threads,
        ident=None,
        max_request_body_size=site.upload_bytes,
        channel_request_lookahead=1,  # so that a view can ask whether its client has gone
        send_bytes=1,  # an event goes out when it comes, not when many are together
        clear_untrusted_proxy_headers=not site.proxies,
        asyncore_use_poll=True,
        connection_limit=_connections(),
    )
    ports = (
        [port for _, port in server.effective_listen]
        if isinstance(server, MultiSocketServer)
        else [server.effective_port]
    )
    _tell(site.address, ports[0])
    thread = threading.Thread(target=_run(server), name="lasair-site", daemon=True)
    thread.start()
    try:
        with workers(site.job_threads):
            yield
    finally:
        server.close()
        use(None)


def _connections() -> int:
    """How many connections may be open at once: browsers keep several, and one for what is live.

    Each is an open file, of which the system allows a process fewer at first than it may have.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if 0 <= allowed < wanted:
        allowed = wanted if most < 0 else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return _CONNECTIONS if allowed < 0 else max(100, min(_CONNECTIONS, allowed - _OTHER_FILES))


def _run(server: Any) -> Callable[[], None]:
    def run() -> None:
        with suppress(OSError):  # the listening socket is closed under it: that is how it is stopped
            server.run()

    return run


def _tell(address: str, port: int) -> None:
    console.print(f"site at http://{_shown(address)}:{port}/", highlight=False)


def _shown(address: str) -> str:
    return f"[{address}]" if ":" in address else address
