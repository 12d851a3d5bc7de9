"""Making few large objects of the many small ones that a night leaves in an object store.

There each batch of each schema is an object of its own, as objects cannot be appended to. Once a night is
over they are written one after the other into larger ones (a pack is a sequence of frames, so that nothing in
them changes), the rows that point into them are moved in one transaction for each new object, and the next
run removes the old ones: whoever is reading them meanwhile is not disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from .errors import ArchiveCorruptError, ArchiveError
from .interface import Archive
from .packs import PackReader, PackWriter, damaged, frames, fresh_name, night_of
from .records import Progress

__all__ = ["United", "unite_packs"]


@dataclass(frozen=True, slots=True)
class United:
    """What was done: so many packs were united into so many, of so many bytes; and those that could not be
    read, with the reasons."""

    packs: int
    into: int
    bytes: int
    failed: Mapping[str, str]


def unite_packs(archive: Archive, pack_bytes: int, mjd: float, progress: Progress | None = None) -> United:
    """Unite the small packs of nights that are over, if they lie in an object store. Broken off, the next
    call goes on; what it leaves is at most an object that nobody points to (`Archive.unknown_packs`).

    Packs of half that size and more stay as they are.

    Parameters
    ----------
    archive
        The archive; others may write to it and read from it meanwhile.
    pack_bytes
        How large united packs become at most, bytes.
    mjd
        Now, MJD in days.
    progress
        Is told how far it is.
    """
    packs = archive.packs()
    if not packs.place.is_remote:  # in a folder, packs grow to their size by themselves
        return United(0, 0, 0, {})
    groups = list(_groups(packs.lengths, pack_bytes, mjd))
    done = into = size = 0
    failed: dict[str, str] = {}
    with closing(packs.place.reader()) as reader, closing(packs.place.writer({}, pack_bytes)) as writer:
        for number, group in enumerate(groups):
            name = fresh_name(night_of(group[0]) + 0.75)
            if progress is not None:
                progress(name, number / len(groups))
            joined = _Joined(reader, {part: packs.lengths[part] for part in group})
            _put(writer, name, joined)
            failed |= joined.failed
            if len(joined.begin) < 2:
                writer.remove([name])
                continue
            reader.read(name, joined.end - 1, 1)  # it is as long as it should be
            # From here on it stays: a connection that is lost may have committed.
            archive.unite_packs(name, joined.end, joined.begin)
            done += len(joined.begin)
            into += 1
            size += joined.end
    if progress is not None:
        progress("done", 1.0)
    return United(done, into, size, failed)


def _groups(lengths: Mapping[str, int], pack_bytes: int, mjd: float) -> Iterator[list[str]]:
    """Small packs that together are large, each group of one night, in the order in which they came."""
    small = sorted(
        name for name, length in lengths.items() if 0 < length < pack_bytes / 2 and night_of(name) + 1.5 < mjd
    )
    for _, names in groupby(small, night_of):
        group: list[str] = []
        total = 0
        for name in names:
            if group and total + lengths[name] > pack_bytes:
                yield group
                group, total = [], 0
            group.append(name)
            total += lengths[name]
        if len(group) > 1:
            yield group


class _Joined:
    """The bytes of packs one after the other, without those that are not what was written.

    Attributes
    ----------
    begin
        Where each of those begins that have been given.
    end
        Bytes that have been given.
    failed
        The others, with the reasons.
    """

    def __init__(self, reader: PackReader, lengths: Mapping[str, int]) -> None:
        self._reader = reader
        self._lengths = lengths
        self.begin: dict[str, int] = {}
        self.end = 0
        self.failed: dict[str, str] = {}

    def __iter__(self) -> Iterator[bytes]:
        for name, length in self._lengths.items():
            try:
                content = self._reader.read(name, 0, length)
                _see_to_be_sound(name, content)
            except ArchiveCorruptError as error:
                self.failed[name] = str(error)
                continue
            self.begin[name] = self.end
            self.end += length
            yield content


def _see_to_be_sound(name: str, content: bytes) -> None:
    memory = np.frombuffer(content, np.uint8)
    end = lost = 0
    for frame in frames(memory):
        end = frame.end
        lost += len(damaged(memory, frame))
    if end != len(content):
        raise ArchiveCorruptError(f"pack {name} has no readable frames from byte {end} on")
    if lost:
        raise ArchiveCorruptError(f"{lost} alerts in pack {name} are not what was written")


def _put(writer: PackWriter, name: str, joined: _Joined) -> None:
    """Write a pack; what an error leaves of it is removed."""
    try:
        writer.add(name, joined)
    except BaseException:
        with suppress(ArchiveError, OSError):
            writer.remove([name])
        raise
