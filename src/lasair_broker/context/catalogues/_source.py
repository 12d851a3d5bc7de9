"""Where a catalogue is imported from: a file, files, or a HATS folder, here or far away."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem

from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = [
    "CHUNK_ROWS",
    "Chunk",
    "Reader",
    "Source",
    "SourceFile",
    "fetched",
    "open_source",
    "problem_reading",
    "unpacked",
]

CHUNK_ROWS = 1 << 18

_COPY_BYTES = 8 * 1024**2
_PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes
    ----------
    path
        As its file system names it.
    shown
        As people know it, in messages.
    bytes
        Its size, 0 if that is not known.
    stamp
        Changes if the file does: size, and time or tag if there is one.
    """

    path: str
    shown: str
    bytes: int
    stamp: str


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file, as they stand there.

    Attributes
    ----------
    table
        The columns that were asked for.
    rows
        Number of the first row, from 1 (of a text file: of its line), or those of all rows.
    next_at, next_row
        Where the reader goes on after this chunk, a number only it understands; and the row's number there.
    share
        Of the file that is read by then.
    """

    table: pa.Table
    rows: int | list[int]
    next_at: int
    next_row: int
    share: float

    def row_number(self, i: int) -> int:
        """The number of row i of the table, in the file."""
        return self.rows + i if isinstance(self.rows, int) else self.rows[i]


class Reader(Protocol):
    """Reads one file."""

    places: str
    """What numbers count: "line" or "row"."""

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""

    @property
    def units(self) -> Mapping[str, str]:
        """Units that the file states, by column."""

    def chunks(self, columns: list[str], at: int, row: int) -> Iterator[Chunk]:
        """Chunks from place `at`, where row `row` is, to the end of the file; 0 and 0 is its beginning."""


@dataclass(frozen=True)
class Source:
    """What `open_source` found.

    Attributes
    ----------
    name
        As it was given.
    files
        In the order in which they are read.
    filesystem
        The fsspec file system they are on.
    position
        Names of the columns of right ascension and declination, if the source says.
    """

    name: str
    files: tuple[SourceFile, ...]
    filesystem: Any
    position: tuple[str, str] | None = None

    @property
    def local(self) -> bool:
        """Whether its files are on this machine."""
        return isinstance(self.filesystem, LocalFileSystem)

    def open(self, file: SourceFile) -> BinaryIO:
        """Open a file, unpacked if it is packed (by its name: .gz, .bz2, .xz, .zip)."""
        return cast(BinaryIO, self.filesystem.open(file.path, "rb", compression="infer"))


def open_source(name: str) -> Source:
    """Find the files of a source.

    Parameters
    ----------
    name
        A path or URL (https, s3, gs … whatever fsspec knows) of a file; of a folder in HATS layout, or of
        files of one kind; or a pattern with ``*``.

    Raises
    ------
    CatalogueError
        If there is nothing, or it cannot be reached.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(name)
    except ImportError as error:
        raise CatalogueError(f"cannot read {name}: {error}") from None
    except ValueError as error:
        raise CatalogueError(
            f"cannot read {name}: {error}; give a path, or a URL such as https://…"
        ) from None
    try:
        if "*" in path:
            paths = sorted(filesystem.glob(path))
            return _listed(name, filesystem, [p for p in paths if not filesystem.isdir(p)])
        properties = _hats_properties(filesystem, path)
        if properties is not None:
            return _hats(name, filesystem, path, properties)
        if filesystem.isdir(path):
            paths = [p for p in sorted(filesystem.find(path)) if not _hidden(p)]
            return _listed(name, filesystem, paths)
        return _listed(name, filesystem, [path])
    except Exception as error:
        raise problem_reading(name, error) from None


