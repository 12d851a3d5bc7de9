"""Filters over a past interval of the stream, each in a process of its own.

A replay needs the whole pipeline, with catalogues and compiled kernels, and all of a core: nothing of that is
to be in the process that answers people. The command `lasair filter replay` has it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from lasair_broker.archive import QueryCancelledError, QueryError, QueryTimeoutError
from lasair_broker.schema import table
from lasair_broker.web.queries.models import Job

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 5.0
_COMMAND = "from lasair_broker.cli import main; main()"


def replayed(job: Job, seconds: float, cancelled: threading.Event) -> pa.Table:
    """The hits that the filter of a job would have had, as rows of `filter_hits`.

    Parameters
    ----------
    seconds
        It may take so long.
    cancelled
        Set it in another thread to stop it.

    Raises
    ------
    QueryError
        If it fails; QueryTimeoutError, QueryCancelledError.
    """
    wanted: dict[str, Any] = job.replay or {}
    with tempfile.TemporaryDirectory() as folder:
        hits, said = Path(folder) / "hits.parquet", Path(folder) / "said"
        command = [
            *(sys.executable, "-c", _COMMAND, "filter", "replay", str(int(wanted["filter_id"]))),
            *("--version", str(int(wanted["version"])), "--user", job.owner.username),
            *("--since", repr(float(wanted["since_mjd"])), "--until", repr(float(wanted["until_mjd"]))),
            *("--output", str(hits)),
        ]
        with said.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:  # noqa: S603 - no shell; numbers, and a name that is an argument of its own
            _wait(process, seconds, cancelled)
        if process.returncode != 0 or not hits.exists():
            told = said.read_text(errors="replace")[-2000:]
            _log.warning("a replay failed", job=job.pk, code=process.returncode, said=told)
            raise QueryError("the replay failed; what it said is in the log of the site")
        return pq.read_table(hits)


def described_hits() -> list[dict[str, Any]]:
    """The columns of a replay's result."""
    kinds = {"long": "integer", "int": "integer", "double": "real"}
    return [
        {
            "name": column.name,
            "type": kinds.get(column.datatype, "text"),
            "unit": column.unit or "",
            "ucd": column.ucd or "",
            "description": column.description,
        }
        for column in table("filter_hits").columns
    ]


def _wait(process: subprocess.Popen[bytes], seconds: float, cancelled: threading.Event) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None:
        late = time.monotonic() > end
        if late or cancelled.wait(_LOOK_SECONDS):
            process.terminate()
            try:
                process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            if late:
                raise QueryTimeoutError(f"the replay took longer than {seconds:g} seconds")
            raise QueryCancelledError("the replay was cancelled")
