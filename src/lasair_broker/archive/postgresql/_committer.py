"""The one session of a worker that writes: transactions that are undone when they fail, and tried again when
other workers stood in the way."""

from __future__ import annotations

import errno
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from lasair_broker.packets import AlertBatch

from ..errors import ArchiveError, ArchiveFullError
from ..packs import PackPlace, PackReader
from ..records import WriteReport
from ._migrations import migrate
from ._session import ConflictError, Session
from ._staging import Staging
from ._tables import NAMESPACE, PARTITIONED, READING, partition, partitions_of
from ._write import Writing

__all__ = ["WRITING", "Committer", "committed_packs", "failing_well"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 8
"""So often is a write tried that other workers stand in the way of."""

_PARTITION_LOCK = 0x6C617361697202

WRITING = {
    **READING,
    # What is written meets few rows of large tables, always by their keys. Temporary tables have no
    # statistics, so that the planner would now and then read a large table from end to end instead.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # A worker whose machine is gone must not keep others from its objects for hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    # Nor one that is frozen in the middle of a transaction (milliseconds).
    "idle_in_transaction_session_timeout": "60000",
}
"""Parameters of the server for sessions that write."""


class Committer:
    """Writes to the tables and the packs; used by one thread at a time, the others wait.

    Parameters
    ----------
    url, place, pack_bytes, distributed
        As of `PostgreSQLArchive`.

    Attributes
    ----------
    session, staging, packs
        The session that writes, its temporary tables, and where raw alerts go.
    """

    def __init__(self, url: str, place: PackPlace, pack_bytes: int, *, distributed: bool) -> None:
        self._url = url
        self._place = place
        self._pack_bytes = pack_bytes
        self._lock = threading.Lock()
        self._partitions: set[tuple[str, int]] = set()
        self._own_packs: set[str] = set()
        self._failed = False
        self._closed = False
        self.session = Session(url, WRITING)
        try:
            migrate(self.session, distributed=distributed)
            self.packs = place.writer({}, pack_bytes)
        except OSError as error:
            self.session.close()
            raise ArchiveError(f"cannot open the packs in {place.where}: {error}") from error
        except BaseException:
            self.session.close()
            raise
        self.staging = Staging(self.session)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="packs")

    def write(
        self,
        write: Callable[[Writing], WriteReport],
        reader: PackReader,
        batches: Sequence[AlertBatch] = (),
    ) -> WriteReport:
        """Do something in a transaction with what these batches of alerts need; undone unless it finishes."""

        def attempt() -> WriteReport:
            self.make_partitions(_partitions_of_batches(batches))
            writing = Writing(self.session, self.staging, self.packs, reader, self._executor)
            try:
                self.session.run("BEGIN")
                report = write(writing)
            except BaseException:
                writing.settle()
                raise
            self._own_packs.update(writing.packs)
            return report

        return self.attempt(attempt)

    def transaction(self, work: Callable[[], T]) -> T:
        """Do something in a transaction."""

        def attempt() -> T:
            with self.session.transaction():
                return work()

        return self.attempt(attempt)

    def attempt(self, attempt: Callable[[], T]) -> T:
        """Try something that is a transaction; again, if other workers stand in the way."""
        with self._lock, failing_well():
            for number in range(1, _ATTEMPTS + 1):
                self._recover_if_needed()
                try:
                    result = attempt()
                except ConflictError:
                    self._undo()
                    if number == _ATTEMPTS:
                        raise
                    time.sleep(random.uniform(0.0, 0.05) * number)  # noqa: S311 - no secret
                except BaseException:
                    self._undo()
                    raise
                else:
                    self.staging.committed()
                    return result
        raise AssertionError("unreachable")

    def make_partitions(self, wanted: Collection[tuple[str, int]]) -> None:
        """Partitions, by table and first day, each made in a transaction of its own: it is short, while
        others have to wait for it."""
        for name, day in sorted(set(wanted) - self._partitions):
            if not _is_there(self.session, name, day):
                with self.session.transaction():
                    self.session.run(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})")
                    if not _is_there(self.session, name, day):  # another worker may have made it meanwhile
                        self.session.run(partition(name, day))
        self._partitions |= set(wanted)

    def remove_packs(self, packs: Callable[[], Collection[str]]) -> None:
        """Remove packs while nothing is written to any."""
        with self._lock, failing_well():
            self.packs.remove(packs())

    def _undo(self) -> None:
        """Bring database and packs back to the last commit; if that fails, the next write tries again."""
        self._failed = True
        self.session.rollback()
        self.staging.rolled_back()
        try:
            self._recover_if_needed()
        except (ArchiveError, OSError) as error:
            _log.warning("the archive could not be recovered yet: %s", error)

    def _recover_if_needed(self) -> None:
        if self._closed:
            raise ArchiveError("the archive is closed")
        if not self._failed:
            return
        if self.session.broken:
            # A commit may have been on its way, and may yet come: what was written stays, and new alerts go
            # into a new pack.
            self.session = Session(self._url, WRITING)
            self.staging = Staging(self.session)
            self.packs.close()
            self.packs = self._place.writer({}, self._pack_bytes)
            self._own_packs.clear()
        else:
            known = committed_packs(self.session)
            self.packs.rollback({pack: size for pack, size in known.items() if pack in self._own_packs})
        self._failed = False

    def close(self) -> None:
        """Finish what is being written, and write no more."""
        self._closed = True
        with self._lock:
            self._executor.shutdown()
            self.packs.close()
            self.session.close()


def committed_packs(session: Session) -> dict[str, int]:
    """How much of each pack counts."""
    return dict(session.rows("SELECT pack, length FROM archive_packs"))


def _partitions_of_batches(batches: Sequence[AlertBatch]) -> set[tuple[str, int]]:
    """The partitions that the light curves of batches go into, by table and first day."""
    return {
        (name, day)
        for batch in batches
        for name in PARTITIONED
        for day in partitions_of(getattr(batch, name).sent.numpy("midpointMjdTai"))
    }


def _is_there(session: Session, name: str, day: int) -> bool:
    """Whether there is a partition of a table."""
    return bool(session.rows(f"SELECT 1 WHERE to_regclass('{NAMESPACE}.\"{name}_{day}\"') IS NOT NULL"))


@contextmanager
def failing_well() -> Iterator[None]:
    """Errors of the system, from the packs' disk, as the archive's own."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ArchiveFullError(f"the disk is full, nothing was written: {error}") from error
        raise ArchiveError(str(error)) from error
