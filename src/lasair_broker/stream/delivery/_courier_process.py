"""A program that sends messages to addresses which users chose. It is run by `Couriers`, not imported.

It stands alone: it reads a line of JSON for each message and answers with one, knows no settings and no
secrets but those of the message in hand, connects to no private network (other than the operator allows), and
can be killed at any moment. Arguments: the allowed networks.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import sys
from typing import Any

_LARGEST_ANSWER = 65_536
_refusals: list[str] = []
"""What the guard has refused while the message in hand was sent: libraries hide it among their own errors."""

_ALLOWED = [ipaddress.ip_network(name) for name in sys.argv[1:]]


class _ForbiddenError(PermissionError):
    """A connection to an address that users must not reach."""


def _may_be_reached(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if any(address in network for network in _ALLOWED):
        return True
    return address.is_global and not address.is_multicast


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections where they are made, after names have been resolved, whoever makes them."""
    if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
            raise _ForbiddenError("messages are sent over the network only")
        return
    address = arguments[1]
    if address is None:  # of a socket that is connected already
        return
    try:
        allowed = isinstance(address, tuple) and _may_be_reached(str(address[0]))
    except ValueError:  # a name: the socket resolves it, and where it leads cannot be told
        allowed = False
    if not allowed:
        _refusals.append("this address is in a private network, which messages must not reach")
        raise _ForbiddenError(_refusals[-1])


def _post(order: dict[str, Any]) -> str:
    """POST a webhook; "" if it was taken, else why not."""
    import urllib3

    pool = urllib3.PoolManager(retries=False)
    try:
        answer = pool.request(
            "POST",
            order["url"],
            body=order["body"].encode(),
            headers=order["headers"],
            redirect=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=10.0, read=20.0),
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return _reason(error)
    try:
        answer.read(_LARGEST_ANSWER, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError):
        pass  # the status says whether it was taken
    finally:
        answer.close()
        pool.clear()
    if 300 <= answer.status < 400:
        return f"the server answered {answer.status}, a redirection, which is not followed"
    return "" if 200 <= answer.status < 300 else f"the server answered {answer.status}"


def _notify(order: dict[str, Any]) -> str:
    """Send a notification; "" if it was taken, else why not."""
    import apprise

    messages: list[str] = []

    class _Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    log = logging.getLogger("apprise")
    collect = _Collect(logging.WARNING)
    log.handlers = [collect]
    notifier = apprise.Apprise(asset=apprise.AppriseAsset(plugin_paths=[], secure_logging=True))
    if not notifier.add(order["url"]):
        return "apprise does not understand the address"
    if notifier.notify(title=order["title"], body=order["body"], body_format=apprise.NotifyFormat.TEXT):
        return ""
    return "; ".join(_without(order["url"], message) for message in messages[:3]) or "the service refused it"


def _without(url: str, message: str) -> str:
    """A message without any part of the address that might be a token."""
    import re

    for part in sorted(re.split(r"[/:@?&=]+", url), key=len, reverse=True):
        if len(part) >= 4:
            message = message.replace(part, "…")
    return message


def _reason(error: BaseException) -> str:
    """In words, and without the address, which may hold a token."""
    name = type(getattr(error, "reason", None) or error).__name__
    return f"no connection ({name})"


def main() -> None:
    sys.addaudithook(_guard)
    for line in sys.stdin:
        order = json.loads(line)
        _refusals.clear()
        try:
            error = _post(order) if order["kind"] == "webhook" else _notify(order)
        except Exception as failure:
            error = f"not sent ({type(failure).__name__})"
        if error and _refusals:
            error = _refusals[0]
        sys.stdout.write(json.dumps({"error": error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
