"""A real Apache Kafka for tests: one node in KRaft mode on free ports, which a test can pause, kill, restart.

The official jars come from Maven Central into a cache folder (`LASAIR_TEST_CACHE`, by default ``.cache``
beside ``tests``), once. A broker takes about three seconds to start. To use it in another folder of tests,
put this one on ``sys.path`` and import `KafkaBroker`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

POM = Path(__file__).with_name("pom.xml")
USERNAME, PASSWORD = "lasair-test", "only-for-tests"
ADMIN_USERNAME = "admin"
KEYSTORE_PASSWORD = "keystore-for-tests"  # noqa: S105 - of a key made for this broker, thrown away with it

# Runs a command and kills it when standard input ends: when whoever started it is gone, however it went.
_UNTIL_STDIN_ENDS = 'exec 3<&0; "$@" </dev/null & p=$!; { cat <&3 >/dev/null; kill -9 $p; } & wait $p'


def jars() -> Path:
    """The folder with Kafka's jars; resolved by Maven if they are not in the cache."""
    cache = Path(os.environ.get("LASAIR_TEST_CACHE") or Path(__file__).parents[2] / ".cache")
    folder = cache / "kafka" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        shutil.copy(POM, scratch)
        target = Path(scratch) / "jars"
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode != 0:
            raise RuntimeError(
                f"Maven could not fetch Kafka's jars:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
            )
        try:
            target.rename(folder)
        except OSError:
            if not folder.exists():  # else: another run was faster
                raise
    return folder


