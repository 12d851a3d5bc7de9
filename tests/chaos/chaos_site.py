"""A whole site on this machine: Kafka, PostgreSQL, a proxy before each, and every kind of worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "kafka"))
sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from chaos_clock import Clock
from chaos_disk import Disk
from chaos_night import PARTITIONS, Night
from chaos_proxy import Proxy
from chaos_workers import Supervisor, Worker
from kafka_broker import KafkaBroker, create_topic, free_ports
from private_server import PrivateServer

__all__ = ["DELIVER", "INGEST", "TOPIC", "WORKERS", "Site"]

INGEST = ("ingest-1", "ingest-2")
DELIVER = ("deliver-1", "deliver-2")
WORKERS = (*INGEST, *DELIVER, "work", "serve")
TOPIC = "lsst-alerts"
GROUP = "lasair"

_LASAIR = Path(sys.executable).with_name("lasair")


class Users:
    """The process that acts for the site's users; see chaos_users.py."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        with (folder / "users.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("chaos_users.py"))],
                env=environment,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._lock = threading.Lock()
        assert self._answer() == "ready"

    def __call__(self, name: str, *values: object) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([name, *values]) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
        assert "error" not in answer, f"{name}: {answer['error']}"
        return answer["answer"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the users is gone; see users.log"
        return json.loads(line)


class Site:
    """Runs within. What happens to it comes from `chaos_faults`.

    Parameters
    ----------
    folder
        Where everything is kept.
    night
        What will be sent; the site knows its newest schema.
    disks
        Whether PostgreSQL and the packs have small disks of their own, which can be full; needs root.
    clock
        How the clocks of workers can be made to jump: "preload" (libfaketime) or "python".
    workers
        Which it has.
    """

    def __init__(
        self, folder: Path, night: Night, *, disks: bool, clock: str, workers: Sequence[str] = WORKERS
    ) -> None:
        self.folder, self.night = folder, night
        self._names = workers
        self._stack = ExitStack()
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._disks = disks
        self._clock = clock

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._put_up(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _put_up(self, stack: ExitStack) -> None:
        kafka_port, database_port, *ports = free_ports(7)
        packs = self.folder / "packs"
        data = None
        self.packs_disk = self.database_disk = None
        if self._disks:
            self.packs_disk = stack.enter_context(Disk(packs))
            self.database_disk = stack.enter_context(Disk(self.folder / "database"))
            data = self.folder / "database" / "data"
        self.broker = stack.enter_context(KafkaBroker(advertised=kafka_port))
        self.server = stack.enter_context(PrivateServer(data))
        self.server_lock = threading.RLock()
        for name, proxy in (
            ("kafka_proxy", Proxy(kafka_port, self.broker.behind_proxy)),
            ("database_proxy", Proxy(database_port, self.server.folder / ".s.PGSQL.5432")),
        ):
            setattr(self, name, proxy)
            stack.callback(proxy.close)
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE site")
        create_topic(self.broker.bootstrap, PARTITIONS, TOPIC)
        self.night.write_schema(self.folder / "schemas")
        environment = self._environment(kafka_port, database_port, packs)
        direct = environment | {"LASAIR_ARCHIVE__URL": self.server.url("site")}
        subprocess.run(
            [_LASAIR, "archive", "init"], env=direct, check=True, cwd=self.folder, capture_output=True
        )
        self.users = Users(direct, self.folder)
        stack.callback(self.users.close)
        self.topics: list[str] = self.users("filters")
        self.clocks = {
            name: Clock(self.folder / f"clock-{name}", self._clock) for name in ("ingest-2", "deliver-2")
        }
        self.site_port = ports[4]
        words = {"serve": ["serve", "--port", str(self.site_port)]}
        workers = []
        for place, name in enumerate(WORKERS):
            own = dict(environment)
            if place < 4:
                own["LASAIR_METRICS__PORT"] = str(ports[place])
            if name in self.clocks:
                own |= self.clocks[name].environment(own)
            if name in self._names:
                command = [_LASAIR, *words.get(name, [name.split("-")[0]])]
                workers.append(Worker(name, command, own, self.folder))
        self.supervisor = Supervisor(workers)
        self._closed = False
        stack.callback(self.stop)

    def _environment(self, kafka_port: int, database_port: int, packs: Path) -> dict[str, str]:
        kafka = f"127.0.0.1:{kafka_port}"
        options = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500, "socket.timeout.ms": 10_000}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("LASAIR_")},
            "LASAIR_ARCHIVE__URL": f"postgresql://{self.server.owner}@127.0.0.1:{database_port}/site",
            "LASAIR_ARCHIVE__PACKS": str(packs),
            "LASAIR_KAFKA__BOOTSTRAP": kafka,
            "LASAIR_KAFKA__TOPICS": TOPIC,
            "LASAIR_KAFKA__GROUP": GROUP,
            "LASAIR_KAFKA__OPTIONS": json.dumps(options),
            "LASAIR_DELIVERY__BOOTSTRAP": kafka,
            "LASAIR_SCHEMAS__FOLDERS": str(self.folder / "schemas"),
            "LASAIR_SITE__RESULTS": str(self.folder / "results"),
            "LASAIR_SITE__JOB_THREADS": "0",
            "LASAIR_CONTEXT__CATALOGUES": str(self.folder / "catalogues"),
            "LASAIR_LOGGING__FORMAT": "json",
            "LASAIR_SECRET_KEY": "for this run only, and long enough for Django's checks",
        }

    # What can be seen of it

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database, past the proxy."""
        with psycopg.connect(self.server.url("site"), connect_timeout=5) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def stored(self) -> dict[int, int]:
        """How far each partition is stored; nothing while the database is away."""
        found = dict.fromkeys(range(PARTITIONS), 0)
        try:
            rows = self.ask(
                f"SELECT partition, \"offset\" FROM archive.stream_positions WHERE topic = '{TOPIC}'"
            )
        except psycopg.Error:
            return {}
        return found | {int(partition): int(offset) for partition, offset in rows}

    def undelivered(self) -> set[str] | None:
        """Hits of everybody's filters that are not delivered; None while the database is away."""
        theirs = f'"deliveredMjdTai" IS NULL AND "filterId" <= {len(self.topics)}'
        try:
            return {hit for (hit,) in self.ask(f'SELECT "hitId" FROM archive.filter_hits WHERE {theirs}')}
        except psycopg.Error:
            return None

    def serves(self) -> bool:
        """Whether the site is ready."""
        with suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{self.site_port}/health/ready", timeout=5).ok
        return False

    def restart_server(self) -> None:
        """Start PostgreSQL, again and again until it is there: its disk may still be full."""
        with self.server_lock:
            for _ in range(20):
                try:
                    self.server.start()
                    return
                except AssertionError:
                    time.sleep(0.5)
            self.server.start()

    def stop(self) -> dict[str, int]:
        """Stop the workers as an administrator would; their exit codes, at the first call."""
        if self._closed:
            return {}
        self._closed = True
        return self.supervisor.close()

    def keep_logs(self, folder: Path) -> None:
        """Copy what the workers said."""
        folder.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("*.log"):
            shutil.copy(log, folder)
        shutil.copy(self.server.folder / "log", folder / "postgresql.log")