def _hidden(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith((".", "_"))


def _listed(name: str, filesystem: Any, paths: list[str], position: tuple[str, str] | None = None) -> Source:
    if not paths:
        raise CatalogueError(f"{name} holds no files")
    files = []
    for path in paths:
        info = filesystem.info(path)
        tag = next(
            (info[key] for key in ("ETag", "etag", "mtime", "LastModified", "updated") if info.get(key)), ""
        )
        size = int(info.get("size") or 0)
        files.append(SourceFile(path, path if len(paths) > 1 else name, size, f"{size} {tag}"))
    return Source(name, tuple(files), filesystem, position)


def _hats_properties(filesystem: Any, path: str) -> dict[str, str] | None:
    """What the properties file of a HATS folder says (HATS specification, section "properties")."""
    if path.lower().endswith((".csv", ".parquet", ".fits", ".vot", ".xml", ".txt", ".dat", *_PACKED)):
        return None
    for file in ("collection.properties", "hats.properties", "properties"):
        try:
            text = filesystem.cat_file(f"{path.rstrip('/')}/{file}").decode("utf-8")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
        return {key.strip(): value.strip() for key, equals, value in lines if equals}
    return None


def _hats(name: str, filesystem: Any, path: str, properties: Mapping[str, str]) -> Source:
    root = path.rstrip("/")
    inner = properties.get("hats_primary_table_url")
    if inner:  # a collection: the catalogue itself is one of its folders
        root = f"{root}/{inner.strip('/')}"
        properties = _hats_properties(filesystem, root) or {}
    ra, decl = properties.get("hats_col_ra"), properties.get("hats_col_dec")
    position = (ra, decl) if ra and decl else None
    try:
        rows = csv.DictReader(io.StringIO(filesystem.cat_file(f"{root}/partition_info.csv").decode("utf-8")))
        cells = sorted((int(row["Norder"]), int(row["Npix"])) for row in rows)
    except (FileNotFoundError, KeyError, ValueError):
        paths = [
            p for p in sorted(filesystem.find(f"{root}/dataset")) if p.endswith(".parquet") and not _hidden(p)
        ]
        return _listed(name, filesystem, paths, position)
    paths = []
    for order, cell in cells:
        leaf = f"{root}/dataset/Norder={order}/Dir={cell // 10_000 * 10_000}/Npix={cell}"
        inside = [] if filesystem.exists(f"{leaf}.parquet") else sorted(filesystem.find(leaf))
        paths += [p for p in inside if not _hidden(p)] or [f"{leaf}.parquet"]
    return _listed(name, filesystem, paths, position)


def problem_reading(name: str, error: Exception) -> CatalogueError:
    """The error to raise for one met while reading."""
    if isinstance(error, CatalogueError):
        return error
    if isinstance(error, FileNotFoundError):
        return CatalogueError(f"there is no {name}")
    if isinstance(error, EOFError):
        return CatalogueError(f"{name} ends too early; fetch it again")
    what = str(error) or type(error).__name__
    return CatalogueError(f"cannot read {name}: {what}")


def fetched(
    source: Source, file: SourceFile, folder: Path, tell: Callable[[float], None]
) -> tuple[Source, SourceFile]:
    """A file on this machine, as it is: itself, or a copy in `folder`.

    What is far away is copied whole, as not every server lets a file be read from its middle.
    """
    if source.local:
        return source, file
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / file.path.rstrip("/").rsplit("/", 1)[-1]
    if not copy.exists():
        beside = copy.with_name(f"{copy.name}.new")

        def told(size: int | None, value: int, **_: object) -> None:
            tell(min(value / size, 1.0) if size else 0.0)

        source.filesystem.get_file(file.path, str(beside), callback=fsspec.Callback(hooks={"tell": told}))
        beside.replace(copy)
    here = Source(source.name, (), LocalFileSystem())
    return here, dataclasses.replace(file, path=str(copy))


def unpacked(source: Source, file: SourceFile, folder: Path, tell: Callable[[float], None]) -> Path:
    """A file on this machine and unpacked, for readers that move about in it: itself or a copy."""
    source, file = fetched(source, file, folder, tell)
    if not file.path.lower().endswith(_PACKED):
        return Path(file.path)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"unpacked-{Path(file.path).stem}"
    if not copy.exists():
        beside = copy.with_name(f"{copy.name}.new")
        with source.open(file) as incoming, beside.open("wb") as out:
            shutil.copyfileobj(incoming, out, _COPY_BYTES)
        beside.replace(copy)
    return copy
