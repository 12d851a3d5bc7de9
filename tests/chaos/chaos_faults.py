"""What goes wrong, one thing after the other, and how long until all works again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from chaos_disk import limit_files, unlimit_files
from chaos_night import Sender
from chaos_site import DELIVER, INGEST, Site

__all__ = ["KINDS", "Chaos", "Happened", "sequence"]

_PATIENCE = 240.0
"""Seconds in which a site has to recover from anything here."""

_MOMENTS = 1.5


@dataclass(frozen=True, slots=True)
class Happened:
    """One fault: what, for how long, and seconds until all worked again (None: it did not in time)."""

    kind: str
    detail: str
    lasted: float
    recovered: float | None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how often among a hundred, what must work afterwards, whether it needs root."""

    weight: int
    needs: frozenset[str]
    privileged: bool = False


_STREAM = frozenset({"ingest", "deliver"})
_ALL = frozenset({"ingest", "deliver", "serve"})

KINDS = {
    "kill -9 ingest": Kind(18, frozenset({"ingest"})),
    "kill -9 deliver": Kind(11, frozenset({"deliver"})),
    "kill -9 work": Kind(4, frozenset({"work"})),
    "kill -9 serve": Kind(4, frozenset({"serve"})),
    "ingest frozen and back": Kind(6, frozenset({"ingest"})),
    "deliver frozen and back": Kind(3, frozenset({"deliver"})),
    "PostgreSQL restarted": Kind(6, _ALL),
    "PostgreSQL crashed": Kind(6, _ALL),
    "PostgreSQL backend killed": Kind(5, _ALL),
    "Kafka killed": Kind(5, _STREAM),
    "Kafka restarted": Kind(4, _STREAM),
    "PostgreSQL unreachable": Kind(4, _ALL),
    "PostgreSQL silent": Kind(4, _ALL),
    "Kafka unreachable": Kind(4, _STREAM),
    "Kafka silent": Kind(4, _STREAM),
    "packs' disk full": Kind(3, frozenset({"ingest"})),
    "PostgreSQL's disk full": Kind(3, _ALL, privileged=True),
    "clock jumps": Kind(4, _STREAM),
    "poison filter": Kind(2, frozenset({"ingest"})),
}

_ONCE_FOR_A_MINUTE = ("PostgreSQL unreachable", "PostgreSQL silent", "Kafka unreachable", "Kafka silent")


def sequence(number: int, seed: int, *, privileged: bool, minutes: bool) -> list[tuple[str, float]]:
    """So many faults, each kind as often as it is to be but at least once, and how many seconds each lasts.

    With `minutes`, the network to PostgreSQL and to Kafka is gone for a whole minute, once in each way.
    """
    dice = random.Random(seed)
    kinds = {name: kind for name, kind in KINDS.items() if privileged or not kind.privileged}
    assert number >= len(kinds), f"there are {len(kinds)} kinds of faults"
    names = list(kinds)
    more = number - len(names)
    weights = [kind.weight for kind in kinds.values()]
    names += dice.choices(list(kinds), weights, k=more)
    dice.shuffle(names)
    long = set(_ONCE_FOR_A_MINUTE) if minutes else set()
    found = []
    for name in names:
        lasts = dice.uniform(8.0, 12.0) if name.endswith("frozen and back") else dice.uniform(1.0, 3.5)
        if name in long:
            long.discard(name)
            lasts = 61.0
        found.append((name, lasts))
    return found


