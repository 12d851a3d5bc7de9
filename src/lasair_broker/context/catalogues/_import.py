"""Importing a catalogue: read, map and sort in bounded memory, and go on where an interrupted import stopped.

The source becomes runs of about a million rows, each sorted by cell and written under its own name when it is
complete; a run says where in the source it ends. Then the sky is divided at cells that part the rows evenly,
and each part is gathered from the runs. Both steps are repeated from the last complete file.
"""

from __future__ import annotations

import csv
import errno
import functools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.context.catalogues._convert import Converted, Converter, Fault
from lasair_broker.context.catalogues._description import Description
from lasair_broker.context.catalogues._layout import FORMAT, Version, mapped, schema_of, write_atomically
from lasair_broker.context.catalogues._readers import reader_for
from lasair_broker.context.catalogues._source import Source, open_source, problem_reading
from lasair_broker.context.catalogues._version_writer import PART_ROWS, VersionWriter, check_name, locked
from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = ["Progress", "add_catalogue"]

Int64 = npt.NDArray[np.int64]
Progress = Callable[[str, float], None]

RUN_ROWS = 1 << 20
_SAMPLE = 256
_READING = 0.75
"""The share of the work that is reading the source."""

_FAULTS_TOLD = 5
_FAULTS_KEPT = 100_000
_REJECTED = "rejected.csv"


@dataclass(frozen=True)
class _Place:
    """Where in the source the next run begins: which file, where in it, and the number of the row there; and
    what was found wanting until then."""

    file: int = 0
    at: int = 0
    row: int = 0
    rejected: int = 0
    absent: tuple[str, ...] = ()


def add_catalogue(
    folder: str | Path,
    name: str,
    source: str,
    description: Description,
    *,
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
) -> Version:
    """Import a catalogue, or a new version of it, and put it into use.

    If an import of the same source by the same description was interrupted, it goes on where it stopped.

    Parameters
    ----------
    folder
        Of all catalogues.
    name
        Small letters, digits and _.
    source
        See `open_source`.
    description
        Its columns, and what is said about it.
    skip_bad_rows
        Leave out rows without a position, make NULL of values that are no numbers, and list them in
        ``rejected.csv`` beside the catalogue; otherwise the first such rows are an error.
    progress
        Told what is being done, and the share of the work that is done.

    Raises
    ------
    CatalogueError
        If something cannot be read or used. What is in use remains in use.
    """
    check_name(name)
    tell = progress or (lambda _doing, _share: None)
    catalogue = Path(folder) / name
    try:
        with locked(catalogue):
            found = open_source(source)
            work = catalogue / "import"
            _prepare(work, found, description, skip_bad_rows)
            place = _read(work, found, description, skip_bad_rows, tell)
            if not any(_run(path).num_rows for path in _runs(work)):
                shutil.rmtree(work)
                faults = f"; {place.rejected:,} faults were found" if place.rejected else ""
                raise CatalogueError(
                    f"{source} has no row that can be used{faults}. Is it whole, and does the `where` of the "
                    "mapping fit it? What is in use remains in use"
                )
            version = _gather(work, catalogue, found, description, place, tell)
            shutil.rmtree(work)
            return version
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CatalogueError(
                f"there is no room left in {folder}; make some and run the command again, it goes on"
            ) from None
        raise CatalogueError(f"cannot write the catalogue {name} in {folder}: {error}") from None
    finally:
        # A folder in which there is nothing but the lock is no catalogue.
        if catalogue.is_dir() and [p.name for p in catalogue.iterdir()] == [".lock"]:
            shutil.rmtree(catalogue)


def _prepare(work: Path, source: Source, description: Description, skip_bad_rows: bool) -> None:
    """Start anew, unless what is there is of this very import."""
    plan = json.dumps(
        {
            "format": FORMAT,
            "source": source.name,
            "files": [[file.path, file.stamp] for file in source.files],
            "description": description.model_dump(mode="json"),
            "skip_bad_rows": skip_bad_rows,
        }
    )
    path = work / "plan.json"
    if not path.exists() or path.read_text(encoding="utf-8") != plan:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_atomically(path, plan)


def _runs(work: Path) -> list[Path]:
    return sorted(work.glob("run-*.arrow"))


def _read(
    work: Path, source: Source, description: Description, skip_bad_rows: bool, tell: Progress
) -> _Place:
    """Turn the rest of the source into runs; returns the end of it."""
    done = _runs(work)
    place = _Place()
    if done:
        with pa.memory_map(str(done[-1])) as file:
            place = _Place(**json.loads(pa.ipc.open_file(file).schema.metadata[b"place"]))
    total = sum(file.bytes for file in source.files) or len(source.files)
    number = len(done)
    held: list[Converted] = []
    for converted, after, share in _converted(work, source, description, place, tell):
        if converted is not None:
            held.append(converted)
        rejected = place.rejected + sum(len(part.faults) for part in held)
        if held and held[-1].faults and not skip_bad_rows:
            raise _too_bad(held[-1].faults)
        last = after.file == len(source.files)
        if sum(len(part.cells) for part in held) >= RUN_ROWS or last:
            absent = tuple(sorted({*place.absent, *after.absent}))
            place = _Place(after.file, after.at, after.row, rejected, absent)
            _write_run(work, number, description, held, place)
            number += 1
            held = []
        before = sum(file.bytes or 1 for file in source.files[: after.file])
        here = source.files[after.file].bytes or 1 if not last else 0
        tell(
            f"reading {source.files[min(after.file, len(source.files) - 1)].shown}",
            _READING * min((before + share * here) / total, 1.0),
        )
    return place


