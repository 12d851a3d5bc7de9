"""Takes a supernova's alerts through lists and triggers into an archive, and kills itself on the way.

``python list_crash_worker.py ALERTS ARCHIVE SCHEMAS SIZE [STEP COUNT]``: SIGKILL when the loop comes to STEP
for the COUNT-th time. Without them it runs to the end.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # stream_fixtures
sys.path.insert(0, str(Path(__file__).parent))

from stream_fixtures import ListSource
from test_list_real import Watched

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.lists import ListKeeper, list_stages


def main(alerts: str, archive: str, schemas: str, size: str, step: str = "", count: str = "0") -> None:
    left = int(count)

    def at_step(now: str) -> None:
        nonlocal left
        left -= now == step
        if step and left == 0 and now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    values = pickle.loads(Path(alerts).read_bytes())  # noqa: S301 - the test has written it
    with open_archive(archive) as opened:
        keeper = ListKeeper(Watched(), opened)
        stages = standard_stages(matching=list_stages(keeper.lists))
        pipeline = Pipeline(SchemaStore(folders=[Path(schemas)]), stages)
        run(ListSource(values, int(size)), pipeline, opened, commit_stages=[keeper], at_step=at_step)


if __name__ == "__main__":
    main(*sys.argv[1:])
