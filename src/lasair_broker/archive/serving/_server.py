"""The side that has the archive open."""

from __future__ import annotations

import logging
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..interface import Archive
from ._wire import METHODS, Kind, receive, send, socket_path

__all__ = ["ArchiveServer"]

_log = logging.getLogger(__name__)

_CLIENTS = 32
_PATIENCE_SECONDS = 60.0
"""So long may a client send or take nothing before it is left alone."""
_FAREWELL_SECONDS = 5.0
_TURN_SECONDS = 0.0005
"""After so long a thread that computes lets another on. Python's own is ten times as long; an answer needs a
dozen turns, and beside it the stream computes all the time."""


class ArchiveServer:
    """Answers the reading methods of an archive, each call on a connection and in a thread of its own.

    Only the archive's own user can connect (mode 0600). A call holds no lock while its result is sent, so
    that a slow reader stops nobody; one that leaves has its query stopped.

    Parameters
    ----------
    archive
        Asked by many threads at once.
    folder
        Where the socket is made.

    Raises
    ------
    OSError
        If the socket cannot be made.
    """

    def __init__(self, archive: Archive, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._clients = threading.Semaphore(_CLIENTS)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._turn_seconds = sys.getswitchinterval()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_path(folder) as path:
            # What a process that was killed has left; this one holds the archive now.
            Path(path).unlink(missing_ok=True)
            self._socket.bind(path)
            Path(path).chmod(0o600)
        self._socket.listen(_CLIENTS)
        sys.setswitchinterval(_TURN_SECONDS)
        self._thread = threading.Thread(target=self._accept, name="archive server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and break off what is being answered."""
        if self._closed:
            return
        self._closed = True
        sys.setswitchinterval(self._turn_seconds)
        with socket_path(self._folder) as path:
            Path(path).unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        # Until the last thread has left the archive; it will not be waited for who is long about it.
        end = time.monotonic() + _FAREWELL_SECONDS
        for _ in range(_CLIENTS):
            self._clients.acquire(timeout=max(0.0, end - time.monotonic()))

    def _accept(self) -> None:
        while not self._closed:
            self._clients.acquire()
            try:
                connection, _ = self._socket.accept()
            except OSError:
                self._clients.release()
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(_PATIENCE_SECONDS)
            head, _ = receive(connection)
            try:
                self._call(connection, head)
            except OSError:
                raise
            except Exception as error:
                send(connection, {"error": type(error).__name__, "message": str(error)})
        except (OSError, EOFError, ValueError) as error:
            _log.debug("a reader has left: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            self._clients.release()

    def _call(self, connection: socket.socket, head: dict[str, Any]) -> None:
        name, arguments = head["method"], dict(head["arguments"])
        kind = METHODS.get(name)
        if kind is None:
            raise ValueError(f"{name!r} is no method that reads an archive")
        if arguments.get("ranges") is not None:
            arguments["ranges"] = np.array(arguments["ranges"], np.int64).reshape(-1, 2)
        if name == "check":
            arguments["progress"] = lambda what, share: send(connection, {"progress": [what, share]})
        if name == "query":
            with _noticing_the_end(connection) as gone:
                result = self._archive.query(**arguments, cancelled=gone)
        else:
            result = getattr(self._archive, name)(**arguments)
        self._send(connection, kind, result)

    def _send(self, connection: socket.socket, kind: Kind, result: Any) -> None:
        for one in result if kind.many else (result,):
            value, attachments = kind.pack(one)
            send(connection, {"result": value}, attachments)
        if kind.many:
            send(connection, {"end": True})


@contextmanager
def _noticing_the_end(connection: socket.socket) -> Iterator[threading.Event]:
    """An event that is set when the other side closes the connection."""
    gone = threading.Event()
    over, ends = socket.socketpair()  # what wakes the watcher at once: its caller waits for it

    def watch() -> None:
        readable, _, _ = select.select([connection, over], [], [])
        if connection in readable:
            # Whatever a client says after its call, it no longer waits for an answer.
            gone.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield gone
    finally:
        ends.close()
        watcher.join()
        over.close()