class Chaos:
    """Does harm to a site while `sender` sends.

    Parameters
    ----------
    at_most
        Seconds after which the next fault comes, although the site has not recovered from the last one.
    tell
        Called with a line about each fault.
    """

    def __init__(
        self, site: Site, sender: Sender, seed: int, at_most: float, tell: Callable[[str], None]
    ) -> None:
        self._site, self._sender, self._at_most, self._tell = site, sender, at_most, tell
        self._dice = random.Random(seed)
        self._poisoned = 0
        self.happened: list[Happened] = []

    def run(self, faults: Sequence[tuple[str, float]]) -> None:
        """All of these, one after the other; each a moment after all works again, or `at_most` seconds later
        if it does not yet."""
        watching = []
        for number, (kind, lasts) in enumerate(faults, 1):
            time.sleep(self._dice.uniform(0.1, 1.0))
            began = time.monotonic()
            detail = self._do(kind, lasts)
            about = f"{number:4}/{len(faults)} {time.strftime('%H:%M:%S')} {kind} ({detail})"
            each = threading.Thread(target=self._watch, args=(kind, detail, time.monotonic() - began, about))
            each.start()
            each.join(self._at_most)
            watching.append(each)
        for each in watching:
            each.join()

    def _watch(self, kind: str, detail: str, lasted: float, about: str) -> None:
        """Wait until the site has recovered from a fault, and note how long that took."""
        recovered = self._recovery(KINDS[kind].needs)
        self.happened.append(Happened(kind, detail, lasted, recovered))
        how = "NOT WELL AGAIN" if recovered is None else f"well again {recovered:.1f} s later"
        self._tell(f"{about}, {lasted:.1f} s; {how}; {self._sender.sent:,} messages sent")

    def _do(self, kind: str, lasts: float) -> str:
        site, dice = self._site, self._dice
        if kind.startswith("kill -9"):
            what = kind.split()[-1]
            name = {"ingest": dice.choice(INGEST), "deliver": dice.choice(DELIVER)}.get(what, what)
            site.supervisor.workers[name].signal(signal.SIGKILL)
            return name
        if kind.endswith("frozen and back"):
            name = dice.choice(INGEST if kind.startswith("ingest") else DELIVER)
            worker = site.supervisor.workers[name]
            worker.signal(signal.SIGSTOP)
            time.sleep(lasts)
            worker.signal(signal.SIGCONT)
            return name
        return {
            "PostgreSQL restarted": lambda: self._server_restarted(signal.SIGINT, lasts),
            "PostgreSQL crashed": lambda: self._server_restarted(signal.SIGQUIT, lasts),
            "PostgreSQL backend killed": self._backend_killed,
            "Kafka killed": lambda: self._kafka_restarted(site.broker.kill, lasts),
            "Kafka restarted": lambda: self._kafka_restarted(site.broker.stop, lasts),
            "PostgreSQL unreachable": lambda: self._lost(
                site.database_proxy.cut, site.database_proxy.heal, lasts
            ),
            "PostgreSQL silent": lambda: self._lost(
                site.database_proxy.freeze, site.database_proxy.heal, lasts
            ),
            "Kafka unreachable": lambda: self._lost(site.kafka_proxy.cut, site.kafka_proxy.heal, lasts),
            "Kafka silent": lambda: self._lost(site.kafka_proxy.freeze, site.kafka_proxy.heal, lasts),
            "packs' disk full": lambda: self._packs_full(lasts),
            "PostgreSQL's disk full": lambda: self._database_full(lasts),
            "clock jumps": lambda: self._clock_jumps(lasts),
            "poison filter": self._poison_filter,
        }[kind]()

    def _server_restarted(self, how: signal.Signals, lasts: float) -> str:
        self._site.server.stop(how)
        time.sleep(lasts)
        self._site.restart_server()
        return {signal.SIGINT: "fast", signal.SIGQUIT: "immediate"}[how]

    def _backend_killed(self) -> str:
        try:
            rows = self._site.ask(
                "SELECT pid, state FROM pg_stat_activity WHERE datname = 'site' AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' ORDER BY state = 'active' DESC, random() LIMIT 1"
            )
        except psycopg.Error as error:
            return f"none: {error}"
        for pid, state in rows:
            os.kill(pid, signal.SIGKILL)
            return str(state)
        return "none"

    def _kafka_restarted(self, end: Callable[[], None], lasts: float) -> str:
        end()
        time.sleep(lasts)
        self._site.broker.start()
        return "SIGKILL" if end == self._site.broker.kill else "SIGTERM"

    def _lost(self, lose: Callable[[], None], heal: Callable[[], None], lasts: float) -> str:
        lose()
        time.sleep(lasts)
        heal()
        return "network"

    def _packs_full(self, lasts: float) -> str:
        site = self._site
        if site.packs_disk is not None:
            site.packs_disk.fill()
            time.sleep(lasts)
            site.packs_disk.empty()
            return "no room"
        pids = [site.supervisor.workers[name].pid for name in INGEST]
        for pid in pids:
            limit_files(pid)
        time.sleep(lasts)
        for pid in pids:
            unlimit_files(pid)
        return "limit on files"

    def _database_full(self, lasts: float) -> str:
        site = self._site
        assert site.database_disk is not None
        site.database_disk.fill()
        time.sleep(lasts)
        ended = not site.server.runs()
        site.database_disk.empty()
        time.sleep(1.0)
        if not site.server.runs():
            ended = True
            site.restart_server()
        return "the server ended" if ended else "the server went on"

    def _clock_jumps(self, lasts: float) -> str:
        name = self._dice.choice(sorted(self._site.clocks))
        hours = self._dice.choice((-1, 1)) * self._dice.uniform(1, 12)
        self._site.clocks[name].set(hours)
        time.sleep(lasts + 2.0)
        self._site.clocks[name].set(0)
        return f"{name} {hours:+.1f} h"

    def _poison_filter(self) -> str:
        """A filter that no machine can run; until its owner is told that it is stopped."""
        users = self._site.users
        kind = ("slow", "greedy")[self._poisoned % 2]
        self._poisoned += 1
        number = users("poison", kind, self._poisoned)
        end = time.monotonic() + _PATIENCE
        while not (told := users("health", number)) and time.monotonic() < end:
            time.sleep(0.5)
        users("deactivate", number)
        return f"{kind}: {told or 'its owner was never told'}"

    def _recovery(self, needs: frozenset[str]) -> float | None:
        """Seconds until what is needed works; None if it does not in time."""
        began = time.monotonic()
        end = began + _PATIENCE
        checks = [getattr(self, f"_{name}_works")(end) for name in sorted(needs)]
        return time.monotonic() - began if all(checks) else None

    def _ingest_works(self, end: float) -> bool:
        """Whether of each partition something is stored that was sent after the fault."""
        mark = dict(self._sender.ends)
        while time.monotonic() < end:
            stored = self._site.stored()
            if stored and (self._sender.done or all(stored[p] > mark[p] for p in mark)):
                return True
            time.sleep(0.2)
        return False

    def _deliver_works(self, end: float) -> bool:
        """Whether the hits that wait, or come in the first moments after the fault, are delivered."""
        seen_until = time.monotonic() + _MOMENTS
        waiting: set[str] = set()
        while time.monotonic() < end:
            left = self._site.undelivered()
            if left is not None:
                if time.monotonic() < seen_until:
                    waiting |= left
                elif not waiting:
                    waiting = left
                    if self._sender.done and not left:
                        return True
                elif not waiting & left:
                    return True
            time.sleep(0.2)
        return False

    def _serve_works(self, end: float) -> bool:
        time.sleep(0.2)  # or what was killed just now might answer once more
        while time.monotonic() < end:
            if self._site.serves():
                return True
            time.sleep(0.2)
        return False

    def _work_works(self, end: float) -> bool:
        """Whether a query that is asked for now is answered."""
        users = self._site.users
        job = users("submit")
        while time.monotonic() < end:
            if (phase := users("phase", job)) == "COMPLETED":
                return True
            if phase in ("ERROR", "ABORTED"):  # it may have been run while the database was away
                job = users("submit")
            time.sleep(0.2)
        return False
