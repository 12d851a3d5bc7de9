"""Disks that are full: a small one of its own, for root; or, for a process, a limit on its files."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from typing import Self

__all__ = ["Disk", "limit_files", "unlimit_files"]

_SIZE = "6g"
_LITTLE = 1024**2


class Disk:
    """A file system in memory, mounted at `folder` within; it can be made as small as what is on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "tmpfs", self._folder], check=True
        )
        return self

    def __exit__(self, *error: object) -> None:
        subprocess.run(["umount", "--lazy", self._folder], check=True)

    def fill(self) -> None:
        """From now on there is room for nothing more."""
        asked = ["df", "--output=used", "--block-size=1", self._folder]
        used = int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()[-1])
        # It must not be smaller than what is on it, which may have grown meanwhile.
        for more in (0, 1, 4, 16, 64, 256):
            size = used + more * 1024**2
            command = ["mount", "-o", f"remount,size={size}", self._folder]
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                return
        raise RuntimeError(f"{self._folder} cannot be made smaller")

    def empty(self) -> None:
        """There is room again."""
        subprocess.run(["mount", "-o", f"remount,size={_SIZE}", self._folder], check=True)


def limit_files(pid: int) -> None:
    """No file of a process grows beyond a megabyte: writing fails (EFBIG) as on a disk that is full."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LITTLE, most))


def unlimit_files(pid: int) -> None:
    """As large as they like."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
