"""Packs: what is appended is read back, and crashes, full disks and flipped bits are told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.archive import ArchiveCorruptError
from lasair_broker.archive.packs import FolderReader, FolderWriter, same_bytes

MJD = 61_000.7


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def places(datums: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    memory = [np.frombuffer(datum, np.uint8) for datum in datums]
    return (
        np.array([part.ctypes.data for part in memory], np.int64),
        np.array([len(part) for part in memory], np.int64),
    )


def append(writer: FolderWriter, datums: list[bytes], mjd: float = MJD, fingerprint: int = 5):
    address, length = places(datums)
    place = writer.reserve(length, mjd)
    writer.write(place, address, length, fingerprint)
    return place


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9000), min_size=1, max_size=30), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_what_is_appended_is_read_back(tmp_path_factory, sizes, seed):
    folder = tmp_path_factory.mktemp("packs")
    random = np.random.default_rng(seed)
    writer, reader = FolderWriter(folder, {}, 1 << 20), FolderReader(folder)
    frames = []
    for number, lengths in enumerate(sizes):
        datums = [random.bytes(length) for length in lengths]
        place = append(writer, datums, fingerprint=number - 1)
        writer.commit()
        frames.append((place, datums))
        assert writer.extent == (place.pack, place.end)
    found = {pack: list(reader.frames(pack)) for pack in reader.sizes()}
    for number, (place, datums) in enumerate(frames):
        for offset, datum in zip(place.offset, datums, strict=True):
            assert reader.read(place.pack, int(offset), len(datum)) == datum
        (frame,) = [frame for frame in found[place.pack] if frame.start == place.start]
        assert frame.end == place.end
        assert frame.fingerprint == number - 1
        assert frame.offset.tolist() == place.offset.tolist()
        assert frame.length.tolist() == [len(datum) for datum in datums]
        assert not len(reader.damaged(place.pack, frame))
    assert sum(map(len, found.values())) == len(frames)
    writer.close()
    reader.close()


def test_datums_larger_than_the_buffer_and_many_small_ones(tmp_path):
    random = np.random.default_rng(1)
    datums = [random.bytes(11_000_000), b"", random.bytes(3), *(bytes([n % 256]) for n in range(70_000))]
    writer, reader = FolderWriter(tmp_path, {}, 1 << 30), FolderReader(tmp_path)
    place = append(writer, datums)
    for n in (0, 1, 2, 3, 70_002):
        assert reader.read(place.pack, int(place.offset[n]), len(datums[n])) == datums[n]
    (frame,) = reader.frames(place.pack)
    assert not len(reader.damaged(place.pack, frame))


def test_packs_end_with_their_size_and_with_the_night(tmp_path):
    writer = FolderWriter(tmp_path, {}, 20_000)
    noon = 61_000.5
    packs = [append(writer, [b"x" * 6000], noon + day).pack for day in (-0.01, 0.01, 0.02, 0.9, 1.01)]
    assert packs[0] != packs[1]
    assert packs[1] == packs[2] != packs[3] != packs[4]  # two of these fill a pack
    assert [name.split("-")[1] for name in packs] == ["60999", "61000", "61000", "61000", "61001"]


def test_without_a_commit_the_next_start_cuts_it_off(tmp_path):
    writer = FolderWriter(tmp_path, {}, 1 << 20)
    first = append(writer, [b"kept"])
    writer.commit()
    append(writer, [b"lost" * 5000])
    assert (tmp_path / first.pack).stat().st_size > first.end
    again = FolderWriter(tmp_path, {first.pack: first.end}, 1 << 20)
    assert (tmp_path / first.pack).stat().st_size == first.end
    second = append(again, [b"new"])
    assert (second.pack, second.start) == (first.pack, first.end)
    assert FolderReader(tmp_path).read(first.pack, int(first.offset[0]), 4) == b"kept"


def test_rollback_takes_new_packs_away(tmp_path):
    writer = FolderWriter(tmp_path, {}, 1)
    first = append(writer, [b"kept"])
    writer.commit()
    for _ in range(3):
        append(writer, [b"lost"])
    assert len(FolderReader(tmp_path).sizes()) == 4
    writer.rollback({first.pack: first.end})
    assert FolderReader(tmp_path).sizes() == {first.pack: first.end}
    # The next one is again number two.
    assert append(writer, [b"more"]).pack.endswith("-000002.pack")


def test_a_pack_that_nobody_knows_is_left_alone(tmp_path):
    """A crash may have left it, but it may also be newer than a back-up from which the database was
    restored."""
    writer = FolderWriter(tmp_path, {}, 1)
    first = append(writer, [b"kept"])
    left = append(writer, [b"z" * 50_000])
    again = FolderWriter(tmp_path, {first.pack: first.end}, 1)
    second = append(again, [b"new"])
    assert second.pack not in (first.pack, left.pack)
    assert FolderReader(tmp_path).sizes()[left.pack] == left.end
    again.rollback({first.pack: first.end})
    assert set(FolderReader(tmp_path).sizes()) == {first.pack, left.pack}


def test_a_pack_that_lost_its_end_is_left_alone(tmp_path):
    writer = FolderWriter(tmp_path, {}, 1 << 20)
    first = append(writer, [b"kept" * 3000])
    os.truncate(tmp_path / first.pack, 4096)
    again = FolderWriter(tmp_path, {first.pack: first.end}, 1 << 20)
    second = append(again, [b"new"])
    assert second.pack != first.pack
    assert (tmp_path / first.pack).stat().st_size == 4096
    with pytest.raises(ArchiveCorruptError):
        FolderReader(tmp_path).read(first.pack, int(first.offset[0]), 12_000)


def test_flipped_bits_are_found(tmp_path):
    random = np.random.default_rng(3)
    writer, reader = FolderWriter(tmp_path, {}, 1 << 20), FolderReader(tmp_path)
    place = append(writer, [random.bytes(size) for size in (1000, 7, 50_000, 33)])
    following = append(writer, [b"after"])
    path = tmp_path / place.pack
    whole = path.read_bytes()
    for datum, byte in ((0, 0), (1, 6), (2, 49_999), (2, 31), (3, 32)):
        damaged = bytearray(whole)
        damaged[int(place.offset[datum]) + byte] ^= 16
        path.write_bytes(damaged)
        first, second = reader.frames(place.pack)
        assert reader.damaged(place.pack, first).tolist() == [datum]
        assert not len(reader.damaged(place.pack, second))
    for byte in (0, 9, 17, 25, 33, 41, 75):  # anywhere in the header: the frame cannot be trusted
        damaged = bytearray(whole)
        damaged[place.start + byte] ^= 1
        path.write_bytes(damaged)
        assert reader.frames(place.pack) == []
    path.write_bytes(whole[: int(following.offset[0]) + 4])
    assert len(reader.frames(place.pack)) == 1


def test_names_lead_nowhere_else(tmp_path):
    reader = FolderReader(tmp_path)
    for name in ("../secret.pack", "/etc/passwd", "raw.txt", "missing.pack"):
        with pytest.raises(ArchiveCorruptError):
            reader.read(name, 0, 1)
        with pytest.raises(ArchiveCorruptError):
            reader.map(name)


def test_a_file_system_without_direct_writes(tmp_path, monkeypatch):
    """Opening with O_DIRECT is refused there: ordinary writes do the same."""
    ordinary = os.open

    def refusing(path, flags, *more, **named):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return ordinary(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refusing)
    writer = FolderWriter(tmp_path, {}, 1 << 20)
    place = append(writer, [b"some", b"datums"])
    monkeypatch.undo()
    assert FolderReader(tmp_path).read(place.pack, int(place.offset[1]), 6) == b"datums"


def test_equal_bytes():
    left = [b"abcdefgh", b"abc", b"", b"x" * 100_000]
    right = [b"abcdefgi", b"abc", b"", b"x" * 99_999 + b"y"]
    address, length = places(left)
    other, _ = places(right)
    assert same_bytes(address, other, length).tolist() == [False, True, True, False]


def test_files_kept_open_are_few(tmp_path: Path):
    writer, reader = FolderWriter(tmp_path, {}, 1), FolderReader(tmp_path)
    placed = [append(writer, [f"datum {n}".encode()]) for n in range(80)]
    before = open_files()
    for n, place in enumerate(placed):
        assert reader.read(place.pack, int(place.offset[0]), 7 + (n > 9)) == f"datum {n}".encode()
    assert open_files() - before <= 64
    reader.close()
    assert open_files() <= before
