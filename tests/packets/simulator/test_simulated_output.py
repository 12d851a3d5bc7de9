"""Files that other software reads, Kafka, and the pace."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path

import fastavro
import numpy as np
import pyarrow.parquet as pq
import pytest
from simulated_packets import decode

from lasair_broker.packets import Messages, SchemaStore
from lasair_broker.packets.simulator import Simulation, paced, produce, write_files


@pytest.fixture(scope="module")
def simulation(schemas: SchemaStore) -> Simulation:
    return Simulation(
        5, num_fields=1, alerts_per_visit=40, history_days=60, cutouts="image", batch_size=9, schemas=schemas
    )


@pytest.fixture(scope="module")
def values(simulation: Simulation) -> list[bytes]:
    return [value for m in simulation.alerts() for value in m.values]


@pytest.mark.parametrize("compression", ["null", "deflate"])
def test_containers_are_read_by_fastavro(
    simulation: Simulation, values: list[bytes], tmp_path: Path, compression: str
) -> None:
    told: list[int] = []
    paths = write_files(simulation, tmp_path / "new", compression=compression, progress=told.append)
    assert [p.name for p in paths] == [f"visit_{v}.avro" for v in simulation.visits()["visit"].to_pylist()]
    records = []
    for path in paths:
        with path.open("rb") as file:
            reader = fastavro.reader(file)
            assert reader.codec == compression
            records += list(reader)
    assert records == decode(simulation, values)
    assert sum(told) == len(values)


def test_tars_and_single_messages_hold_the_framed_bytes(
    simulation: Simulation, values: list[bytes], tmp_path: Path
) -> None:
    ids = [p["diaSourceId"] for p in decode(simulation, values)]
    expected = dict(zip([f"{i}.avro" for i in ids], values, strict=True))
    found: dict[str, bytes] = {}
    for path in write_files(simulation, tmp_path / "tar", layout="tar"):
        with tarfile.open(path) as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                assert file is not None
                found[entry.name] = file.read()
    assert found == expected
    folders = write_files(simulation, tmp_path / "messages", layout="messages")
    assert {p.name: p.read_bytes() for folder in folders for p in folder.iterdir()} == expected


def test_truth_and_catalogue_are_written_on_request(simulation: Simulation, tmp_path: Path) -> None:
    paths = write_files(simulation, tmp_path, truth=True, catalogue=True)
    assert [p.name for p in paths[-2:]] == ["truth.parquet", "catalogue.parquet"]
    assert pq.read_table(paths[-2]).equals(simulation.truth())
    assert pq.read_table(paths[-1]).equals(simulation.catalogue())


def test_wrong_layouts_are_refused(simulation: Simulation, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not 'zip'"):
        write_files(simulation, tmp_path, layout="zip")
    with pytest.raises(ValueError, match="not 'lzma'"):
        write_files(simulation, tmp_path, compression="lzma")


def _batch(n: int) -> Messages:
    none = np.zeros(n, np.int32)
    return Messages([b""] * n, ("t",), none, none, np.arange(n), np.zeros(n))


def test_pace_is_kept_and_none_is_no_pace() -> None:
    begin = time.monotonic()
    assert sum(len(b) for b in paced([_batch(5)] * 6, 100.0)) == 30
    assert time.monotonic() - begin >= 0.3
    assert [len(b) for b in paced([_batch(5)] * 2, None)] == [5, 5]
    with pytest.raises(ValueError, match="must be positive"):
        next(paced([_batch(1)], 0.0))


def test_kafka_acknowledges_every_alert_though_its_queue_is_small(
    simulation: Simulation, values: list[bytes]
) -> None:
    told: list[int] = []
    # librdkafka's own broker, inside the producer; a queue of ten messages is full again and again.
    config = {"test.mock.num.brokers": 1, "queue.buffering.max.messages": 10, "linger.ms": 0}
    assert produce(simulation, "", "alerts", config=config, progress=told.append) == len(values)
    assert sum(told) == len(values)


def test_a_broker_that_is_not_there_is_an_error(simulation: Simulation) -> None:
    config = {"message.timeout.ms": 1500, "log_level": 0, "enable.idempotence": False}
    with pytest.raises(RuntimeError, match="Kafka refused"):
        produce(simulation, "127.0.0.1:1", "alerts", config=config)
