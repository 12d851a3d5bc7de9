"""Processes that send to addresses which users chose: without our secrets, killed if they take too long."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._sender import DeliveryError

__all__ = ["Couriers"]

_PROGRAM = Path(__file__).with_name("_courier_process.py")
_PASSED_ON = (
    "PATH",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_KEPT = 4
"""Idle processes kept for the next message; starting one takes most of a second."""


class Couriers:
    """Sends webhooks and notifications, each in a process of its own that is used again if all went well.

    Parameters
    ----------
    allowed_networks
        Private networks (CIDR) that may be reached all the same.
    """

    def __init__(self, allowed_networks: Sequence[str] = ()) -> None:
        self._allowed = list(allowed_networks)
        self._idle: queue.LifoQueue[subprocess.Popen[bytes]] = queue.LifoQueue()

    def deliver(self, order: Mapping[str, Any], seconds: float) -> None:
        """Have one message sent.

        Parameters
        ----------
        order
            `kind` "webhook" with url, body and headers, or "apprise" with url, title and body.

        Raises
        ------
        DeliveryError
            If it was not taken within so many seconds.
        """
        courier = self._courier()
        try:
            answer = _ask(courier, json.dumps(order).encode() + b"\n", time.monotonic() + seconds)
        except BaseException:
            _end(courier)
            raise
        if self._idle.qsize() < _KEPT:
            self._idle.put(courier)
        else:
            _end(courier)
        if answer["error"]:
            raise DeliveryError(str(answer["error"]))

    def close(self) -> None:
        """End the processes that wait."""
        while True:
            try:
                _end(self._idle.get_nowait())
            except queue.Empty:
                return

    def _courier(self) -> subprocess.Popen[bytes]:
        while True:
            try:
                courier = self._idle.get_nowait()
            except queue.Empty:
                break
            if courier.poll() is None:
                return courier
            _end(courier)
        return subprocess.Popen(  # noqa: S603  # our own program; the networks were checked by the settings
            [sys.executable, "-I", str(_PROGRAM), *self._allowed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print addresses there
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=True,  # Ctrl-C is for us: what is being sent is finished
        )


def _ask(courier: subprocess.Popen[bytes], line: bytes, deadline: float) -> dict[str, Any]:
    stdin, stdout = courier.stdin, courier.stdout
    if stdin is None or stdout is None:
        raise DeliveryError("the sending process has no pipes")
    answer = b""
    try:
        stdin.write(line)
        stdin.flush()
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise DeliveryError("it took too long")
            part = os.read(stdout.fileno(), 65_536)
            if not part:
                raise DeliveryError("the sending process ended")
            answer += part
    except BrokenPipeError:
        raise DeliveryError("the sending process ended") from None
    found: dict[str, Any] = json.loads(answer)
    return found


def _end(courier: subprocess.Popen[bytes]) -> None:
    courier.kill()
    courier.wait()
    for pipe in (courier.stdin, courier.stdout):
        if pipe is not None:
            pipe.close()