class KafkaBroker:
    """One broker with listeners PLAINTEXT, SASL_PLAINTEXT and, if `tls`, SASL_SSL (both SCRAM-SHA-512).

    With `acls`, only ADMIN_USERNAME may do everything, at `admin_bootstrap` (SASL PLAIN); everybody else, who
    is ANONYMOUS at `bootstrap`, may do what ACLs allow.

    With `advertised`, there is one more listener, at `behind_proxy`, which tells its clients to come to the
    port `advertised`: to a proxy of whoever starts this.

    Use as a context manager; the process and its folder are gone at the end, even if the test run is killed.
    """

    def __init__(self, *, tls: bool = False, acls: bool = False, advertised: int | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-for-tests-"))
        self._process: subprocess.Popen[bytes] | None = None
        plain, controller, scram, secure, admin, proxied = free_ports(6)
        self._acls = acls
        self.admin_bootstrap = f"127.0.0.1:{admin}"
        self.bootstrap = f"127.0.0.1:{plain}"
        self.scram_bootstrap = f"127.0.0.1:{scram}"
        self.tls_bootstrap = f"127.0.0.1:{secure}"
        self.behind_proxy = ("127.0.0.1", proxied)
        self.ca_file = self._folder / "ca.pem"
        if tls:
            self._make_key()
        ports = {"CONTROLLER": controller, "PLAINTEXT": plain, "SCRAM": scram}
        ports |= {"SECURE": secure} if tls else {}
        ports |= {"ADMIN": admin} if acls else {}
        ports |= {"PROXIED": proxied} if advertised is not None else {}
        self._configure(ports, {} if advertised is None else {"PROXIED": advertised})

    def __enter__(self) -> KafkaBroker:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self, timeout: float = 60) -> None:
        """Start, or start again on the same ports and logs; returns when the broker answers."""
        heap = ["-Xms256m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        program = ["-Dorg.apache.logging.log4j.level=WARN", "-cp", f"{jars()}/*", "kafka.Kafka"]
        java = ["java", *heap, *program, str(self._folder / "server.properties")]
        with (self._folder / "kafka.out").open("ab") as out:
            self._process = subprocess.Popen(
                ["sh", "-c", _UNTIL_STDIN_ENDS, "sh", *java],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Kafka did not start:\n{(self._folder / 'kafka.out').read_text()[-4000:]}"
                )
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, as an administrator would; returns when it has ended."""
        assert self._process is not None
        assert self._process.stdin is not None
        shell = self._process.pid
        for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "java":
                os.kill(int(child), signal.SIGTERM)
        self._process.wait(60)
        self._process.stdin.close()

    def pause(self) -> None:
        """SIGSTOP: connections stay, but nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add_user(self) -> None:
        """Let USERNAME in with PASSWORD on the SASL listeners."""
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        users = [UserScramCredentialUpsertion(USERNAME, scram, PASSWORD.encode())]
        admin = self._admin()
        for done in admin.alter_user_scram_credentials(users).values():
            done.result(timeout=30)

    def create_topic(self, partitions: int = 1, name: str | None = None) -> str:
        """A new topic, by default with a name nobody has used; returns the name."""
        return create_topic(self.bootstrap, partitions, name)

    def _admin(self) -> AdminClient:
        if not self._acls:
            return AdminClient({"bootstrap.servers": self.bootstrap})
        login = {"sasl.mechanism": "PLAIN", "sasl.username": ADMIN_USERNAME, "sasl.password": PASSWORD}
        where = {"bootstrap.servers": self.admin_bootstrap, "security.protocol": "SASL_PLAINTEXT"}
        return AdminClient(where | login)

    def _answers(self) -> bool:
        host, port = self.bootstrap.split(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, int(port))) != 0:
                return False
        try:
            return bool(self._admin().list_topics(timeout=10).brokers)
        except Exception:
            return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _configure(self, listeners: dict[str, int], advertised: dict[str, int]) -> None:
        """Write what the broker is told: its listeners' ports by name, and what clients are told instead."""
        protocols = dict.fromkeys(listeners, "PLAINTEXT") | {"SCRAM": "SASL_PLAINTEXT"}
        acls = "ADMIN" in listeners
        if "SECURE" in listeners:
            protocols["SECURE"] = "SASL_SSL"
        if acls:
            protocols |= {"ADMIN": "SASL_PLAINTEXT", "CONTROLLER": "SASL_PLAINTEXT"}
        at = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
        told = at | {name: f"{name}://127.0.0.1:{port}" for name, port in advertised.items()}
        logs = self._folder / "logs"
        logs.mkdir()
        # Instead of a run of Kafka's own formatting tool, which would take another two seconds.
        (logs / "meta.properties").write_text(f"version=1\ncluster.id={uuid.uuid4().hex[:22]}\nnode.id=1\n")
        scram_login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{listeners['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(at.values()),
            "advertised.listeners": ",".join(told[name] for name in at if name != "CONTROLLER"),
            "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": scram_login,
            "listener.name.secure.scram-sha-512.sasl.jaas.config": scram_login,
            "ssl.keystore.location": str(self._folder / "key.p12"),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": KEYSTORE_PASSWORD,
            "log.dirs": str(logs),
            "num.partitions": "1",
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            # A broker that was killed may register again as soon as its old session has run out.
            "broker.session.timeout.ms": "1500",
            "broker.heartbeat.interval.ms": "300",
            "group.min.session.timeout.ms": "1000",
            "message.max.bytes": "10000000",
            "log.retention.check.interval.ms": "1000",
            "log.segment.delete.delay.ms": "0",
        }
        if acls:
            login = f'username="{ADMIN_USERNAME}" password="{PASSWORD}" user_{ADMIN_USERNAME}="{PASSWORD}";'
            plain_login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {login}"
            settings |= {
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": f"User:{ADMIN_USERNAME}",
                "inter.broker.listener.name": "ADMIN",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
                "sasl.mechanism.inter.broker.protocol": "PLAIN",
                "sasl.mechanism.controller.protocol": "PLAIN",
                "listener.name.admin.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "listener.name.admin.plain.sasl.jaas.config": plain_login,
                "listener.name.controller.plain.sasl.jaas.config": plain_login,
            }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._folder / "server.properties").write_text(text)

    def _make_key(self) -> None:
        store = ["-keystore", str(self._folder / "key.p12"), "-storetype", "PKCS12"]
        store += ["-storepass", KEYSTORE_PASSWORD, "-alias", "broker"]
        make = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"]
        export = ["-exportcert", "-rfc", "-file", str(self.ca_file)]
        for task in (make, export):
            subprocess.run(["keytool", *task, *store], check=True, capture_output=True, timeout=60)


def create_topic(bootstrap: str, partitions: int = 1, name: str | None = None) -> str:
    """A new topic with retention switched off, by default with a name nobody has used; returns the name."""
    name = name or f"lasair-test-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = NewTopic(name, partitions, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[name].result(timeout=30)
    while name not in admin.list_topics(timeout=30).topics:
        time.sleep(0.02)
    return name


def produce(
    bootstrap: str, topic: str, values: Sequence[bytes], partitions: Sequence[int] | int = 0
) -> list[tuple[int, int]]:
    """Send `values` in order, each to its partition; returns (partition, offset) of each."""
    # A new topic may not have a leader yet: without idempotence, what is tried again would lose its place.
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True})
    to = [partitions] * len(values) if isinstance(partitions, int) else partitions
    places: list[tuple[int, int]] = [(-1, -1)] * len(values)
    for index, (value, partition) in enumerate(zip(values, to, strict=True)):

        def delivered(error: object, message: object, index: int = index) -> None:
            assert error is None, error
            places[index] = (message.partition(), message.offset())  # type: ignore[attr-defined]

        while True:
            try:
                producer.produce(topic, value, partition=partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
    return places


def group_offsets(bootstrap: str, group: str, topic: str, partitions: int) -> dict[int, int]:
    """The offsets a consumer group has committed."""
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        found = consumer.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=30)
        return {tp.partition: tp.offset for tp in found}
    finally:
        consumer.close()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens at now, none of which the kernel would give to an outgoing connection.

    (A client that keeps trying to reach a broker that is down could otherwise be given the broker's own port,
    be connected with itself, and keep the broker from coming back.)
    """
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found
