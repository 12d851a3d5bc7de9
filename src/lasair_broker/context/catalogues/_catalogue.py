"""A catalogue in use: which of its rows lie near positions, and what they say."""

from __future__ import annotations

import itertools
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.context.catalogues._cut_files import watch
from lasair_broker.context.catalogues._description import Description
from lasair_broker.context.catalogues._layout import (
    FAST,
    FAST_MAS_PER_YEAR,
    MOVING,
    PLAIN,
    Version,
    mapped,
    mapped_array,
    schema_of,
)
from lasair_broker.context.catalogues._motion import julian_year, motion, propagate
from lasair_broker.context.catalogues.errors import CatalogueDamagedError, CatalogueUnavailableError
from lasair_broker.sky import SortedCells, separation_arcsec

__all__ = ["Catalogue", "Matches"]

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_SPEEDS = (FAST_MAS_PER_YEAR, 200.0, 1000.0, 4000.0, np.inf)
"""Fast rows are searched in classes between these proper motions (mas/yr), each as wide as its fastest."""


@dataclass(frozen=True)
class Matches:
    """Pairs of positions and rows, ascending by position, then separation, then row.

    Attributes
    ----------
    position
        Index of the position asked for, int64.
    row
        Row of the catalogue, int64; what `Catalogue.take` takes.
    arcsec
        Great-circle separation at the time asked for, arcseconds, float64.
    """

    position: Int64
    row: Int64
    arcsec: Float64

    def __len__(self) -> int:
        return len(self.row)


