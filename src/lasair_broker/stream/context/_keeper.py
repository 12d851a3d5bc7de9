"""Stored objects kept up to what is known of the sky while the stream runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import structlog

from lasair_broker.archive import Archive, ArchiveFullError
from lasair_broker.context import ContextLoader
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import arrow_schema

from ._chore import Chore, Done
from ._standing import Standing
from ._tns_follower import TnsFollower

__all__ = ["ContextKeeper"]

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
_TURN_SECONDS = 0.25
"""So long the stream waits for the chores after a batch, and for the step that is being done then."""

_RETRY_SECONDS = 60.0
_TELL_SECONDS = 2.0
_CATALOGUE = "catalogue "


class ContextKeeper:
    """The stage of the committing half that carries news of the sky to stored objects (a `CommitStage`).

    All is done in the thread that commits, a little after each batch and while there is none: so nothing of
    it can overtake an alert, or be overtaken.

    Parameters
    ----------
    archive
        Where the objects are.
    chores
        What is to be done, the most urgent first.
    loader
        Of the catalogues, whose state is kept in table `chores`, too.
    follower
        Who fetches the lists of TNS, whose state is kept there as well.
    clock
        Seconds, steadily increasing.
    """

    name = "context"

    def __init__(
        self,
        archive: Archive,
        chores: Sequence[Chore],
        loader: ContextLoader | None = None,
        *,
        follower: TnsFollower | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive = archive
        self._chores = tuple(chores)
        self._loader = loader
        self._follower = follower
        self._clock = clock
        self._work: dict[str, Iterator[Done]] = {}
        self._retry: dict[str, float] = {}
        self._stored = _stored(archive)
        self._standings = {
            name: replace(standing, state="removed") if name.startswith(_CATALOGUE) else standing
            for name, standing in self._stored.items()
        }
        self._told = -_TELL_SECONDS
        self._looked = clock()
        self._leads = archive.leads(self.name)
        self._look()

    @property
    def standings(self) -> Mapping[str, Standing]:
        """How it stands with each chore and catalogue, by name."""
        return dict(self._standings)

    @property
    def busy(self) -> bool:
        """Whether anything is known to be due."""
        return bool(self._work)

    # The thread that commits

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        """Nothing; but what batches were made with is looked at."""
        for chore in self._chores:
            if not self._leads:
                chore.refresh()
            chore.committing(batches)
        return {}

    def committed(self) -> None:
        """Nothing is to be done then."""

    def idle(self) -> None:
        """Do some of what is due."""
        if self._clock() - self._looked >= _LOOK_SECONDS:
            self._looked = self._clock()
            leads = self._archive.leads(self.name)
            if leads != self._leads:
                self._leads = leads
                for chore in self._chores:
                    chore.refresh()
            self._look()
        until = self._clock() + _TURN_SECONDS
        while self._work and self._clock() < until:
            self._step()
        if self._leads:
            self._tell()

    def finish(self, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Do all that is due, for an archive into which no stream writes.

        Parameters
        ----------
        progress
            Called with the name of what is done, how much of it is, and how much there is.

        Raises
        ------
        ArchiveError, ContextError, StageBrokenError
            If it cannot be done; what was done stays done.
        """
        self._look(raising=True)
        while self._work:
            name, done = self._next_step()
            if done is None:
                self._look(raising=True)
            elif progress is not None:
                progress(name, *done)
        self._tell()

    def _look(self, *, raising: bool = False) -> None:
        for chore in self._chores:
            waits = not raising and self._clock() < self._retry.get(chore.name, -1.0)
            if waits or chore.name in self._work:
                continue
            try:
                due = chore.due()
            except Exception as error:  # news may be broken in any way; the stream goes on
                if raising:
                    raise
                self._failed(chore, error)
                continue
            if not self._leads:
                continue  # it was asked all the same: so it knows what batches are made with
            if due is not None:
                self._work[chore.name] = chore.begin(due)
                self._set(chore.name, Standing("working", None, 0, 0))
            else:
                self._set(chore.name, Standing("ok"))
        self._look_at_others()

    def _look_at_others(self) -> None:
        if self._follower is not None:
            self._set(self._follower.name, self._follower.standing)
        for name, state in ({} if self._loader is None else self._loader.states).items():
            self._set(_CATALOGUE + name, Standing(state.state, state.message or None))

    def _next_step(self) -> tuple[str, Done | None]:
        """One step of the most urgent work; its name, and how far it is, None at its end."""
        chore = next(chore for chore in self._chores if chore.name in self._work)
        try:
            done = next(self._work[chore.name], None)
        except BaseException:
            del self._work[chore.name]
            chore.abandon()
            raise
        if done is None:
            del self._work[chore.name]
            chore.abandon()
        return chore.name, done

    def _step(self) -> None:
        chore = next(chore for chore in self._chores if chore.name in self._work)
        try:
            _, done = self._next_step()
        except ArchiveFullError:
            self._retry[chore.name] = self._clock() + _LOOK_SECONDS
            raise
        except Exception as error:  # a chore may fail; the stream goes on, and says so itself if it cannot
            self._failed(chore, error)
            return
        if done is None:
            self._set(chore.name, Standing("ok"))
            self._looked = -_LOOK_SECONDS  # more may have come meanwhile
        else:
            self._set(chore.name, Standing("working", None, *done))

    def _failed(self, chore: Chore, error: Exception) -> None:
        self._retry[chore.name] = self._clock() + _RETRY_SECONDS
        _log.error(
            "news of the sky could not be carried to stored objects", chore=chore.name, reason=str(error)
        )
        self._set(chore.name, Standing("failed", f"{error}; it is tried again every minute"))

    # Table `chores`

    def _set(self, name: str, standing: Standing) -> None:
        before = self._standings.get(name)
        same = before is not None and before.state == standing.state
        since = before.changedMjdTai if before is not None and same else mjd_tai_now()
        self._standings[name] = replace(standing, changedMjdTai=since)

    def _tell(self) -> None:
        """Write down what has changed; how far work is, now and then."""
        changed = {name: now for name, now in self._standings.items() if now != self._stored.get(name)}
        soon = any(
            (was := self._stored.get(name)) is None or (was.state, was.message) != (now.state, now.message)
            for name, now in changed.items()
        )
        if not changed or (not soon and self._clock() - self._told < _TELL_SECONDS):
            return
        self._told = self._clock()
        self._archive.write([], tables={"chores": _rows(changed)})
        self._stored.update(changed)


def _stored(archive: Archive) -> dict[str, Standing]:
    rows = archive.query("SELECT * FROM chores", max_rows=None)
    return {row.pop("chore"): Standing(**row) for row in rows.to_pylist()}


def _rows(standings: Mapping[str, Standing]) -> pa.Table:
    rows = [
        {"chore": name, **{field: getattr(standing, field) for field in Standing.__slots__}}
        for name, standing in standings.items()
    ]
    return pa.Table.from_pylist(rows, arrow_schema("chores"))
