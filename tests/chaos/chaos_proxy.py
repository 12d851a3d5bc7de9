"""A TCP proxy that can lose its network: what passes is held back, or connections are cut and refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

__all__ = ["Proxy"]

_PIECE = 256 * 1024


class Proxy:
    """Passes on what comes to a port of this machine, in a thread of its own.

    Parameters
    ----------
    port
        Where it listens, at 127.0.0.1.
    target
        Where it passes on: a host and port, or a Unix socket.
    """

    def __init__(self, port: int, target: tuple[str, int] | Path) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)
        self._thread.start()
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self._flowing: asyncio.Event
        self._server: asyncio.Server
        self._run(self._open())

    def freeze(self) -> None:
        """Nothing passes, and nobody is told: as when packets are lost on the way."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def cut(self) -> None:
        """All connections are reset, and new ones too: as when a host is gone."""
        self._run(self._cut())

    def heal(self) -> None:
        """All is well again; what was held back arrives."""
        self._refusing = False
        self._loop.call_soon_threadsafe(self._flowing.set)

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, limit=_PIECE)

    async def _cut(self) -> None:
        self._refusing = True
        for writer in tuple(self._writers):
            _reset(writer)

    async def _close(self) -> None:
        self._server.close()
        await self._cut()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._refusing:
                return
            await self._flowing.wait()
            if isinstance(self._target, Path):
                onward, back = await asyncio.open_unix_connection(str(self._target), limit=_PIECE)
            else:
                onward, back = await asyncio.open_connection(*self._target, limit=_PIECE)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass_on(reader, back), self._pass_on(onward, writer))
            finally:
                self._writers.discard(back)
                _reset(back)
        except OSError:
            pass  # the server is away: so is this connection
        finally:
            self._writers.discard(writer)
            _reset(writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
        await self._flowing.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that its other end is told that it is broken, not that all was said."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
