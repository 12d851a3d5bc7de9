"""A mail server that keeps what it is given."""

from __future__ import annotations

import email
import email.policy
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Inbox:
    """The mails that the site sent."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._mails: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # aiosmtpd's name
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self._mails.append((envelope.rcpt_tos, mail))
        return "250 OK"

    def newest(self, address: str) -> EmailMessage:
        """The newest mail to an address; waits for one."""
        for _ in range(100):
            found = [mail for recipients, mail in self._mails if address in recipients]
            if found:
                return found[-1]
            time.sleep(0.1)
        raise AssertionError(f"there is no mail to {address}")

    def link(self, address: str) -> str:
        """The path of the first link in the newest mail to an address."""
        found = re.search(r"https?://[^/\s]+(/\S+)", self.newest(address).get_content())
        assert found is not None
        return found[1]


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """One that runs until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        inbox = Inbox(free.getsockname()[1])
    server = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    server.start()
    try:
        yield inbox
    finally:
        server.stop()
