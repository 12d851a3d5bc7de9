"""Which of a site's workers sees to the chores that only one may do."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ..errors import ArchiveError
from ._session import Session

__all__ = ["Leading"]

_LOCK_CLASS = 0x6C6169  # so that the numbers of chores are nobody else's


class Leading:
    """Advisory locks, one a chore, held by a session of their own: they are free again as soon as the worker,
    its machine or the connection is gone.

    Parameters
    ----------
    url
        As libpq reads it.
    settings
        Parameters of the server for the session.
    """

    def __init__(self, url: str, settings: Mapping[str, str]) -> None:
        self._url = url
        self._settings = dict(settings)
        self._guard = threading.Lock()
        self._session: Session | None = None
        self._held: set[str] = set()

    def leads(self, chore: str) -> bool:
        """Whether this worker holds the lock of a chore, which it takes if it is free.

        Raises
        ------
        ArchiveError
            If the server cannot be asked: then nobody knows who leads.
        """
        with self._guard:
            if self._session is None or self._session.broken:
                self._held.clear()
                self._session = Session(self._url, self._settings)
            try:
                if chore in self._held:
                    self._session.run("SELECT 1")  # a lock is as good as its connection
                    return True
                sql = f"SELECT pg_try_advisory_lock({_LOCK_CLASS}, hashtext($1))"
                ((got,),) = self._session.rows(sql, [chore])
            except ArchiveError:
                self._held.clear()
                self._session.close()
                raise
            if got:
                self._held.add(chore)
            return bool(got)

    def close(self) -> None:
        """Let others lead."""
        with self._guard:
            if self._session is not None:
                self._session.close()
                self._session = None
            self._held.clear()
