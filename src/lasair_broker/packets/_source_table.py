"""Light curve tables of a batch whose columns are put in order only when they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ._columns import Column, Columns, arrow_array, band_codes, to_dtype
from ._gather import gather, gather_floats

__all__ = ["SourceTable"]

Int64 = npt.NDArray[np.int64]


class SourceTable:
    """A light curve table (diaSources, diaForcedSources, diaNondetectionLimits), gathered when asked for.

    A packet repeats a year of history in a hundred columns, of which the stream needs six and the archive
    only the new rows; so a column is put in order when it is used, not before.

    Parameters
    ----------
    schema
        The canonical Arrow schema of the table.
    parts
        Runs of decoded rows, thought of as one after the other.
    order
        The rows of this table as indices into the concatenated parts.
    offsets
        ``offsets[i]:offsets[i + 1]`` are the rows of this table that belong to row i of the batch's objects.
    per_object
        Columns that have one value an object: an array of that many integers, or one word for all.
        They stand before columns of the same name in the parts.
    """

    def __init__(
        self,
        schema: pa.Schema,
        parts: Sequence[Columns],
        order: Int64,
        offsets: Int64,
        per_object: Mapping[str, Int64 | str] | None = None,
    ) -> None:
        self.schema = schema
        self.offsets = offsets
        self._parts = tuple(parts)
        self._order = order
        self._starts = np.cumsum([0] + [part.num_rows for part in parts])
        self._per_object = dict(per_object or {})
        self._sent: SourceTable | None = None
        self._object_row: Int64 | None = None
        self._kernel_columns: dict[str, npt.NDArray[Any]] = {}

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(self._order)

    def __len__(self) -> int:
        return len(self._order)

    @classmethod
    def empty(cls, schema: pa.Schema, num_objects: int) -> SourceTable:
        """A table without rows for `num_objects` objects."""
        return cls(schema, (), np.zeros(0, np.int64), np.zeros(num_objects + 1, np.int64))

    @property
    def object_row(self) -> Int64:
        """For each row the row of the batch's objects that it belongs to."""
        if self._object_row is None:
            self._object_row = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return self._object_row

    @property
    def sent(self) -> SourceTable:
        """The rows that packets brought, without those known besides (`with_rows`)."""
        return self if self._sent is None else self._sent

    def with_rows(
        self, known: Columns, touched: npt.NDArray[np.bool_], rows: Int64, objects: Int64
    ) -> SourceTable:
        """This table with rows known besides, for some objects.

        Parameters
        ----------
        known
            A run of rows, thought of as behind those of this table.
        touched
            The objects whose rows change.
        rows, objects
            Their new rows, as numbers of rows of this table and of `known` behind it, and the object of
            each; in the order in which they shall stand.
        """
        counts = np.where(touched, np.bincount(objects, minlength=len(touched)), np.diff(self.offsets))
        offsets = np.concatenate([[0], np.cumsum(counts)])
        order = np.empty(int(offsets[-1]), np.int64)
        same = np.flatnonzero(~touched[self.object_row])
        moved = (offsets - self.offsets)[self.object_row[same]]
        order[same + moved] = self._order[same]
        ends = np.cumsum(np.where(touched, counts, 0))
        within = np.arange(len(rows)) - (ends - counts)[objects]
        behind = int(self._starts[-1]) + np.arange(known.num_rows)
        order[offsets[objects] + within] = np.concatenate([self._order, behind])[rows]
        united = SourceTable(self.schema, (*self._parts, known), order, offsets, self._per_object)
        united._sent = self.sent
        return united

    def with_per_object(self, columns: Mapping[str, Int64 | str]) -> SourceTable:
        """This table with columns that have one value an object (a stored `healpix29`, say) replaced."""
        merged = {**self._per_object, **columns}
        table = SourceTable(self.schema, self._parts, self._order, self.offsets, merged)
        table._sent = None if self._sent is None else self._sent.with_per_object(columns)
        return table

    def numpy(self, name: str) -> npt.NDArray[Any]:
        """Column `name` as kernels want it: floats with NaN for NULL; integers with 0, booleans with False.

        `band` is codes into BANDS, other text its codes, -1 for NULL. The array has one element a row, is
        cached, and must not be written to.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        column = self._kernel_columns.get(name)
        if column is None:
            column = self._kernel_form(name)
            column.flags.writeable = False
            self._kernel_columns[name] = column
        return column

    def column(self, name: str) -> pa.Array:
        """Column `name` in canonical Arrow type, NULL where missing."""
        return self._arrow(self.schema.field(name), None)

    def take(self, rows: Int64 | None = None, names: Sequence[str] | None = None) -> pa.Table:
        """The given rows (None: all) and columns (None: all of the schema) as an Arrow table."""
        wanted = self.schema.names if names is None else list(names)
        fields = [self.schema.field(name) for name in wanted]
        return pa.Table.from_arrays([self._arrow(f, rows) for f in fields], schema=pa.schema(fields))

    def _gather(self, name: str, rows: Int64 | None) -> Column | None:
        """Column `name` at the given rows of the table; None if no part has it."""
        per_object = self._per_object.get(name)
        if per_object is not None:
            objects = self.object_row if rows is None else self.object_row[rows]
            if isinstance(per_object, str):
                return Column(np.zeros(len(objects), np.int32), None, (per_object,))
            return Column(per_object[objects])
        index = self._order if rows is None else self._order[rows]
        runs = []
        words: list[str] = []
        text = False
        for part, start in zip(self._parts, self._starts.tolist(), strict=False):
            column = part.column(name)
            if column is None:
                continue
            values, valid, its_words = column
            if its_words is not None:
                # Each part has a dictionary of its own; the table's is all of them, one after the other.
                valid = values >= 0 if valid is None else valid & (values >= 0)
                values = values.astype(np.int32) + np.int32(len(words))
                words.extend(its_words)
                text = True
            runs.append((start, values, valid))
        if not runs:
            return None
        dtype = np.dtype(np.int32) if text else np.result_type(*[values.dtype for _, values, _ in runs])
        out, present = gather(runs, index, dtype)
        return Column(out, present, tuple(words) if text else None)

    def _float_runs(
        self, name: str
    ) -> list[tuple[int, npt.NDArray[Any], npt.NDArray[np.bool_] | None]] | None:
        """Where column `name` begins in the parts that have it, its values and which are present; None unless
        all are floating point."""
        runs = []
        for part, start in zip(self._parts, self._starts.tolist(), strict=False):
            column = part.column(name)
            if column is not None:
                if column.words is not None or column.values.dtype.kind != "f":
                    return None
                runs.append((start, column.values, column.valid))
        return runs

    def _kernel_form(self, name: str) -> npt.NDArray[Any]:
        kind = self.schema.field(name).type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if pa.types.is_floating(kind) and name not in self._per_object:
            runs = self._float_runs(name)
            if runs is not None:
                return gather_floats(runs, self._order, np.dtype(kind.to_pandas_dtype()))
        column = self._gather(name, None)
        if column is None:
            if text:
                return np.full(len(self), -1, np.int8 if name == "band" else np.int32)
            return np.zeros(len(self), np.dtype(kind.to_pandas_dtype()))
        values, valid, words = column
        present = np.ones(len(values), np.bool_) if valid is None else valid
        if words is not None:
            if name == "band":
                return band_codes(words)[np.where(present, values, -1)]
            return np.where(present, values, np.int32(-1))
        dtype = np.dtype(kind.to_pandas_dtype())
        out, present = to_dtype(values, present, dtype)
        missing = np.nan if dtype.kind == "f" else 0
        out = out.copy() if out.base is not None or out is values else out
        out[~present] = missing
        return out

    def _arrow(self, to: pa.Field, rows: Int64 | None) -> pa.Array:
        length = len(self) if rows is None else len(rows)
        return arrow_array(self._gather(to.name, rows), to.type, length)
