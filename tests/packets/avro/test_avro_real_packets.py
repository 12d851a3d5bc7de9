"""Every real packet, field by field against fastavro, and back to the same bytes."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from avro_oracle import container_values, fastavro_read, same

from lasair_broker.packets.avro import Codec, ContainerReader, read_container

ARCHIVES = [
    "lsst/lsstcam_v9.tar.xz",
    "lsst/hsc_v9.tar.xz",
    "lsst/sim_v7_4.tar.xz",
    "lsst/elasticc_stream.tar.xz",
    "ztf/ztf_v3_2.tar.xz",
    "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz",
    "ztf/forced_v4_boom.tar.xz",
    "ztf/forced_v4_kowalski.tar.xz",
]


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def lsst_schemas(folder: Path, version: str) -> tuple[Any, list[Any]]:
    parts = [json.loads(path.read_text()) for path in sorted((folder / version).glob("*.avsc"))]
    alert = next(part for part in parts if part["name"].endswith("alert"))
    return alert, [part for part in parts if part is not alert]


def check(codec: Codec, schema: Any, datums: list[bytes]) -> None:
    """Decoded values equal fastavro's, and encoding gives the bytes of the datums again."""
    decoded = codec.decode_values(datums)
    expected = fastavro_read(schema, datums)
    for row, (value, wanted) in enumerate(zip(decoded.records(), expected, strict=True)):
        assert not decoded.error[row], decoded.reason(row)
        assert same(value, wanted)
    assert same(decoded.record(0), expected[0])
    assert codec.encode(decoded) == datums


def test_lsst_as_sent_on_kafka(data_folder: Path) -> None:
    schema, named = lsst_schemas(data_folder / "lsst/schemas", "10/0")
    codec = Codec(schema, named)
    datums = []
    for path in sorted((data_folder / "lsst/wire_v10").glob("*.avro.gz")):
        message = gzip.decompress(path.read_bytes())
        assert message[:5] == bytes([0]) + (1000).to_bytes(4, "big")
        datums.append(message[5:])
    assert len(datums) == 8
    check(codec, json.loads(codec.schema_json), datums)


@pytest.mark.parametrize("version", ["7.4", "8.0", "9.0", "10.0", "11.0", "11.1"])
def test_lsst_template_packets(data_folder: Path, version: str) -> None:
    schema, named = lsst_schemas(data_folder / "lsst/schemas", version.replace(".", "/"))
    codec = Codec(json.dumps(schema), [json.dumps(part) for part in named])
    message = (data_folder / f"lsst/wire_fake/lsst.v{version.replace('.', '_')}.avro").read_bytes()
    check(codec, json.loads(codec.schema_json), [message[5:]])


def test_schemaless_records_beside_their_schema(data_folder: Path) -> None:
    files = dict(members(data_folder / "lsst/sso_v9.tar.gz"))
    schema = json.loads(next(data for name, data in files.items() if name.endswith("schema.json")))
    datums = [data for name, data in sorted(files.items()) if name.endswith(".avro")]
    assert len(datums) == 10
    check(Codec(schema), schema, datums)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_containers(data_folder: Path, archive: str) -> None:
    files = [data for name, data in members(data_folder / archive) if name.endswith(".avro")]
    found = ContainerReader().read_many(files)
    assert not found.errors
    expected = {message: container_values(data) for message, data in enumerate(files)}
    seen: dict[int, int] = defaultdict(int)
    for number, schema_json in enumerate(found.schemas):
        mine = found.schema == number
        codec = Codec(schema_json)
        decoded = codec.decode(
            found.address[mine], found.length[mine], continues=found.continues[mine], owner=found.owners
        )
        for row, (message, value) in enumerate(
            zip(found.message[mine].tolist(), decoded.records(), strict=True)
        ):
            assert not decoded.error[row], decoded.reason(row)
            assert same(value, expected[message][seen[message]])
            seen[message] += 1
    assert dict(seen) == {message: len(values) for message, values in expected.items()}
    assert seen


def test_container_of_many_alerts(data_folder: Path) -> None:
    data = (data_folder / "lsst/ddf_v10.avro").read_bytes()
    schema_json, blocks = read_container(data)
    decoded = Codec(schema_json).decode_blocks(blocks)
    expected = container_values(data)
    assert len(expected) == 7
    assert same(list(decoded.records()), expected)
