"""How gunicorn serves the site; `lasair serve` starts it with these settings.

Nothing that starts threads is imported here: the workers are forked from the process that reads this, and
open the archive, and import what reads it, each by itself.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any

from lasair_broker.settings import load

_site = load().site
_address = f"[{_site.address}]" if ":" in _site.address else _site.address

bind = f"{_address}:{_site.port or 0}"
workers = int(os.environ.get("LASAIR_SITE_WORKERS", "1"))
worker_class = "gthread"
threads = _site.threads
keepalive = 15
graceful_timeout = 10
loglevel = "warning"
control_socket_disable = True
wsgi_app = "lasair_broker.web.wsgi:application"


def when_ready(server: Any) -> None:
    """Say where the site is."""
    for listener in server.LISTENERS:
        sys.stdout.write(f"site at http://{_address}:{listener.sock.getsockname()[1]}/\n")
    sys.stdout.flush()


_open = ExitStack()


def post_worker_init(worker: Any) -> None:
    """Begin to run background queries."""
    from lasair_broker.web.queries.worker import workers

    _open.enter_context(workers(_site.job_threads))


def worker_exit(server: Any, worker: Any) -> None:
    """Put background queries back into the line, and close the archive, so that another process can open
    it."""
    _open.close()
    from lasair_broker.web.archive import let_go

    let_go()