def _converted(
    work: Path, source: Source, description: Description, place: _Place, tell: Progress
) -> Iterator[tuple[Converted | None, _Place, float]]:
    """Chunks from a place to the end, each with the place after it; None at the end of a file."""
    copies = work / "copies"
    for k in range(place.file, len(source.files)):
        file = source.files[k]
        fetching = functools.partial(_tell_fetching, tell, file.shown)
        try:
            reader = reader_for(source, file, description.text, copies, fetching)
            converter = Converter(description, reader, file.shown)
            at, row = (place.at, place.row) if k == place.file else (0, 0)
            for chunk in reader.chunks(converter.columns, at, row):
                after = _Place(k, chunk.next_at, chunk.next_row, absent=converter.absent)
                yield converter.convert(chunk), after, chunk.share
        except CatalogueError:
            raise
        # A file system may raise anything: connections, codecs, permissions.
        except Exception as error:
            raise problem_reading(file.shown, error) from error
        shutil.rmtree(copies, ignore_errors=True)
        yield None, _Place(k + 1, absent=converter.absent), 0.0


def _tell_fetching(tell: Progress, shown: str, share: float) -> None:
    tell(f"fetching {shown}", share * _READING)


def _too_bad(faults: list[Fault]) -> CatalogueError:
    told = "\n".join(str(fault) for fault in faults[:_FAULTS_TOLD])
    more = f"\nand {len(faults) - _FAULTS_TOLD:,} more in these rows" if len(faults) > _FAULTS_TOLD else ""
    return CatalogueError(
        f"{told}{more}\nCorrect the mapping or the file, or import without them: --skip-bad-rows"
    )


def _write_run(
    work: Path, number: int, description: Description, held: list[Converted], place: _Place
) -> None:
    schema = schema_of(description)
    cells = np.concatenate([part.cells for part in held] or [np.zeros(0, np.int64)])
    order = np.argsort(cells, kind="stable")
    table = pa.concat_tables([part.table for part in held] or [schema.empty_table()]).combine_chunks()
    table = table.take(pa.array(order)).append_column("cell", pa.array(cells[order]))
    table = table.replace_schema_metadata({"place": json.dumps(place.__dict__)})
    faults = [fault for part in held for fault in part.faults]
    with (work / f"rejected-{number:06d}.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([f.file, f.place, f.column, f.value, f.problem] for f in faults[:_FAULTS_KEPT])
    path = work / f"run-{number:06d}.arrow"
    beside = path.with_suffix(".new")
    with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table.combine_chunks(), max_chunksize=1 << 40)
    beside.replace(path)


def _gather(
    work: Path, catalogue: Path, source: Source, description: Description, place: _Place, tell: Progress
) -> Version:
    """Merge the runs into the parts of a version, and put it into use."""
    tables = [table for path in _runs(work) if (table := _run(path)).num_rows]
    cells = [table["cell"].chunk(0).to_numpy() for table in tables]
    cuts = _cuts(cells)
    # Rows of run r in part k are edges[r][k]:edges[r][k + 1].
    edges = [np.concatenate([[0], np.searchsorted(run, cuts), [len(run)]]) for run in cells]
    counts = [int(sum(edge[k + 1] - edge[k] for edge in edges)) for k in range(len(cuts) + 1)]
    if not tables:
        counts = []
    writer = VersionWriter(work / "version", description, counts)
    for k in range(len(writer.parts)):
        if not writer.has(k):
            pieces = [t.slice(e[k], e[k + 1] - e[k]) for t, e in zip(tables, edges, strict=True)]
            merged = pa.concat_tables(pieces).combine_chunks()
            found = merged["cell"].combine_chunks().to_numpy() if merged.num_rows else np.zeros(0, np.int64)
            order = np.argsort(found, kind="stable")
            writer.write(k, found[order], merged.drop_columns("cell").take(pa.array(order)))
        tell("sorting", _READING + (0.95 - _READING) * (k + 1) / len(writer.parts))
    if place.rejected:
        with (work / "version" / _REJECTED).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerow(["file", "place", "column", "value", "problem"])
            for path in sorted(work.glob("rejected-*.csv")):
                out.write(path.read_text(encoding="utf-8"))
    tell("checksums", 0.95)
    return writer.publish(catalogue, source.name, place.rejected, place.absent)


def _run(path: Path) -> pa.Table:
    batches: Any = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped(path, in_order=True)))).read_all()
    return batches.combine_chunks() if batches.num_rows else batches


def _cuts(cells: list[Int64]) -> Int64:
    """Cells at which to cut, so that parts have about `PART_ROWS` rows; equal cells stay together."""
    sample = np.sort(np.concatenate([run[::_SAMPLE] for run in cells] or [np.zeros(0, np.int64)]))
    rows = sum(len(run) for run in cells)
    parts = -(-rows // PART_ROWS)
    places = [len(sample) * k // parts for k in range(1, parts)]
    return np.unique(sample[places]) if places else np.zeros(0, np.int64)
