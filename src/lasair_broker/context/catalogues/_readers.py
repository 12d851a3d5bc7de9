"""Which reader a file needs, told from its beginning."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from lasair_broker.context.catalogues._description import TextFormat
from lasair_broker.context.catalogues._read_binary import FitsReader, ParquetReader, VOTableReader
from lasair_broker.context.catalogues._read_text import TextReader
from lasair_broker.context.catalogues._source import (
    Reader,
    Source,
    SourceFile,
    fetched,
    open_source,
    problem_reading,
    unpacked,
)
from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = ["reader_for", "source_columns"]


def reader_for(
    source: Source, file: SourceFile, text: TextFormat, copies: Path, tell: Callable[[float], None]
) -> Reader:
    """Open a file.

    Parameters
    ----------
    source, file
        What to read.
    text
        How it is written, if it is text.
    copies
        Where to put a copy of a far-away or packed file that its reader must move about in.
    tell
        Called with the share of the copy that is made.

    Raises
    ------
    CatalogueError
        If it is not there, or not of a kind that can be read.
    """
    try:
        with source.open(file) as stream:
            head = stream.read(512)
        if not head:
            raise CatalogueError(f"{file.shown} is empty")
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if head.startswith(b"PAR1"):
            if file.path.lower().endswith(".parquet"):  # only the columns that are needed are fetched
                return ParquetReader(source.filesystem.open(file.path, "rb"), file.shown)
            return ParquetReader(unpacked(source, file, copies, tell), file.shown)
        if head.startswith(b"SIMPLE  ="):
            return FitsReader(unpacked(source, file, copies, tell), file.shown)
        if start.startswith((b"<?xml", b"<VOTABLE", b"<!--", b"<votable")):
            return VOTableReader(unpacked(source, file, copies, tell), file.shown)
        return TextReader(*fetched(source, file, copies, tell), text)
    # A file system may raise anything: connections, codecs, permissions.
    except Exception as error:
        raise problem_reading(file.shown, error) from None


def source_columns(name: str, text: TextFormat | None = None) -> dict[str, str]:
    """Names of the columns of a source's first file, each with the unit it states, or nothing.

    Raises
    ------
    CatalogueError
        If it cannot be read.
    """
    source = open_source(name)
    with tempfile.TemporaryDirectory() as copies:
        reader = reader_for(source, source.files[0], text or TextFormat(), Path(copies), lambda _share: None)
        return {column: reader.units.get(column, "") for column in reader.columns}
