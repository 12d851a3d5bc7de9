"""Imports a catalogue in small steps, and kills itself at one: ``import_worker.py FOLDER SOURCE STEP``.

Steps are counted over runs and parts; each is killed half way, when its file has another name still, or, with
a negative number, right after.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from catalogue_tables import description

from lasair_broker.context.catalogues import _import, _read_binary, _version_writer, add_catalogue

SMALL = 1000


def in_small_steps() -> None:
    """Make runs, chunks and parts of about a thousand rows."""
    _import.RUN_ROWS = SMALL
    _import.PART_ROWS = SMALL
    _import._SAMPLE = 8
    _read_binary.CHUNK_ROWS = SMALL // 4


def main() -> None:
    folder, source, step = sys.argv[1], sys.argv[2], int(sys.argv[3])
    in_small_steps()
    replace, done = Path.replace, 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal done
        if self.suffix == ".new" and Path(target).suffix == ".arrow":
            done += 1
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            moved = replace(self, target)
            if done == -step:
                os.kill(os.getpid(), signal.SIGKILL)
            return moved
        return replace(self, target)

    Path.replace = counted  # type: ignore[method-assign, assignment]
    if step == 0:

        def publish(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        _version_writer.VersionWriter.publish = publish  # type: ignore[method-assign, assignment]
    add_catalogue(folder, "test", source, description())


if __name__ == "__main__":
    main()
