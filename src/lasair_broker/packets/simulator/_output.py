"""Where a simulation goes: files, or Kafka; as fast as possible, or at the pace of the telescope."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lasair_broker.packets import Messages
from lasair_broker.packets.avro import container_parts
from lasair_broker.packets.simulator._simulation import Simulation

__all__ = ["FILE_LAYOUTS", "paced", "produce", "write_files"]

Progress = Callable[[int], None]

FILE_LAYOUTS = ("container", "tar", "messages")
"""One Avro object container a visit; one tar of framed messages a visit; one file a message in a folder a
visit."""

_FRAME = 5
_FIXED_TIME = 0  # of files in a tar: the same simulation gives the same bytes


def paced(batches: Iterable[Messages], alerts_per_second: float | None) -> Iterator[Messages]:
    """Pass batches on, each no earlier than its last alert is due at the given rate; None: at once.

    Raises
    ------
    ValueError
        If the rate is not positive.
    """
    if alerts_per_second is not None and alerts_per_second <= 0:
        raise ValueError(f"the rate is {alerts_per_second} alerts a second, must be positive")
    started, passed = time.monotonic(), 0
    for batch in batches:
        passed += len(batch)
        if alerts_per_second is not None:
            time.sleep(max(started + passed / alerts_per_second - time.monotonic(), 0.0))
        yield batch


def _datums(batches: Iterable[Messages], progress: Progress | None) -> Iterator[memoryview]:
    """The Avro datums in framed messages."""
    for messages in batches:
        yield from (memoryview(value)[_FRAME:] for value in messages.values)
        _tell(progress, messages)


def _names(messages: Messages) -> list[str]:
    """Names of the files of single messages: the alerts' diaSourceId, the first field of the datum."""
    names = []
    for value in messages.values:
        number, shift, at = 0, 0, _FRAME
        while True:
            byte = value[at]
            number |= (byte & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if byte < 0x80:
                break
        names.append(f"{(number >> 1) ^ -(number & 1)}.avro")
    return names


def write_files(
    simulation: Simulation,
    out_dir: str | Path,
    *,
    layout: str = "container",
    compression: str = "null",
    truth: bool = False,
    catalogue: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the alerts of a simulation, one file (or folder) a visit, named ``visit_<id>``.

    Parameters
    ----------
    simulation
        What to write.
    out_dir
        Made if it is not there; files of the same names are replaced.
    layout
        One of `FILE_LAYOUTS`.
    compression
        Of the blocks of containers: "null" or "deflate".
    truth, catalogue
        Also write ``truth.parquet`` and ``catalogue.parquet``.
    progress
        Called with the number of alerts written since the last call.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    ValueError
        For a layout or compression that does not exist.
    OSError
        If something cannot be written.
    """
    if layout not in FILE_LAYOUTS:
        raise ValueError(f"the layout is one of {', '.join(FILE_LAYOUTS)}, not {layout!r}")
    if compression not in ("null", "deflate"):
        raise ValueError(f"the compression is null or deflate, not {compression!r}")
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    sync = np.random.Generator(np.random.Philox(simulation.seed)).bytes(16)
    written: list[Path] = []
    for visit, batches in _by_visit(simulation):
        stem = f"visit_{visit}"
        if layout == "messages":
            path = folder / stem
            path.mkdir(exist_ok=True)
            for messages in batches:
                for name, value in zip(_names(messages), messages.values, strict=True):
                    (path / name).write_bytes(value)
                _tell(progress, messages)
        elif layout == "tar":
            path = folder / f"{stem}.tar"
            with tarfile.open(path, "w") as archive:
                for messages in batches:
                    for name, value in zip(_names(messages), messages.values, strict=True):
                        entry = tarfile.TarInfo(name)
                        entry.size, entry.mtime = len(value), _FIXED_TIME
                        archive.addfile(entry, io.BytesIO(value))
                    _tell(progress, messages)
        else:
            path = folder / f"{stem}.avro"
            with path.open("wb") as file:
                datums = _datums(batches, progress)
                file.writelines(container_parts(simulation.schema, datums, codec=compression, sync=sync))
        written.append(path)
    for wanted, name in ((truth, "truth"), (catalogue, "catalogue")):
        if wanted:
            path = folder / f"{name}.parquet"
            pq.write_table(simulation.truth() if name == "truth" else simulation.catalogue(), path)
            written.append(path)
    return written


def _tell(progress: Progress | None, messages: Messages) -> None:
    if progress is not None:
        progress(len(messages))


def _by_visit(simulation: Simulation) -> Iterator[tuple[int, Iterator[Messages]]]:
    """Batches grouped by visit, lazily; each group must be used up before the next."""
    stream = simulation.visit_alerts()
    held = next(stream, None)
    while held is not None:
        visit = held[0]

        def batches(visit: int = visit) -> Iterator[Messages]:
            nonlocal held
            while held is not None and held[0] == visit:
                yield held[1]
                held = next(stream, None)

        yield visit, batches()


def produce(
    simulation: Simulation,
    bootstrap: str,
    topic: str,
    *,
    alerts_per_second: float | None = None,
    config: Mapping[str, Any] | None = None,
    first_offset: int = 0,
    progress: Progress | None = None,
) -> int:
    """Send the alerts of a simulation to Kafka, in order, and wait until all are acknowledged.

    Parameters
    ----------
    simulation
        What to send.
    bootstrap, topic
        Brokers as ``host:port,host:port``, and the topic, which must exist or be made by the broker.
    alerts_per_second
        As fast as possible if None; `LSST_ALERTS_PER_SECOND` is the telescope's pace.
    config
        More settings of librdkafka, such as security.
    first_offset
        Alerts to leave out at the start.
    progress
        Called with the number of alerts acknowledged since the last call.

    Returns
    -------
    int
        The number of alerts sent.

    Raises
    ------
    RuntimeError
        If the broker refuses a message or does not acknowledge it in time.
    """
    from confluent_kafka import Producer

    settings = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "linger.ms": 20,
        "queue.buffering.max.kbytes": 131_072,
        "compression.type": "none",
        **(config or {}),
    }
    producer = Producer(settings)
    failures: list[str] = []
    acknowledged = 0

    def delivered(error: Any, _message: Any) -> None:
        nonlocal acknowledged
        if error is None:
            acknowledged += 1
        else:
            failures.append(str(error))

    told = 0
    sent = 0
    for messages in paced(simulation.alerts(first_offset), alerts_per_second):
        for value in messages.values:
            while True:
                try:
                    producer.produce(topic, value, on_delivery=delivered)
                    break
                except BufferError:
                    # The queue is full: wait until the broker has taken some.
                    producer.poll(0.5)
                    _raise_first(failures)
            sent += 1
        producer.poll(0)
        _raise_first(failures)
        if progress is not None:
            progress(acknowledged - told)
            told = acknowledged
    left = producer.flush(60.0)
    _raise_first(failures)
    if left:
        raise RuntimeError(
            f"Kafka at {bootstrap} has not acknowledged {left} of {sent} alerts within a minute"
        )
    if progress is not None:
        progress(acknowledged - told)
    return sent


def _raise_first(failures: list[str]) -> None:
    if failures:
        raise RuntimeError(f"Kafka refused {len(failures)} alerts: {failures[0]}")
