"""How gunicorn serves the site; `lasair serve` starts it with these settings.

Nothing that starts threads is imported here: the workers are forked from the process that reads this, and
open the archive, and import what reads it, each by itself.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from typing import Any

from lasair_broker.settings import load
from lasair_broker.telemetry import set_up_logging
from lasair_broker.web._log_handler import ToStructlog

_settings = load()
_site, _metrics = _settings.site, _settings.metrics
_address = f"[{_site.address}]" if ":" in _site.address else _site.address
_watched_at = f"[{_metrics.address}]" if ":" in _metrics.address else _metrics.address

bind = [f"{_address}:{_site.port or 0}"]
if _metrics.port is not None:
    bind.append(f"{_watched_at}:{_metrics.port}")
workers = int(os.environ.get("LASAIR_SITE_WORKERS", "1"))
worker_class = "gthread"
threads = _site.threads
keepalive = 15
graceful_timeout = 10
loglevel = "warning"
set_up_logging(_settings.logging)
control_socket_disable = True
wsgi_app = "lasair_broker.web.wsgi:application"


def when_ready(server: Any) -> None:
    """Say where the site is, and its metrics; from now on gunicorn's own lines are among ours."""
    server.log.error_log.handlers = [ToStructlog()]
    places = [f"site at http://{_address}:{{}}/\n", f"metrics at http://{_watched_at}:{{}}/metrics\n"]
    for listener, place in zip(server.LISTENERS, places, strict=False):
        sys.stdout.write(place.format(listener.sock.getsockname()[1]))
    sys.stdout.flush()


_open = ExitStack()


def post_worker_init(worker: Any) -> None:
    """Tell those who watch, and begin to run background queries."""
    from lasair_broker.telemetry import traced
    from lasair_broker.web.operations import beside
    from lasair_broker.web.queries.worker import workers

    _open.enter_context(traced(_settings.telemetry, "serve"))
    if _metrics.port is not None:
        worker.wsgi = beside(worker.wsgi, worker.sockets[1].getsockname()[1])
    _open.enter_context(workers(_site.job_threads))


def worker_exit(server: Any, worker: Any) -> None:
    """Put background queries back into the line, and close the archive, so that another process can open
    it."""
    _open.close()
    from lasair_broker.web.archive import let_go

    let_go()


def on_exit(server: Any) -> None:
    """Remove what the workers' counts were added up in."""
    shutil.rmtree(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""), ignore_errors=True)
