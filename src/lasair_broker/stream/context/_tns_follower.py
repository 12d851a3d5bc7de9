"""TNS's lists fetched in time while the stream runs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from lasair_broker.context import ContextError, TnsBot, TnsListMissingError, lists_due, update_tns
from lasair_broker.context.catalogues import CatalogueError

from .._follower import Follower
from ._standing import Standing

__all__ = ["TnsFollower"]

_log = structlog.get_logger(__name__)

_FOLLOWED = "tns_followed.json"
_RETRY_SECONDS = 600.0


class TnsFollower(Follower):
    """Keeps the list of TNS up to date. Of several processes with the same folder one does it.

    Parameters
    ----------
    catalogues
        Folder of the catalogues; until when the list is complete stands in it, too.
    address
        Where the lists are; ends with a slash.
    bot
        Who asks.
    every_seconds
        How often new lists are looked for.
    now
        The time, UTC.
    """

    name = "tns lists"
    thread_name = "lasair-tns"

    def __init__(
        self,
        catalogues: Path,
        address: str,
        bot: TnsBot,
        every_seconds: float,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._folder, self._address, self._bot = catalogues, address, bot
        self._every = every_seconds
        self._now = now
        self.standing = Standing("ok")

    def look(self) -> bool:
        """Fetch the lists that are due; whether all could be. Never raises for what TNS or the net do."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f".{_FOLLOWED}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True  # another process is at it
            try:
                self._fetch()
            except (ContextError, CatalogueError, OSError) as error:
                if self.standing.message != str(error):
                    _log.warning("a list of TNS could not be fetched; it is tried again", reason=str(error))
                self.standing = Standing("failed", str(error))
                return False
        return True

    def _fetch(self) -> None:
        due = lists_due(self._known_until(), self._now())
        for number, each in enumerate(due):
            if self._stop.is_set():
                return
            self.standing = Standing("working", f"fetching {each.name}", number, len(due))
            try:
                done = update_tns(self._address + each.name, self._folder, self._bot)
            except TnsListMissingError:
                if not each.may_lack:
                    raise
            else:
                counts = {"new": done.new, "changed": done.changed, "faults": len(done.faults)}
                _log.info("a list of TNS was taken in", list=each.name, **counts)
            self._note(each.until)
        self.standing = Standing("ok")

    def _known_until(self) -> datetime | None:
        try:
            said = json.loads((self._folder / _FOLLOWED).read_text())
            return datetime.fromisoformat(said["known_until"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # the whole list then makes up for whatever is not known

    def _note(self, until: datetime) -> None:
        beside = self._folder / f"{_FOLLOWED}.new"
        beside.write_text(json.dumps({"known_until": until.isoformat()}))
        os.replace(beside, self._folder / _FOLLOWED)  # noqa: PTH105 - Path.replace would do the same

    def _take(self) -> float:
        return self._every if self.look() else min(self._every, _RETRY_SECONDS)
