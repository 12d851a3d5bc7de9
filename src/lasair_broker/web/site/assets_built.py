"""Which files the scripts and styles of the site became when they were built (`make assets`)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import structlog

from lasair_broker.web.site import __file__ as _here

_MANIFEST = Path(_here).parent / "static" / "site" / "manifest.json"

_log = structlog.get_logger(__name__)


def built(name: str) -> str:
    """The path below the static files of an entry such as "objects.js"; "" if there is none."""
    found = _manifest().get(name)
    return f"site/{found}" if found else ""


def tell_if_missing() -> None:
    """Pages answer without scripts and styles, but nobody wants them so."""
    if not _manifest():
        _log.warning("the site's scripts and styles are not built; run: make assets")


@cache
def _manifest() -> dict[str, str]:
    """Read once, as the files that are served are looked for once: a build shows after a new start."""
    try:
        found: dict[str, str] = json.loads(_MANIFEST.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
