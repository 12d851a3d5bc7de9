"""Packs in S3: what is committed is there, whatever happens, and no machine keeps more than a cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from archive_places import Places, Server
from asking import ask
from moto.server import ThreadedMotoServer
from packets_model import Packet, Row, batch_of
from typer.testing import CliRunner

from lasair_broker.archive import (
    Archive,
    ArchiveCorruptError,
    ArchiveError,
    Retention,
    United,
    copy_archive,
    open_archive,
    tidy_archive,
    unite_packs,
)
from lasair_broker.archive.packs import PackPlace
from lasair_broker.archive.packs._bucket import BucketReader
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.cli._app import app
from lasair_broker.packets import SchemaStore, decode, mjd_tai_now, read_files
from lasair_broker.settings import load

KEYS = {"aws_access_key_id": "some", "aws_secret_access_key": "thing", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A private S3."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    yield f"http://{host}:{port}"
    store.stop()


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Any:
    """A bucket of this test's own."""
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").lower()[:60]
    return boto3.resource("s3", endpoint_url=endpoint, **KEYS).create_bucket(Bucket=name)


@pytest.fixture
def place(endpoint: str, bucket: Any, tmp_path: Path) -> PackPlace:
    options = {"endpoint_url": endpoint, "key": "some", "secret": "thing"}
    return PackPlace(f"s3://{bucket.name}/packs/of/ours", tmp_path / "cache", 100_000, options)


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Places]:
    places = Places("postgresql", tmp_path, server)
    yield places
    places.close()


def packet(number: int, remark: str = "") -> Packet:
    rows = (Row(number * 10, 61_000.0 + number),)
    return Packet(number, number * 10, 61_000.0 + number, rows, remark=remark)


def names(bucket: Any) -> list[str]:
    return [entry.key for entry in bucket.objects.all()]


def test_alerts_and_images_come_back_from_a_bucket(site: Places, place: PackPlace, bucket: Any) -> None:
    packets = [packet(number) for number in range(1, 6)]
    with PostgreSQLArchive(site.url(), place) as archive:
        archive.write([batch_of(packets)])
        (name,) = archive.packs().lengths
        assert names(bucket) == [f"packs/of/ours/{name}"]
        assert archive.status().pack_bytes == sum(entry.size for entry in bucket.objects.all())
    with PostgreSQLArchive(site.url(), place) as other:  # another machine, say
        for sent in packets:
            assert other.cutout(sent.diaSourceId, "Template") == sent.image("Template")
            stored = other.alert_bytes(sent.diaSourceId)
            assert stored is not None
            assert stored[0] == sent.datum()
        assert not place.cache.exists()  # pieces are read by ranges
        (again,) = other.replay()
        assert again.alerts.num_rows == 5
        assert other.write([batch_of(packets)]).duplicates == 5
        assert other.check() == []