class Catalogue:
    """One version of a catalogue; its files are mapped, and never change.

    Only the table that finds cells (at most 50 MB) and the fast-moving rows (some 20 bytes each) are in
    memory; the pages of the mapped files belong to the operating system, which takes them back when it needs
    memory.

    Parameters
    ----------
    folder
        Of the version.

    Raises
    ------
    CatalogueUnavailableError
        If a file is not there.
    CatalogueDamagedError
        If the files do not fit each other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = Version.read(folder)
        self._schema = schema_of(self.description)
        self._stored = [f.name for f in self._schema if f.name not in ("ra", "decl")]
        self._views: dict[Path, memoryview] = {}
        cells = np.frombuffer(self._mapped(folder / "cells"), np.int64)
        kind = MOVING if self.description.moves else PLAIN
        self._positions = np.frombuffer(self._mapped(folder / "positions"), kind)
        if not len(cells) == len(self._positions) == self._version.rows:
            raise CatalogueDamagedError(f"{folder}: cells and positions are not of the same rows")
        try:
            self._cells = SortedCells.with_bins(cells, np.fromfile(folder / "bins", np.uint32))
        except ValueError as error:
            raise CatalogueDamagedError(f"{folder}: {error}; import the catalogue again") from None
        self._firsts = np.array([part.first for part in self._version.parts], np.int64)
        self._parts: dict[int, pa.RecordBatch] = {}
        self._fast: list[tuple[float, Int64, SortedCells]] = []
        if self.description.moves:
            fast = mapped_array(folder / "fast", FAST)
            for least, most in itertools.pairwise(_SPEEDS):
                some = fast[(fast["motion"] > least) & (fast["motion"] <= most)]
                if len(some):
                    index = SortedCells.build(np.ascontiguousarray(some["cell"]))
                    self._fast.append((float(some["motion"].max()), some["row"].copy(), index))

    @property
    def name(self) -> str:
        """What the installation calls it."""
        return self._version.name

    @property
    def version(self) -> str:
        """Changes whenever contents or description do."""
        return self._version.version

    @property
    def description(self) -> Description:
        """What its YAML file says."""
        return self._version.description

    @property
    def details(self) -> Version:
        """Where it comes from, its files and their digests."""
        return self._version

    @property
    def schema(self) -> pa.Schema:
        """Its columns, with units in the metadata."""
        return self._schema

    @property
    def resident_bytes(self) -> int:
        """Memory that an open catalogue takes, mapped pages left out."""
        fast = sum(rows.nbytes + index.cell.nbytes + index.bins.nbytes for _, rows, index in self._fast)
        return self._cells.bins.nbytes + fast

    @property
    def mapped_bytes(self) -> int:
        """Size of the mapped column of cells, the only one that a match without a result reads."""
        return self._cells.cell.nbytes

    def counts(self, order: int) -> Int64:
        """Rows in each nested HEALPix cell of an order, shape (12 · 4^order,): what it covers.

        Only the pages of the column of cells are read that the rims of those cells lie on.
        """
        rims = np.arange(12 * 4**order + 1, dtype=np.int64) << (2 * (29 - order))
        counts: Int64 = np.diff(np.searchsorted(self._cells.cell, rims))
        return counts

    def __len__(self) -> int:
        return self._version.rows

    def match(
        self,
        ra: npt.ArrayLike,
        decl: npt.ArrayLike,
        radius_arcsec: npt.ArrayLike,
        k: int | None = None,
        mjd: npt.ArrayLike | None = None,
    ) -> Matches:
        """Rows within a radius of positions.

        Parameters
        ----------
        ra, decl
            ICRS, degrees, shape (n,); what is not a position (NaN) has no matches.
        radius_arcsec
            0 or more, one for all or shape (n,); the rim belongs to the circle.
        k
            At most so many, the nearest, for each position; all by default.
        mjd
            Times of the positions (MJD TAI), one for all or shape (n,): rows with proper motion are matched
            where they stand then. Without it, and where it is NaN, at the epoch of the catalogue.

        Raises
        ------
        ValueError
            If a radius is negative or NaN, or arrays are of different lengths.
        CatalogueDamagedError
            If somebody has cut a file off.
        """
        self._be_whole()
        lon, lat = np.asarray(ra, np.float64), np.asarray(decl, np.float64)
        if lon.shape != lat.shape or lon.ndim != 1:
            raise ValueError(f"ra and decl must be two arrays of one length, not {lon.shape}, {lat.shape}")
        radius = np.broadcast_to(np.asarray(radius_arcsec, np.float64), lon.shape)
        if not np.all(radius >= 0.0):
            raise ValueError("radii must be 0 or more arcseconds")
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if mjd is None or not self.description.moves:
            position, row = self._cells.near(lon, lat, radius)
            found_ra, found_decl = self._stands(row, None)
        else:
            year = np.broadcast_to(julian_year(mjd), lon.shape)
            position, row = self._moving(lon, lat, radius, year)
            found_ra, found_decl = self._stands(row, year[position])
        arcsec = separation_arcsec(lon[position], lat[position], found_ra, found_decl)
        inside = arcsec <= radius[position]
        position, row, arcsec = position[inside], row[inside], arcsec[inside]
        order = np.lexsort((row, arcsec, position))
        position, row, arcsec = position[order], row[order], arcsec[order]
        if k is not None and len(position):
            first = np.flatnonzero(np.append(True, position[1:] != position[:-1]))
            place = np.arange(len(position)) - np.repeat(first, np.diff(np.append(first, len(position))))
            position, row, arcsec = position[place < k], row[place < k], arcsec[place < k]
        self._be_whole()
        return Matches(position, row, arcsec)

    def _moving(self, ra: Float64, decl: Float64, radius: Float64, year: Float64) -> tuple[Int64, Int64]:
        """Candidates that may have moved into the circles by the given years."""
        earliest, latest = self._version.epochs
        years = np.nan_to_num(np.maximum(np.abs(year - earliest), np.abs(year - latest)))
        position, row = self._cells.near(ra, decl, radius + years * FAST_MAS_PER_YEAR / 1000.0)
        some = self._positions[row]
        slow = motion(some["pmra"], some["pmdec"]) <= FAST_MAS_PER_YEAR
        positions, rows = [position[slow]], [row[slow]]
        for fastest, fast_rows, cells in self._fast:
            position, row = cells.near(ra, decl, radius + years * fastest / 1000.0)
            positions.append(position)
            rows.append(fast_rows[row])
        return np.concatenate(positions), np.concatenate(rows)

    def _stands(self, row: Int64, year: Float64 | None) -> tuple[Float64, Float64]:
        some = self._positions[row]
        if year is None:
            return some["ra"], some["decl"]
        years = np.nan_to_num(year - some["epoch"])
        return propagate(some["ra"], some["decl"], some["pmra"], some["pmdec"], years)

    def positions(self, rows: npt.ArrayLike, mjd: npt.ArrayLike | None = None) -> tuple[Float64, Float64]:
        """Where rows stand at times (MJD TAI), or at the epoch of the catalogue: degrees."""
        self._be_whole()
        row = np.asarray(rows, np.int64)
        moves = mjd is not None and self.description.moves
        year = np.broadcast_to(julian_year(mjd), row.shape) if moves and mjd is not None else None
        found = self._stands(row, year)
        self._be_whole()
        return found

    def take(self, rows: npt.ArrayLike, columns: list[str] | None = None) -> pa.Table:
        """Columns of rows, in the order asked for.

        Parameters
        ----------
        rows
            Row numbers, shape (m,); a row may come several times.
        columns
            Names from `schema`; all by default.

        Raises
        ------
        KeyError
            If there is no such column.
        IndexError
            If there is no such row.
        CatalogueUnavailableError, CatalogueDamagedError
            If its files are gone, or not what they were.
        """
        self._be_whole()
        row = np.asarray(rows, np.int64)
        names = self._schema.names if columns is None else columns
        unknown = [name for name in names if name not in self._schema.names]
        if unknown:
            raise KeyError(f"the catalogue {self.name} has no column {', '.join(unknown)}")
        if len(row) and not 0 <= row.min() <= row.max() < len(self):
            raise IndexError(f"the catalogue {self.name} has rows 0 to {len(self) - 1}")
        stored = [name for name in names if name in self._stored]
        taken = dict(zip(stored, self._take_stored(row, stored), strict=True))
        some = self._positions[row] if "ra" in names or "decl" in names else None
        if some is not None:
            taken |= {name: pa.chunked_array([some[name]]) for name in ("ra", "decl")}
        schema = pa.schema([self._schema.field(name) for name in names])
        self._be_whole()
        return pa.table([taken[name] for name in names], schema=schema)

    def _take_stored(self, row: Int64, names: list[str]) -> list[pa.ChunkedArray]:
        if not names:
            return []
        if not len(row):
            return [pa.chunked_array([], self._schema.field(name).type) for name in names]
        part = np.searchsorted(self._firsts, row, side="right") - 1
        order = np.argsort(part, kind="stable")
        edges = np.flatnonzero(np.diff(part[order], prepend=-1))
        pieces = []
        for low, high in zip(edges, np.append(edges[1:], len(row)), strict=True):
            k = int(part[order[low]])
            local = row[order[low:high]] - self._firsts[k]
            pieces.append(self._part(k).select(names).take(pa.array(local)))
        table = pa.Table.from_batches(pieces)
        if len(pieces) > 1:
            back = np.empty(len(row), np.int64)
            back[order] = np.arange(len(row))
            table = table.combine_chunks().take(pa.array(back))
        return list(table.columns)

    def _mapped(self, path: Path) -> memoryview:
        found = self._views.get(path)
        if found is None:
            found = self._views[path] = mapped(path)
            if isinstance(found.obj, mmap.mmap):
                watch(found.obj)
        return found

    def _be_whole(self) -> None:
        """Refuse to read a file that somebody has made shorter while it is mapped.

        Looked for before and after reading: a page that is gone meanwhile is one of zeros, or else ends the
        process (`survive_cut_files`).
        """
        for path, view in tuple(self._views.items()):
            pages = view.obj
            if isinstance(pages, mmap.mmap) and pages.size() < len(pages):
                raise CatalogueDamagedError(
                    f"{path} had {len(pages):,} bytes, and now has {pages.size():,}; "
                    f"import the catalogue {self.name} again"
                )

    def _part(self, k: int) -> pa.RecordBatch:
        found = self._parts.get(k)
        if found is None:
            part = self._version.parts[k]
            path = self._folder / part.file
            try:
                found = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self._mapped(path)))).get_batch(0)
            except (pa.ArrowInvalid, OSError) as error:
                raise CatalogueDamagedError(
                    f"cannot read {path}: {error}; import the catalogue {self.name} again"
                ) from None
            if found.num_rows != part.rows:
                raise CatalogueDamagedError(
                    f"{path} has {found.num_rows:,} rows, not {part.rows:,}; "
                    f"import the catalogue {self.name} again"
                )
            self._parts[k] = found
        return found


def open_current(catalogue: Path) -> Catalogue:
    """Open the version of a catalogue that is in use.

    Raises
    ------
    CatalogueUnavailableError, CatalogueDamagedError
        If there is none, or it cannot be used.
    """
    while True:
        name = current_version(catalogue)
        try:
            return Catalogue(catalogue / name)
        except CatalogueUnavailableError:
            # It may have been replaced, and removed, since we read its name.
            if current_version(catalogue) == name:
                raise


def current_version(catalogue: Path) -> str:
    """The folder of the version in use."""
    try:
        return (catalogue / "current").read_text(encoding="utf-8").strip()
    except OSError:
        raise CatalogueUnavailableError(f"there is no catalogue at {catalogue}; import it again") from None
