"""A worker that can be killed at any step. Forks a fresh one for each line of JSON on standard input.

Importing and warming up takes seconds, and happens once, here; each worker is a process of its own, ends by
SIGKILL or runs to the end of the topics, and its process id, or how it ended, is written to standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import structlog

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.settings import ArchiveSettings, load
from lasair_broker.stream import KafkaSource, Pipeline, SubscriptionFile, run, standard_stages, warm_up
from lasair_broker.stream.filters import FilterStage


def _kill_at(step: str, count: int) -> Callable[[str], None]:
    """Ends this process when `step` is reached for the `count`-th time."""
    left = count

    def reached(name: str) -> None:
        nonlocal left
        if name == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _watch_the_archive(reached: Callable[[str], None]) -> None:
    """Have steps within the archive's one write reported too."""
    from lasair_broker.archive.duckdb._write import Writing
    from lasair_broker.archive.packs import FolderWriter
    from lasair_broker.archive.postgresql._write import Writing as SiteWriting

    append, finish, site_finish = FolderWriter.write, Writing.finish, SiteWriting.finish

    def watched_append(self: Any, *arguments: Any) -> Any:
        reached("pack-begun")
        done = append(self, *arguments)
        reached("pack-appended")
        return done

    def watched(finish: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def watched_finish(self: Any) -> Any:
            reached("before-commit")
            done = finish(self)
            reached("after-commit")
            return done

        return watched_finish

    FolderWriter.write = watched_append  # type: ignore[method-assign]
    Writing.finish = watched(finish)  # type: ignore[method-assign]
    SiteWriting.finish = watched(site_finish)  # type: ignore[method-assign]


def _work(order: dict[str, Any], pipeline: Pipeline) -> None:
    reached = _kill_at(order["step"], order["count"]) if order["step"] else (lambda name: None)
    _watch_the_archive(reached)
    settings = load(kafka=order["kafka"], stream=order["stream"])
    with open_archive(ArchiveSettings(**order["archive"])) as archive:
        source = KafkaSource(settings.kafka, settings.stream, until_end=True)
        wishes = order.get("subscriptions")
        stages = [FilterStage(archive, SubscriptionFile(wishes))] if wishes else []
        run(source, pipeline, archive, commit_stages=stages, at_step=reached)


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    pipeline = Pipeline(SchemaStore(folders=[sys.argv[1]]), standard_stages())
    warm_up(pipeline)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _work(json.loads(line), pipeline)
                status = 0
            finally:
                sys.stderr.flush()
                os._exit(status)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
