"""Catalogues as text: CSV and its relatives, read a block of lines at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.csv

from lasair_broker.context.catalogues._description import TextFormat
from lasair_broker.context.catalogues._source import Chunk, Source, SourceFile
from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = ["TextReader"]

_BLOCK_BYTES = 32 * 1024**2
_LONGEST_LINE = 16 * 1024**2
_DELIMITERS = (b"|", b"\t", b";", b",")


class TextReader:
    """Reads a text file with a line of column names, or with names given beside it.

    The delimiter is the one of ``| tab ; ,`` that the header has most of, else spaces. Every value is text
    here, trimmed, without its quotes. A field may not contain the end of a line.

    Raises
    ------
    CatalogueError
        If the file has no header, or a name twice.
    """

    places = "line"
    units: Mapping[str, str] = {}

    def __init__(self, source: Source, file: SourceFile, text: TextFormat) -> None:
        self._source, self._file, self._text = source, file, text
        self._comment = text.comment.encode()
        with source.open(file) as stream:
            number = 0
            for _ in range(text.skip):
                stream.readline(_LONGEST_LINE)
                number += 1
            self._start, self._start_line = stream.tell(), number + 1
            while True:
                line = stream.readline(_LONGEST_LINE)
                number += 1
                if not line:
                    raise CatalogueError(f"{file.shown} has no line of column names")
                if line.strip() and not (self._comment and line.startswith(self._comment)):
                    break
                self._start, self._start_line = stream.tell(), number + 1
            if text.header is None:
                self._start, self._start_line = stream.tell(), number + 1
        if b"\x00" in line:
            raise CatalogueError(f"{file.shown} is neither text nor FITS, VOTable or Parquet")
        self._delimiter = self._delimiter_of(line.removeprefix(b"\xef\xbb\xbf"))
        self._names = list(text.header) if text.header is not None else self._header(line)
        twice = sorted({name for name in self._names if self._names.count(name) > 1})
        if twice:
            raise CatalogueError(f"{file.shown} has two columns {', '.join(twice)}")

    def _delimiter_of(self, line: bytes) -> bytes:
        if self._text.delimiter is not None:
            return b" " if self._text.delimiter == "space" else self._text.delimiter.encode()
        best = max(_DELIMITERS, key=line.count)
        return best if best in line else b" "

    def _header(self, line: bytes) -> list[str]:
        cleaned = self._tidy(line.removeprefix(b"\xef\xbb\xbf"))
        options = pa.csv.ReadOptions(autogenerate_column_names=True)
        parsing = pa.csv.ParseOptions(delimiter=self._delimiter.decode())
        as_text = pa.csv.ConvertOptions(column_types={f"f{k}": pa.string() for k in range(10_000)})
        row = pa.csv.read_csv(pa.BufferReader(self._decoded(cleaned)), options, parsing, as_text)
        return [_bare(str(column[0].as_py())) for column in row.columns]

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return self._names

    def chunks(self, columns: list[str], at: int, row: int) -> Iterator[Chunk]:
        """Chunks from byte `at` of the unpacked file, where line `row` begins."""
        if at == 0:
            at, row = self._start, self._start_line
        size = self._file.bytes
        with self._source.open(self._file) as stream:
            stream.seek(at)
            while block := stream.read(_BLOCK_BYTES):
                block += stream.readline(_LONGEST_LINE)
                at += len(block)
                lines = block.count(b"\n") + (not block.endswith(b"\n"))
                numbers, kept = self._kept(block, row)
                table = self._parsed(kept, columns, numbers)
                yield Chunk(table, numbers, at, row + lines, min(at / size, 1.0) if size else 0.0)
                row += lines

    def _kept(self, block: bytes, first: int) -> tuple[int | list[int], bytes]:
        """The lines that hold rows, and the number of the first, or of each if some were left out."""
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        mark = self._comment
        if not (
            block.startswith((b"\n", *([mark] if mark else [])))
            or b"\n\n" in block
            or (mark and b"\n" + mark in block)
        ):
            return first, self._tidy(block)
        lines = block.split(b"\n")
        wanted = [k for k, line in enumerate(lines) if line.strip() and not (mark and line.startswith(mark))]
        return [first + k for k in wanted], self._tidy(b"\n".join([lines[k] for k in wanted]))

    def _tidy(self, block: bytes) -> bytes:
        """One delimiter between fields, and quotes right beside it."""
        mark = self._delimiter
        if mark == b" ":
            return re.sub(rb"(?m)^ | $", b"", re.sub(rb"[ \t]+", b" ", block))
        if mark + b' "' in block or b'" ' + mark in block:
            escaped = re.escape(mark)
            block = re.sub(rb"(?m)(^|" + escaped + rb')[ \t]+"', rb'\1"', block)
            return re.sub(rb'"[ \t]+(' + escaped + rb"|$)", rb'"\1', block, flags=re.MULTILINE)
        return block

    def _decoded(self, block: bytes) -> bytes:
        try:
            block.decode("utf-8")
        except UnicodeDecodeError:  # an old catalogue: each byte is a character
            return block.decode("latin-1").encode()
        return block

    def _parsed(self, block: bytes, columns: list[str], numbers: int | list[int]) -> pa.Table:
        if not block.strip():
            return pa.table({name: pa.array([], pa.string()) for name in columns})

        bad: list[pa.csv.InvalidRow] = []

        def remember(row: pa.csv.InvalidRow) -> str:
            bad.append(row)
            return "skip"

        data = self._decoded(block)
        reading = pa.csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(data) + 1)
        parsing = pa.csv.ParseOptions(delimiter=self._delimiter.decode(), invalid_row_handler=remember)
        converting = pa.csv.ConvertOptions(
            include_columns=columns or self._names[:1],
            column_types=dict.fromkeys(self._names, pa.string()),
            strings_can_be_null=False,
        )
        try:
            table = pa.csv.read_csv(pa.BufferReader(data), reading, parsing, converting)
        except pa.ArrowInvalid as error:
            where = numbers if isinstance(numbers, int) else numbers[0]
            raise CatalogueError(f"{self._file.shown}, after line {where}: {error}") from None
        if bad:
            row = bad[0]
            k = row.number - 1
            line = numbers + k if isinstance(numbers, int) else numbers[k]
            raise CatalogueError(
                f"{self._file.shown}, line {line}: has {row.actual_columns} fields where "
                f"{row.expected_columns} are expected ({row.text[:60]!r}); if the file is cut off, fetch it "
                f"again; if a field holds {self._delimiter.decode()!r}, quote it"
            )
        return table


def _bare(name: str) -> str:
    name = name.strip()
    return name[1:-1].strip() if len(name) > 1 and name[0] == name[-1] == '"' else name
