"""The installation's secret key, which signs sessions and tokens."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SECRET_VARIABLE = "LASAIR_SECRET_KEY"  # noqa: S105  # the name of the variable, not a secret
_FILE = "secret-key"


def create_secret_key(folder: Path) -> None:
    """Write a new key that only its owner can read, unless there is one."""
    try:
        handle = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))


def secret_key(folder: Path | None) -> str:
    """The key from the environment, else from the data folder, else one that lasts as long as the process."""
    if given := os.environ.get(SECRET_VARIABLE):
        return given
    if folder is not None and (folder / _FILE).is_file():
        return (folder / _FILE).read_text().strip()
    return secrets.token_urlsafe(48)
