"""Killed at any moment, or without room on the disk, an archive keeps what it said it had, and doubles
nothing."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_places import Places, pack_writer
from asking import ask
from crash_worker import packets
from packets_model import Model, agree, batch_of

from lasair_broker.archive import ArchiveFullError, open_archive
from lasair_broker.archive.duckdb import DuckDBArchive

WORKER = Path(__file__).with_name("crash_worker.py")


def run_and_kill(places: Places, mode: str, numbers: random.Random) -> int:
    """Let a worker write a few batches, and kill it; the last batch that it said was committed."""
    packs = places.folder / "archive" / "packs"
    command = [sys.executable, str(WORKER), places.url(), str(packs), *([mode] if mode else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        said = 0
        before = time.monotonic()
        took = 0.5
        for _ in range(1 + numbers.randrange(5)):
            line = worker.stdout.readline()
            took, before = time.monotonic() - before, time.monotonic()
            said = int(line) if line != "open\n" else said
        time.sleep(numbers.uniform(0.0, 1.2 * min(took, 2.0)))
        worker.kill()
        return max([said, *(int(line) for line in worker.stdout.read().splitlines() if line != "open")])


def assert_whole(places: Places, model: Model, written: int, said: int) -> int:
    """Assert that the archive holds whole batches, all that were acknowledged; how many."""
    with places() as archive:
        committed = archive.positions().get(("alerts", 0), 0)
        assert said <= committed <= max(said, written) + 1 or said == 0
        for number in range(written, committed):
            model.write(packets(number))
        agree(archive, model, (1, 17, 40))
        # A crash between the beginning of a pack and the first commit in it leaves a file that nobody knows.
        # Workers that share a folder leave each other's packs as they are, ends that do not count included.
        found = archive.check()
        assert {finding.severity for finding in found} <= {"warning"}
        if archive.engine == "duckdb":
            assert {finding.place for finding in found} == set(archive.unknown_packs())
        alerts = ask(
            archive, "SELECT count(*) AS n, count(DISTINCT diaSourceId) AS m FROM alerts"
        ).to_pylist()
        assert alerts == [{"n": 40 * committed, "m": 40 * committed}]
    return committed


def kills(places: Places, mode: str, count: int, seed: int) -> None:
    numbers = random.Random(seed)
    model = Model()
    written = 0
    for _ in range(count):
        said = run_and_kill(places, mode, numbers)
        written = assert_whole(places, model, written, said)
    assert written > 0
    with places() as archive:
        archive.compact(remove_unknown_packs=True)
        assert archive.unknown_packs() == {}
        assert archive.engine == "postgresql" or archive.check() == []
        agree(archive, model, (1, 17, 40))


@pytest.mark.parametrize("mode", ["", "compact"])
def test_killed_now_and_then(places, mode):
    kills(places, mode, 2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["", "compact"])
def test_killed_again_and_again(places, mode):
    kills(places, mode, 10, 2)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[tuple[Path, str]]:
    """A folder on a file system with little room (root only), or, for others, files that cannot grow
    large."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    if mounted:
        yield folder, "mount"
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, limits[1]))
    yield folder, "limit"
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk(small_disk):
    """Batches go in until the disk is full; then each is refused whole, and with room again it goes in."""
    folder, kind = small_disk
    model = Model()
    with DuckDBArchive(folder / "archive", threads=1, pack_bytes=1 << 22) as archive:
        ballast = folder / "ballast"
        if kind == "mount":
            room = os.statvfs(folder)
            ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - (1 << 20))))
        number = 0
        while number < 1000:
            try:
                archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
            except ArchiveFullError:
                break
            model.write(packets(number))
            number += 1
        assert 0 < number < 1000
        for _ in range(3):
            with pytest.raises(ArchiveFullError):
                archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
            assert archive.positions() == {("alerts", 0): number}
            agree(archive, model, (1, 40))
        if kind == "mount":
            ballast.unlink()
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
        model.write(packets(number))
        agree(archive, model, (1, 40))
        assert archive.check() == []
    with open_archive(folder / "archive") as again:
        assert again.positions() == {("alerts", 0): number + 1}
        assert again.check() == []


@pytest.mark.parametrize("failing", ["pwrite", "fdatasync", "open"])
def test_a_disk_that_fails_under_the_packs(archive, monkeypatch, failing):
    archive.write([batch_of(packets(0))], None, {("alerts", 0): 1})
    sizes = archive._reader.sizes()
    pack_writer(archive)._pack_bytes = 1 if failing == "open" else 1 << 30

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"lasair_broker.archive.packs._writer.os.{failing}", full)
    with pytest.raises(ArchiveFullError):
        archive.write([batch_of(packets(1))], None, {("alerts", 0): 2})
    monkeypatch.undo()
    assert archive._reader.sizes() == sizes
    assert archive.positions() == {("alerts", 0): 1}
    archive.write([batch_of(packets(1))], None, {("alerts", 0): 2})
    assert archive.check() == []


def test_packs_newer_than_the_back_up_are_kept_until_somebody_says_so(tmp_path):
    """An archive whose database is put back begins new packs beside those that it does not know."""
    folder = tmp_path / "archive"
    with DuckDBArchive(folder, threads=1, pack_bytes=1) as archive:
        archive.write([batch_of(packets(0))], None, {("alerts", 0): 1})
    back_up = (folder / "archive.duckdb").read_bytes()
    with DuckDBArchive(folder, threads=1, pack_bytes=1) as archive:
        for number in (1, 2):
            archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
    newer = {path.name: path.read_bytes() for path in (folder / "packs").iterdir()}
    (folder / "archive.duckdb").write_bytes(back_up)
    for number in (1, 2):  # opened again and again, as after crashes
        with DuckDBArchive(folder, threads=1, pack_bytes=1) as archive:
            archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
    for name, content in newer.items():
        assert (folder / "packs" / name).read_bytes() == content
    model = Model()
    for number in range(3):
        model.write(packets(number))
    with DuckDBArchive(folder, threads=1, pack_bytes=1) as archive:
        agree(archive, model, (1, 40))
        unknown = archive.unknown_packs()
        assert unknown == {name: len(content) for name, content in sorted(newer.items())[1:]}
        assert {(finding.severity, finding.place) for finding in archive.check()} == {
            ("warning", name) for name in unknown
        }
        archive.compact()
        assert archive.unknown_packs() == unknown
        archive.compact(remove_unknown_packs=True)
        assert archive.unknown_packs() == {}
        assert archive.check() == []
        agree(archive, model, (1, 40))
        assert len(list(archive.replay())) == 3
