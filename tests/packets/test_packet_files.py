"""Packets in files of every kind, and files that are broken."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import shutil
import tarfile
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packet_builder import PacketBuilder
from test_real_packets import assert_batch

from lasair_broker.packets import PacketFileError, SchemaStore, decode, read_files


@pytest.fixture(scope="module")
def build(schemas: SchemaStore) -> PacketBuilder:
    return PacketBuilder(schemas)


@pytest.fixture(scope="module")
def framed(build: PacketBuilder) -> list[bytes]:
    return [build.framed(build.packet(i, build.source(i, 60000.0 + i))) for i in range(1, 8)]


def sources(paths: list[Path], schemas: SchemaStore, **options: int) -> list[tuple[str, int, int]]:
    """Topic, offset and diaSourceId of every packet."""
    found = []
    for messages in read_files(paths, **options):
        batches, rejected = decode(messages, schemas)
        assert rejected.num_rows == 0, rejected["reason"].to_pylist()
        for batch in batches:
            columns = [batch.alerts[name].to_pylist() for name in ("topic", "offset", "diaSourceId")]
            found += list(zip(*columns, strict=True))
    return sorted(found, key=lambda row: (str(row[0]), row[1]))


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, contents in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(contents)
            archive.addfile(entry, io.BytesIO(contents))
    return path


def test_single_files(
    tmp_path: Path, schemas: SchemaStore, build: PacketBuilder, framed: list[bytes]
) -> None:
    packets = [build.packet(i, build.source(i, 60000.0)) for i in range(1, 6)]
    files = {
        "a.avro": framed[0],
        "b.avro.gz": gzip.compress(framed[1]),
        "c.avro": build.container(packets[2]),
        "d.avro.gz": gzip.compress(build.container(packets[3], codec="deflate")),
    }
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    expected = [(f"file:{tmp_path / name}", 0, i) for i, name in enumerate(files, 1)]
    assert sources([tmp_path / name for name in files], schemas) == expected
    assert sources([tmp_path], schemas) == expected


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_a_container_of_many_packets(
    codec: str, tmp_path: Path, schemas: SchemaStore, build: PacketBuilder
) -> None:
    packets = [build.packet(i, build.source(i, 6e4, psfFlux=float(i))) for i in range(1, 301)]
    path = tmp_path / "many.avro"
    path.write_bytes(build.container(*packets, codec=codec))
    assert sources([path], schemas, batch_messages=70) == [(f"file:{path}", i - 1, i) for i in range(1, 301)]
    sizes = [len(messages) for messages in read_files([path], batch_messages=70)]
    assert sizes == [70, 70, 70, 70, 20]


def test_a_corrupt_packet_within_a_container(
    tmp_path: Path, schemas: SchemaStore, build: PacketBuilder
) -> None:
    """What comes before it in its block is read; from it to the end of the block is one rejected message."""
    packets = [build.packet(i, build.source(i, 6e4)) for i in range(1, 5)]
    datum = build.datum(packets[1])
    whole = build.container(*packets)
    at = whole.index(datum)
    # The second field of the datum is the branch of a union of two.
    place = at + len(fastavro_long(2))
    path = tmp_path / "broken.avro"
    path.write_bytes(whole[:place] + b"\x7e" + whole[place + 1 :])
    (messages,) = read_files([path])
    batches, rejected = decode(messages, schemas)
    assert batches[0].alerts["diaSourceId"].to_pylist() == [1]
    assert rejected["offset"].to_pylist() == [1]
    assert "union" in rejected["reason"][0].as_py()


def fastavro_long(value: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, {"type": "long"}, value)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz"), (".tar.bz2", "w:bz2")],
)
def test_archives(
    suffix: str, mode: str, tmp_path: Path, schemas: SchemaStore, build: PacketBuilder, framed: list[bytes]
) -> None:
    two = build.container(*[build.packet(i, build.source(i, 6e4)) for i in (21, 22)])
    members = {
        "z/1.avro": framed[0],
        "README.txt": b"?",
        "a/2.avro.gz": gzip.compress(framed[1]),
        "m.avro": two,
        "b.avro": framed[2],
    }
    path = tar(tmp_path / f"night{suffix}", members, mode)
    assert sources([path], schemas) == [(f"file:{path}", i, n) for i, n in enumerate((1, 2, 21, 22, 3))]


def test_bare_datums_with_their_schema(tmp_path: Path, schemas: SchemaStore, build: PacketBuilder) -> None:
    datums = [build.datum(build.packet(i, build.source(i, 6e4))) for i in (1, 2)]
    schema = json.dumps(build.schema_json).encode()
    (tmp_path / "schema.json").write_bytes(schema)
    (tmp_path / "1.avro").write_bytes(datums[0])
    assert sources([tmp_path / "1.avro"], schemas) == [(f"file:{tmp_path / '1.avro'}", 0, 1)]
    # In an archive the schema may come last, and each folder may have its own.
    members = {"x/1.avro": datums[0], "y/2.avro": datums[1], "x/schema.json": schema, "y/schema.json": schema}
    path = tar(tmp_path / "x.tar.gz", members, "w:gz")
    assert sources([path], schemas) == [(f"file:{path}", 0, 1), (f"file:{path}", 1, 2)]


def test_batches_are_bounded(tmp_path: Path, framed: list[bytes]) -> None:
    for i, value in enumerate(framed):
        (tmp_path / f"{i}.avro").write_bytes(value)
    size = max(len(value) for value in framed)
    for options, expected in (
        ({"batch_messages": 3}, [3, 3, 1]),
        ({"batch_bytes": 2 * size}, [2, 2, 2, 1]),
        ({"batch_bytes": 1}, [1] * 7),
        ({}, [7]),
    ):
        batches = list(read_files([tmp_path], **options))
        assert [len(messages) for messages in batches] == expected
        assert [value for messages in batches for value in messages.values] == framed
        for messages in batches:
            assert max(messages.topic) == len(messages.topics) - 1
            assert (messages.partition == 0).all()
            assert (messages.offset == 0).all()
            assert (np.diff(messages.arrivedMjdTai) >= 0).all()
    with pytest.raises(ValueError, match="at least one"):
        list(read_files([tmp_path], batch_messages=0))


def test_reading_goes_on_where_it_stopped(tmp_path: Path, framed: list[bytes]) -> None:
    path = tar(tmp_path / "n.tar", {f"{i}.avro": value for i, value in enumerate(framed)})
    (messages,) = read_files([path], positions={f"file:{path}": 5, "file:/other": 9})
    assert messages.offset.tolist() == [5, 6]
    assert list(messages.values) == framed[5:]
    assert list(read_files([path], positions={f"file:{path}": 7})) == []


def test_folders_are_read_in_the_order_of_names(tmp_path: Path, framed: list[bytes]) -> None:
    for name in ("b/2.avro", "a/9.avro", "b/1.avro", "c.avro", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(framed[0])
    (messages,) = read_files([tmp_path])
    names = [topic.removeprefix(f"file:{tmp_path}/") for topic in messages.topics]
    assert names == ["a/9.avro", "b/1.avro", "b/2.avro", "c.avro"]


def test_relative_paths_become_absolute_topics(
    tmp_path: Path, framed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.avro").write_bytes(framed[0])
    monkeypatch.chdir(tmp_path)
    (messages,) = read_files(["a.avro"])
    assert messages.topics == (f"file:{tmp_path / 'a.avro'}",)


def broken_files(tmp_path: Path, framed: list[bytes], build: PacketBuilder) -> dict[str, Path]:
    def write(name: str, contents: bytes) -> Path:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(contents)
        return tmp_path / name

    container = build.container(build.packet(1, build.source(1, 6e4)))
    whole = tar(tmp_path / "whole.tar.xz", {f"{i}.avro": v * 50 for i, v in enumerate(framed)}, "w:xz")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    return {
        "empty": write("empty.avro", b""),
        "no such file": tmp_path / "missing.avro",
        "not a kind of file": write("packets.csv", b"1,2"),
        "no files with packets": (tmp_path / "nothing"),
        "put its schema beside it": write("bare.avro", build.datum(build.packet(1, build.source(1, 6e4)))),
        "are left": write("cut.avro", container[:-20]),
        "gzip is incomplete": write("cut.avro.gz", gzip.compress(framed[0])[:-2]),
        "corrupt gzip": write("wrong.avro.gz", framed[0]),
        "broken archive": write("cut.tar.xz", whole.read_bytes()[:-200]),
        "not an Avro schema": write("bad/1.avro", framed[0]),
        "holds no packets": tar(tmp_path / "none.tar", {"a.txt": b"x"}),
        "inner.avro": tar(tmp_path / "inner.tar", {"good.avro": framed[0], "inner.avro": b"\x01\x02"}),
        "no packets in this table": tmp_path / "other.parquet",
        "table.parquet": write("table.parquet", b"PAR1"),
    }


def test_broken_files_are_named(tmp_path: Path, framed: list[bytes], build: PacketBuilder) -> None:
    files = broken_files(tmp_path, framed, build)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "bad/schema.json").write_text('{"type": "record"}')
    for words, path in files.items():
        with pytest.raises(PacketFileError) as error:
            list(read_files([path]))
        assert words in str(error.value), words
        assert str(path.parent) in str(error.value)


def test_what_came_before_a_broken_file_is_given(tmp_path: Path, framed: list[bytes]) -> None:
    good, bad = tmp_path / "a.avro", tmp_path / "b.avro"
    good.write_bytes(framed[0])
    bad.write_bytes(b"\x01\x02\x03")
    reader = read_files([good, bad])
    assert list(next(reader).values) == [framed[0]]
    with pytest.raises(PacketFileError, match=r"b\.avro"):
        next(reader)


def test_the_files_beside_broken_ones_are_read_if_somebody_is_told(
    tmp_path: Path, framed: list[bytes], build: PacketBuilder
) -> None:
    files = broken_files(tmp_path, framed, build)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "bad/schema.json").write_text('{"type": "record"}')
    good = []
    for number in range(len(files)):
        good.append(tmp_path / f"good-{number}.avro")
        good[-1].write_bytes(framed[0])
    mixed = [path for pair in zip(files.values(), good, strict=True) for path in pair]
    told: list[str] = []
    topics = [
        topic
        for messages in read_files(mixed, on_broken=lambda error: told.append(str(error)))
        for topic in messages.topics
    ]
    assert [topic for topic in topics if "good-" in topic] == [f"file:{path}" for path in good]
    assert len(told) == len(files)
    for (words, path), text in zip(files.items(), told, strict=True):
        assert words in text
        assert str(path.parent) in text


def test_a_compressed_archive_that_is_not_one(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.xz"
    path.write_bytes(lzma.compress(b"not a tar archive" * 100))
    with pytest.raises(PacketFileError, match="broken archive"):
        list(read_files([path]))


@pytest.mark.parametrize("name", ["ddf_v10.parquet", "asteroid_trails_v10.parquet"])
def test_tables_with_packet_columns(name: str, data_folder: Path, schemas: SchemaStore) -> None:
    path = data_folder / "lsst" / name
    packet = [
        "diaSourceId", "diaSource", "prvDiaSources", "prvDiaForcedSources", "diaObject", "ssSource",
        "mpc_orbits", "cutoutDifference", "cutoutScience", "cutoutTemplate",
    ]  # fmt: skip
    table = pq.read_table(path)
    rows = table.select([column for column in packet if column in table.schema.names]).to_pylist()
    (messages,) = read_files([path])
    batches, rejected = decode(messages, schemas)
    assert rejected.num_rows == 0
    assert len(batches) == 1
    assert_batch(batches[0], rows, "lsst")


def test_a_table_of_odd_types(tmp_path: Path, schemas: SchemaStore) -> None:
    source = pa.struct(
        [
            ("diaSourceId", pa.int64()),
            ("diaObjectId", pa.int64()),
            ("midpointMjdTai", pa.float64()),
            ("ra", pa.float64()),
            ("dec", pa.float32()),
            ("band", pa.dictionary(pa.int8(), pa.string())),
            ("psfFlux", pa.float32()),
            ("detector", pa.uint16()),
            ("unwanted", pa.map_(pa.string(), pa.int8())),
            ("no name of Avro's", pa.int8()),
        ]
    )
    row = {
        "diaSourceId": 1, "diaObjectId": 5, "midpointMjdTai": 6e4, "ra": 1.0, "dec": 0.5, "band": "z",
        "psfFlux": 2.0, "detector": 60000, "unwanted": [("a", 1)], "no name of Avro's": 1,
    }  # fmt: skip
    older = {**row, "diaSourceId": 2, "midpointMjdTai": 6e4 - 1, "band": "u"}
    flat = pa.struct([field for field in source if field.name != "band"] + [("band", pa.string())])
    table = pa.table(
        {
            "diaSource": pa.array([row, {**row, "diaSourceId": 9}, None], flat),
            "prvDiaSources": pa.array([[older, None], [], None], pa.large_list(flat)),
            "seen": pa.array([1, 2, 3], pa.timestamp("ns")),
            "nothing": pa.nulls(3),
            "extra<é>": pa.array(["x", None, ""]),
            "price": pa.array([1, 2, 3], pa.decimal128(5, 2)),
        }
    )
    pq.write_table(table, tmp_path / "odd.parquet")
    (messages,) = read_files([tmp_path / "odd.parquet"])
    batches, rejected = decode(messages, schemas)
    rows = batches[0].diaSources.take(None, ["diaSourceId", "band", "detector", "decl"]).to_pylist()
    assert rows == [
        {"diaSourceId": 2, "band": "u", "detector": 60000, "decl": 0.5},
        {"diaSourceId": 1, "band": "z", "detector": 60000, "decl": 0.5},
        {"diaSourceId": 9, "band": "z", "detector": 60000, "decl": 0.5},
    ]
    assert rejected["offset"].to_pylist() == [2]
    assert "diaSourceId" in rejected["reason"][0].as_py()


def test_every_file_of_real_data(data_folder: Path, schemas: SchemaStore, tmp_path: Path) -> None:
    """All folders in one go: each kind of file, mixed surveys and schemas, nothing lost on the way."""
    shutil.copytree(data_folder / "lsst/wire_v10", tmp_path / "wire")
    alerts = bad = messages_read = 0
    for messages in read_files([tmp_path, data_folder / "ztf", data_folder / "lsst/sso_v9.tar.gz"]):
        batches, rejected = decode(messages, schemas)
        messages_read += len(messages)
        alerts += sum(batch.alerts.num_rows for batch in batches)
        bad += rejected.num_rows
    assert bad == 3
    assert alerts == messages_read - bad == 8 + 500 + 34 + 36 + 24 + 10
