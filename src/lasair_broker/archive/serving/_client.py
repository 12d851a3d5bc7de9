"""The side that reads an archive which another process has open."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, Cutout
from lasair_broker.schema import Engine, SchemaError

from .. import errors
from ..errors import ArchiveError, ArchiveLockedError, QueryCancelledError
from ..interface import Archive
from ..records import (
    ArchiveStatus,
    Finding,
    LightCurve,
    Packs,
    Progress,
    Rematch,
    Rendered,
    Stored,
    WriteReport,
)
from ._wire import METHODS, receive, send, socket_path

__all__ = ["RemoteArchive"]

_ERRORS: dict[str, type[Exception]] = {name: getattr(errors, name) for name in errors.__all__}
_ERRORS |= {"SchemaError": SchemaError, "ValueError": ValueError}

_GLANCE_SECONDS = 0.1


class RemoteArchive(Archive):
    """Reads an archive through the process that has it open; writing is refused.

    Parameters
    ----------
    folder
        The archive's folder.

    Raises
    ------
    OSError
        If no process answers there.
    """

    engine: Engine = "duckdb"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closed = False
        self._connected().close()

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_path(self._folder) as path:
                connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    def _call(
        self,
        method: str,
        *,
        progress: Progress | None = None,
        cancelled: threading.Event | None = None,
        **arguments: Any,
    ) -> Any:
        (result,) = self._results(method, progress, cancelled, arguments)
        return result

    def _results(
        self,
        method: str,
        progress: Progress | None,
        cancelled: threading.Event | None,
        arguments: dict[str, Any],
    ) -> Iterator[Any]:
        if self._closed:
            raise ArchiveError("the archive is closed")
        kind = METHODS[method]
        with self._speaking() as connection:
            send(connection, {"method": method, "arguments": arguments})
            while True:
                if cancelled is not None:
                    _wait(connection, cancelled)
                head, attachments = receive(connection)
                if "error" in head:
                    raise _ERRORS.get(head["error"], ArchiveError)(head["message"])
                if "progress" in head:
                    if progress is not None:
                        progress(*head["progress"])
                elif "end" in head:
                    return
                else:
                    yield kind.unpack(head["result"], attachments)
                    if not kind.many:
                        return

    @contextmanager
    def _speaking(self) -> Iterator[socket.socket]:
        """A connection whose end is told as an error of the archive."""
        try:
            with self._connected() as connection:
                yield connection
        except (OSError, EOFError) as error:
            raise ArchiveError(
                f"the process that has the archive in {self._folder} open answers no more; try again"
            ) from error

    def _refused(self) -> NoReturn:
        raise ArchiveLockedError(
            f"another process has the archive in {self._folder} open; until it ends the archive can only be "
            "read"
        )

    def positions(self) -> dict[tuple[str, int], int]:
        found: dict[tuple[str, int], int] = self._call("positions")
        return found

    def object(self, key: int | str, columns: Sequence[str] | None = None) -> pa.Table:
        return self._call("object", key=key if isinstance(key, str) else int(key), columns=_listed(columns))

    def light_curve(self, diaObjectId: int, columns: Mapping[str, Sequence[str]] | None = None) -> LightCurve:
        found: LightCurve = self._call(
            "light_curve", diaObjectId=int(diaObjectId), columns=_by_table(columns)
        )
        return found

    def light_curves(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str]] | None = None
    ) -> LightCurve:
        found: LightCurve = self._call(
            "light_curves", diaObjectIds=_numbers(diaObjectIds), columns=_by_table(columns)
        )
        return found

    def light_curves_beyond(
        self, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool = False
    ) -> LightCurve:
        # Of all objects: more than is asked for, and as right.
        return self.light_curves(batch.objects.column("diaObjectId").to_pylist(), columns)

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        return self._call(
            "rows_of_objects", name=name, diaObjectIds=_numbers(diaObjectIds), columns=_listed(columns)
        )

    def rows_by_table(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str] | None]
    ) -> dict[str, pa.Table]:
        wanted = {name: _listed(some) for name, some in columns.items()}
        found: dict[str, pa.Table] = self._call(
            "rows_by_table", diaObjectIds=_numbers(diaObjectIds), columns=wanted
        )
        return found

    def newest_hits(
        self, filterIds: Sequence[int], diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        return self._call(
            "newest_hits",
            filterIds=_numbers(filterIds),
            diaObjectIds=_numbers(diaObjectIds),
            columns=_listed(columns),
        )

    def hits_after(
        self, filterId: int, after: tuple[float, str], *, until: float | None = None, limit: int = 1000
    ) -> pa.Table:
        return self._call(
            "hits_after",
            filterId=int(filterId),
            after=[float(after[0]), after[1]],
            until=None if until is None else float(until),
            limit=limit,
        )

    def object_places(
        self, ranges: npt.NDArray[np.int64] | None = None, batch_rows: int = 100_000
    ) -> Iterator[pa.Table]:
        arguments = {"ranges": None if ranges is None else ranges.tolist(), "batch_rows": batch_rows}
        return self._results("object_places", None, None, arguments)

    def cone(
        self, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None = None
    ) -> pa.Table:
        return self._call(
            "cone",
            ra=float(ra),
            decl=float(decl),
            radius_arcsec=float(radius_arcsec),
            columns=_listed(columns),
        )

    def cutout(self, diaSourceId: int, which: Cutout) -> bytes | None:
        found: bytes | None = self._call("cutout", diaSourceId=int(diaSourceId), which=which)
        return found

    def cutout_png(self, diaSourceId: int, which: Cutout, size: int = 256) -> bytes | None:
        found: bytes | None = self._call(
            "cutout_png", diaSourceId=int(diaSourceId), which=which, size=int(size)
        )
        return found

    def alert_bytes(self, diaSourceId: int) -> tuple[bytes, str] | None:
        found: tuple[bytes, str] | None = self._call("alert_bytes", diaSourceId=int(diaSourceId))
        return found

    def query(
        self,
        sql: str | Rendered,
        *,
        max_rows: int | None = 10_000,
        timeout: float | None = 60.0,
        cancelled: threading.Event | None = None,
    ) -> pa.Table:
        sql = sql if isinstance(sql, str) else sql(self.engine)
        return self._call("query", cancelled=cancelled, sql=sql, max_rows=max_rows, timeout=timeout)

    def status(self) -> ArchiveStatus:
        found: ArchiveStatus = self._call("status")
        return found

    def rejected(self, limit: int | None = None) -> pa.Table:
        return self._call("rejected", limit=limit)

    def replay(
        self,
        *,
        diaSourceIds: Sequence[int] | None = None,
        diaObjectIds: Sequence[int] | None = None,
        midpointMjdTai: tuple[float, float] | None = None,
        arrivedMjdTai: tuple[float, float] | None = None,
        newest: bool = False,
        batch_alerts: int = 4000,
    ) -> Iterator[Stored]:
        arguments = {
            "diaSourceIds": None if diaSourceIds is None else _numbers(diaSourceIds),
            "diaObjectIds": None if diaObjectIds is None else _numbers(diaObjectIds),
            "midpointMjdTai": None if midpointMjdTai is None else list(midpointMjdTai),
            "arrivedMjdTai": None if arrivedMjdTai is None else list(arrivedMjdTai),
            "newest": newest,
            "batch_alerts": batch_alerts,
        }
        return self._results("replay", None, None, arguments)

    def check(self, progress: Progress | None = None) -> list[Finding]:
        found: list[Finding] = self._call("check", progress=progress)
        return found

    def unknown_packs(self) -> dict[str, int]:
        found: dict[str, int] = self._call("unknown_packs")
        return found

    def write(
        self,
        batches: Sequence[AlertBatch],
        rejected: pa.Table | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        *,
        renew: bool = False,
        rewound: Collection[tuple[str, int]] = (),
    ) -> WriteReport:
        self._refused()

    def note_deliveries(self, deliveries: pa.Table) -> None:
        self._refused()

    def replace_list_hits(self, name: str, list_id: int, hits: pa.Table, *, first: bool) -> None:
        self._refused()

    def renew_list_hits(
        self, name: str, list_id: int, diaObjectIds: Sequence[int], match: Callable[[pa.Table], pa.Table]
    ) -> None:
        self._refused()

    def writers(self) -> frozenset[str]:
        self._refused()

    def rematch(
        self,
        matches: Mapping[str, Rematch],
        tables: Mapping[str, pa.Table] | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
    ) -> WriteReport:
        self._refused()

    def take_rejected(self, keys: Collection[tuple[str, int, int]] | None = None) -> pa.Table:
        self._refused()

    def compact(self, progress: Progress | None = None, *, remove_unknown_packs: bool = False) -> None:
        self._refused()

    def export_parquet(
        self, folder: str | Path, tables: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        self._refused()

    def export_hats(
        self,
        folder: str | Path,
        midpointMjdTai: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, int]:
        self._refused()

    def replace_rows(self, name: str, rows: pa.Table, cells: tuple[int, int] | None = None) -> None:
        self._refused()

    def packs(self) -> Packs:
        self._refused()

    def add_packs(self, lengths: Mapping[str, int]) -> None:
        self._refused()

    def move_alerts(self, pack: str, alerts: pa.Table, cutouts: pa.Table, lengths: Mapping[str, int]) -> None:
        self._refused()

    def remove_packs(self, packs: Collection[str]) -> None:
        self._refused()

    def leads(self, chore: str) -> bool:
        return False

    def serve(self) -> None:
        self._refused()

    def close(self) -> None:
        self._closed = True


def _wait(connection: socket.socket, cancelled: threading.Event) -> None:
    """Wait for an answer; leave, which stops the query, when `cancelled` is set."""
    connection.settimeout(_GLANCE_SECONDS)
    while True:
        if cancelled.is_set():
            raise QueryCancelledError("the query was cancelled")
        try:
            if connection.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
    connection.settimeout(None)


def _numbers(values: Sequence[int]) -> list[int]:
    return [int(value) for value in values]


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _by_table(columns: Mapping[str, Sequence[str]] | None) -> dict[str, list[str]] | None:
    return None if columns is None else {name: list(wanted) for name, wanted in columns.items()}
