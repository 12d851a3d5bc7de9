"""Where Aladin Lite is, if the operator has installed it: it is GPL, and no part of Lasair."""

from __future__ import annotations

import sys
from pathlib import Path

from lasair_broker.settings import load

_FILE = "aladin.js"


def aladin_folder() -> Path | None:
    """The folder that has it: that of the settings, else where `make aladin` puts it."""
    folder = load().site.aladin or Path(sys.prefix) / "share" / "lasair" / "aladin"
    return folder if (folder / _FILE).is_file() else None