def test_what_was_not_committed_is_taken_back(
    site: Places, place: PackPlace, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgreSQLArchive(site.url(), place) as archive:
        archive.write([batch_of([packet(1)])])
        run = archive._committer.session.run

        def refuse(sql: str, *arguments: Any) -> None:
            if sql == "COMMIT":
                assert len(names(bucket)) == 2  # it is there before the commit
                raise ArchiveError("not now")
            run(sql, *arguments)

        monkeypatch.setattr(archive._committer.session, "run", refuse)
        with pytest.raises(ArchiveError, match="not now"):
            archive.write([batch_of([packet(2)])])
        monkeypatch.undo()
        assert len(names(bucket)) == 1
        archive.write([batch_of([packet(2)])])
        assert len(names(bucket)) == 2
        assert archive.check() == []


def test_what_a_crash_left_is_told_and_removed_when_it_is_old(
    site: Places, place: PackPlace, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgreSQLArchive(site.url(), place) as archive:
        archive.write([batch_of([packet(1)])])
        length = np.array([4], np.int64)
        datum = np.frombuffer(b"lost", np.uint8)
        writer = place.writer({}, 1)
        left = writer.reserve(length, 61_000.5)
        writer.write(left, np.array([datum.ctypes.data], np.int64), length, 5)
        assert archive.unknown_packs() == {}  # somebody may be about to commit it
        monkeypatch.setattr("lasair_broker.archive.packs._bucket._SETTLED", timedelta(hours=-1))
        assert archive.unknown_packs() == {left.pack: left.end}
        archive.compact(remove_unknown_packs=True)
        assert len(names(bucket)) == 1
        assert archive.check() == []


def test_a_store_that_is_away_is_an_error_and_then_no_more(
    site: Places, place: PackPlace, bucket: Any, tmp_path: Path
) -> None:
    nowhere = PackPlace(place.where, place.cache, 1, {**place.options, "endpoint_url": "http://127.0.0.1:9"})
    with PostgreSQLArchive(site.url(), nowhere) as archive:
        for _ in range(2):
            with pytest.raises(ArchiveError, match="pack"):
                archive.write([batch_of([packet(1)])], None, {("alerts", 0): 1})
        assert archive.positions() == {}
    with PostgreSQLArchive(site.url(), place) as archive:
        archive.write([batch_of([packet(1)])], None, {("alerts", 0): 1})
        assert archive.positions() == {("alerts", 0): 1}
        bucket.objects.all().delete()
        with pytest.raises(ArchiveCorruptError, match="cannot be read"):
            archive.cutout(10, "Science")
        with pytest.raises(ArchiveCorruptError, match="cannot be read"):
            list(archive.replay())
        assert any("missing" in finding.message for finding in archive.check())


def test_the_cache_is_bounded_and_keeps_what_is_used(place: PackPlace, bucket: Any) -> None:
    writer, reader = place.writer({}, 1), place.reader()
    length = np.array([45_000], np.int64)
    content = np.frombuffer(bytes(45_000), np.uint8)
    packs = []
    for _ in range(3):
        reserved = writer.reserve(length, 61_000.5)
        writer.write(reserved, np.array([content.ctypes.data], np.int64), length, 5)
        packs.append(reserved.pack)
    maps = [reader.map(packs[0]), reader.map(packs[1])]
    for seconds, pack in enumerate(packs[:2], 1):
        os.utime(place.cache / pack, (seconds, seconds))
    reader.map(packs[0])
    maps.append(reader.map(packs[2]))
    assert {path.name for path in place.cache.iterdir()} == {packs[0], packs[2]}
    assert len({len(memory) for memory in maps}) == 1
    assert maps[1][:8].tobytes() == b"LSRPACK1"  # what was mapped stays readable
    bucket.objects.all().delete()
    assert reader.read(packs[2], 4096, 10) == bytes(10)  # from the cache
    with pytest.raises(ArchiveCorruptError):
        reader.read(packs[1], 4096, 10)


def test_copying_to_a_bucket_and_tidying_there(site: Places, place: PackPlace, bucket: Any) -> None:
    packets = [packet(number) for number in range(1, 4)]
    with site("local") as local, PostgreSQLArchive(site.url("remote"), place) as remote:
        local.write([batch_of(packets)])
        copied = copy_archive(local, remote)
        assert copied.pack_bytes == sum(entry.size for entry in bucket.objects.all())
        assert copy_archive(local, remote).pack_bytes == 0
        assert remote.cutout(20, "Science") == packet(2).image("Science")
        assert remote.check() == []


def test_images_go_and_packets_stay(site: Places, place: PackPlace, bucket: Any, data: Path) -> None:
    store = SchemaStore(folders=(data / "lsst/schemas",))
    found = [decode(messages, store)[0] for messages in read_files([data / "lsst/wire_v10"])]
    batches = [batch for some in found for batch in some]
    with PostgreSQLArchive(site.url(), place) as archive:
        archive.write(batches)
        keys = ask(archive, "SELECT diaSourceId FROM cutouts").column(0).to_pylist()
        before = {key: archive.alert_bytes(key) for key in keys}
        old = set(names(bucket))
        done = tidy_archive(archive, Retention({"lsst": 30}, {}), mjd_tai_now() + 40)
        assert (done.images, done.failed) == (len(keys), {})
        assert set(names(bucket)).isdisjoint(old)
        for key in keys:
            assert archive.cutout(key, "Science") is None
            after, was = archive.alert_bytes(key), before[key]
            assert after is not None
            assert was is not None
            assert 0 < len(after[0]) < len(was[0])
        assert archive.check() == []


# Uniting


NIGHT = [packet(number) for number in range(1, 7)]
WHOLE = 1024**2


@pytest.fixture
def night(site: Places, place: PackPlace) -> Iterator[Archive]:
    """An archive to which each alert came in a batch of its own, and so has a pack of its own."""
    with PostgreSQLArchive(site.url(), place) as archive:
        for sent in NIGHT:
            archive.write([batch_of([sent])])
        yield archive


def united(archive: Archive, pack_bytes: int = WHOLE) -> United:
    """When the night is over."""
    return unite_packs(archive, pack_bytes, mjd_tai_now() + 2)


def tidied(archive: Archive) -> None:
    tidy_archive(archive, Retention({}, {}), mjd_tai_now() + 3)


def see_all(archive: Archive) -> None:
    """Every alert and image is what was sent."""
    for sent in NIGHT:
        stored = archive.alert_bytes(sent.diaSourceId)
        assert stored is not None
        assert stored[0] == sent.datum()
        for which in ("Difference", "Science", "Template"):
            assert archive.cutout(sent.diaSourceId, which) == sent.image(which)
    replayed = [
        number for some in archive.replay() for number in some.alerts.column("diaSourceId").to_pylist()
    ]
    assert sorted(replayed) == [sent.diaSourceId for sent in NIGHT]
    assert not [finding for finding in archive.check() if finding.severity == "error"]


def test_small_packs_of_a_night_become_a_large_one(
    night: Archive, site: Places, place: PackPlace, bucket: Any
) -> None:
    with PostgreSQLArchive(site.url(), place) as reader:
        see_all(reader)
        size = sum(entry.size for entry in bucket.objects.all())
        assert united(night) == United(6, 1, size, {})
        assert len(names(bucket)) == 7  # who is reading the old ones may go on
        see_all(reader)
        tidied(night)
        assert len(names(bucket)) == 1
        assert sum(entry.size for entry in bucket.objects.all()) == size
        see_all(reader)
    assert night.check() == []
    assert united(night) == United(0, 0, 0, {})
    assert night.write([batch_of(NIGHT)]).duplicates == 6
    late = packet(7)
    night.write([batch_of([late])])
    assert united(night).packs == 2
    assert night.cutout(late.diaSourceId, "Science") == late.image("Science")


def test_united_packs_are_as_large_as_they_may_be(night: Archive, bucket: Any) -> None:
    (length,) = {entry.size for entry in bucket.objects.all()}
    assert united(night, 2 * length).packs == 0  # each is half of that already
    done = united(night, 4 * length)
    assert (done.packs, done.into) == (6, 2)
    assert sorted(size for size in night.packs().lengths.values() if size) == [2 * length, 4 * length]
    see_all(night)


def test_a_night_that_is_not_over_is_left_alone(night: Archive, bucket: Any) -> None:
    before = names(bucket)
    assert unite_packs(night, WHOLE, mjd_tai_now()) == United(0, 0, 0, {})
    assert names(bucket) == before


@pytest.mark.parametrize("step", ["reading", "written", "committed"])
def test_uniting_that_is_broken_off_goes_on(
    night: Archive, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if step == "reading":
        read = BucketReader.read
        left = iter(range(3))

        def some(self: BucketReader, pack: str, offset: int, length: int) -> bytes:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return read(self, pack, offset, length)

        monkeypatch.setattr(BucketReader, "read", some)
    else:
        unite = night.unite_packs

        def broken(*arguments: Any) -> None:
            if step == "committed":
                unite(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(night, "unite_packs", broken)
    with pytest.raises(KeyboardInterrupt):
        united(night)
    monkeypatch.undo()
    see_all(night)
    assert united(night).packs == (0 if step == "committed" else 6)
    see_all(night)
    monkeypatch.setattr("lasair_broker.archive.packs._bucket._SETTLED", timedelta(hours=-1))
    night.compact(remove_unknown_packs=True)  # what was written and not pointed to
    tidied(night)
    see_all(night)
    assert night.check() == []
    assert len(night.packs().lengths) == 1


def test_a_damaged_pack_is_not_united(night: Archive, bucket: Any) -> None:
    key = sorted(names(bucket))[2]
    entry = bucket.Object(key)
    content = bytearray(entry.get()["Body"].read())
    content[4096] ^= 0xFF
    entry.put(Body=bytes(content))
    done = united(night)
    assert done.packs == 5
    (reason,) = done.failed.values()
    assert "not what was written" in reason
    tidied(night)
    assert key in names(bucket)
    assert night.cutout(NIGHT[3].diaSourceId, "Science") == NIGHT[3].image("Science")


def test_what_is_moved_while_it_is_being_read_is_found(
    night: Archive, site: Places, place: PackPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgreSQLArchive(site.url(), place) as reader:
        read = reader._reader.read

        def late(pack: str, offset: int, length: int) -> bytes:
            if united(night).packs:
                tidied(night)
            return read(pack, offset, length)

        monkeypatch.setattr(reader._reader, "read", late)
        assert reader.cutout(30, "Science") == NIGHT[2].image("Science")


def test_settings_name_the_bucket(
    site: Places, place: PackPlace, endpoint: str, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "URL": site.url(),
        "PACKS": place.where,
        "PACK_CACHE": str(place.cache),
        "S3_ENDPOINT": endpoint,
        "S3_KEY": "some",
        "S3_SECRET": "thing",
        "KEEP_ALERTS_DAYS": '{"lsst": 30}',
    }.items():
        monkeypatch.setenv(f"LASAIR_ARCHIVE__{name}", value)
    settings = load().archive
    assert "thing" not in repr(PackPlace.of(settings))
    with open_archive(settings) as archive:
        archive.write([batch_of([packet(1)])])
        assert archive.cutout(10, "Science") == packet(1).image("Science")
        now = "lasair_broker.cli._archive.mjd_tai_now"
        monkeypatch.setattr(now, lambda: 99_000.0)
        done = CliRunner().invoke(app, ["archive", "tidy"])
        assert done.exit_code == 0, done.output
        assert names(bucket) == []
        assert ask(archive, "SELECT pack FROM alerts").column(0).to_pylist() == [None]
        assert archive.check() == []


def test_an_address_that_nothing_reads_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="packs cannot be kept at"):
        PackPlace("nowhere://bucket/x", tmp_path).reader()
