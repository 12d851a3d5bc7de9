"""Carries all news there are to the objects of an archive, and kills itself on the way.

``python news_crash_worker.py ALERTS FOLDER SCHEMAS [WHEN COUNT]``: SIGKILL before or after (WHEN) the
COUNT-th transaction. Without them it does all.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "context"))
sys.path.insert(0, str(Path(__file__).parents[1] / "filters"))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from filter_worlds import Wishes, wish
from news_worlds import HEARING, Sky, Streams, places_of

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.stream.filters import FilterStage


def main(alerts: str, folder: str, schemas_folder: str, when: str = "", count: str = "0") -> None:
    left = int(count)

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(*args, **kwargs)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    values = pickle.loads(Path(alerts).read_bytes())  # noqa: S301 - the test has written it
    schemas = SchemaStore(folders=[Path(schemas_folder)])
    sky = Sky(Path(folder) / "catalogues", places_of(values, schemas), begin=False)
    with open_archive(Path(folder) / "archive") as archive:
        filters = FilterStage(archive, Wishes([wish(n, text, on="context") for n, text in HEARING]))
        streams = Streams(archive, sky, schemas, filters)
        archive.write, archive.rematch = deadly(archive.write), deadly(archive.rematch)  # type: ignore[method-assign]  # that is the test
        streams.keeper.finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
