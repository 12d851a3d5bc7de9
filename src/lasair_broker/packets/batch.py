"""The canonical shape of alerts: what every survey's packets become at the door, and what every stage takes.

An `AlertBatch` is object-centred. Alerts of one object in one batch are united: `objects` has one row for each
distinct object, and the rows of `diaSources`, `diaForcedSources` and `diaNondetectionLimits` are sorted by
(row of `objects`, midpointMjdTai, id) without doubles, with offsets that say which rows belong to which object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["BANDS", "AlertBatch", "Messages", "Payloads", "SourceColumns", "SourceTable", "band_codes"]

BANDS = ("u", "g", "r", "i", "z", "y")
"""The bands in order of wavelength; a band's place here is its code in kernels. -1 is any other band."""

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages as a source gave them, before anything is known of their contents.

    Attributes
    ----------
    values
        The bytes of each message: Confluent-framed, an Avro object container, or gzip of either.
    topics
        The distinct topics; a file is the topic ``file:<absolute path>``.
    topic, partition, offset
        For each message the index into `topics`, its partition and its offset there.
    arrivedMjdTai
        When each message reached us, MJD TAI in days.
    """

    values: Sequence[bytes]
    topics: tuple[str, ...]
    topic: npt.NDArray[np.int32]
    partition: npt.NDArray[np.int32]
    offset: Int64
    arrivedMjdTai: Float64

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Payloads:
    """The Avro datum of each alert, uncompressed and without framing, as views into memory that `owners` keeps alive.

    This is what the raw pack stores; with the schema's fingerprint it can be decoded again. Cut-outs are given
    by their offset and length within the datum.
    """

    address: Int64
    length: Int64
    owners: tuple[Any, ...]
    schema_fingerprint: int
    schema_json: str

    def __len__(self) -> int:
        return len(self.address)

    def bytes(self, row: int) -> bytes:
        """A copy of the datum of alert `row`."""
        import ctypes

        return ctypes.string_at(int(self.address[row]), int(self.length[row]))


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """One run of decoded rows: for each column its values and which of them are present (None: all).

    Text columns are dictionary codes (int8 or int32, -1 for NULL) with their words in `words`.
    """

    num_rows: int
    values: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[np.bool_]]
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)


class SourceTable:
    """Rows of a light curve table (diaSources, diaForcedSources, diaNondetectionLimits), gathered only when asked for.

    A packet repeats a year of history in a hundred columns, of which the stream needs six and the archive only
    the new rows; so a column is put in order when it is used, not before.

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
    """

    def __init__(self, schema: pa.Schema, parts: Sequence[SourceColumns], order: Int64, offsets: Int64) -> None:
        self.schema = schema
        self.offsets = offsets
        self._parts = tuple(parts)
        self._order = order
        self._starts = np.cumsum([0] + [part.num_rows for part in parts])
        self._kernel_columns: dict[str, npt.NDArray[Any]] = {}

    @property
    def num_rows(self) -> int:
        return len(self._order)

    def __len__(self) -> int:
        return len(self._order)

    @classmethod
    def empty(cls, schema: pa.Schema, num_objects: int) -> SourceTable:
        """A table without rows for `num_objects` objects."""
        return cls(schema, (), np.zeros(0, np.int64), np.zeros(num_objects + 1, np.int64))

    def numpy(self, name: str) -> npt.NDArray[Any]:
        """Column `name` as kernels want it: floats with NaN for NULL; integers with 0; `band` as codes into BANDS.

        The array has one element a row, is cached, and must not be written to.
        """
        column = self._kernel_columns.get(name)
        if column is None:
            column = self._kernel_form(name)
            column.flags.writeable = False
            self._kernel_columns[name] = column
        return column

    def column(self, name: str) -> pa.Array:
        """Column `name` in canonical Arrow type, NULL where missing."""
        return self.take(None, [name]).column(0).combine_chunks()

    def take(self, rows: Int64 | None = None, names: Sequence[str] | None = None) -> pa.Table:
        """The given rows (None: all) and columns (None: all of the schema) as an Arrow table."""
        index = self._order if rows is None else self._order[rows]
        wanted = self.schema.names if names is None else list(names)
        fields = [self.schema.field(name) for name in wanted]
        return pa.Table.from_arrays([self._arrow(f, index) for f in fields], schema=pa.schema(fields))

    def _gather(self, name: str, index: Int64) -> tuple[npt.NDArray[Any] | None, npt.NDArray[np.bool_]]:
        """Values and validity of column `name` at concatenated rows `index`; values None if no part has it."""
        having = [part for part in self._parts if name in part.values]
        if not having:
            return None, np.zeros(len(index), np.bool_)
        if len(self._parts) == 1:
            part = having[0]
            valid = part.valid.get(name)
            values = part.values[name][index]
            return values, np.ones(len(index), np.bool_) if valid is None else valid[index]
        dtype = having[0].values[name].dtype
        values = np.zeros(len(index), dtype)
        present = np.zeros(len(index), np.bool_)
        for part, start, stop in zip(self._parts, self._starts[:-1], self._starts[1:], strict=True):
            if name not in part.values:
                continue
            mine = (index >= start) & (index < stop)
            local = index[mine] - start
            values[mine] = part.values[name][local]
            valid = part.valid.get(name)
            present[mine] = True if valid is None else valid[local]
        return values, present

    def _words(self, name: str) -> tuple[str, ...]:
        """The words of text column `name`; all parts share one dictionary."""
        for part in self._parts:
            if name in part.words:
                return tuple(part.words[name])
        return ()

    def _kernel_form(self, name: str) -> npt.NDArray[Any]:
        values, valid = self._gather(name, self._order)
        kind = self.schema.field(name).type
        if values is None:
            if pa.types.is_floating(kind):
                return np.full(len(self._order), np.nan, kind.to_pandas_dtype())
            return np.full(len(self._order), -1 if name == "band" else 0, np.int8 if name == "band" else np.int64)
        if name == "band":
            codes = band_codes(self._words(name))
            return np.where(valid, codes[values], np.int8(-1)).astype(np.int8)
        if pa.types.is_floating(kind):
            out: npt.NDArray[Any] = values.astype(kind.to_pandas_dtype())
            out[~valid] = np.nan
            return out
        return np.where(valid, values, 0).astype(values.dtype)

    def _arrow(self, to: pa.Field, index: Int64) -> pa.Array:
        values, valid = self._gather(to.name, index)
        if values is None:
            return pa.nulls(len(index), to.type)
        mask = None if valid.all() else ~valid
        if to.name in {name for part in self._parts for name in part.words}:
            codes = pa.array(values.astype(np.int32), mask=mask)
            words = pa.array(self._words(to.name) or ("",), pa.string())
            return pa.DictionaryArray.from_arrays(codes, words).cast(to.type)
        return pa.array(values, mask=mask).cast(to.type)


def band_codes(words: Sequence[str]) -> npt.NDArray[np.int8]:
    """The code of each band name in BANDS, -1 for others; one more -1 at the end so that code -1 maps to -1."""
    return np.array([BANDS.index(w) if w in BANDS else -1 for w in words] + [-1], np.int8)


@dataclass(frozen=True)
class AlertBatch:
    """Alerts of one survey and schema as columns. Stages return a new batch with more columns or tables.

    Attributes
    ----------
    survey
        "lsst" or "ztf".
    alerts
        One row for each message that could be read, in order of arrival (table `alerts` of the schema).
    objects
        One row for each distinct object, its newest state (a growing subset of the columns of table `objects`).
    diaSources, diaForcedSources, diaNondetectionLimits
        The light curves of those objects.
    ssSources, ssObjects, mpc_orbits
        Solar-system detections, bodies and orbits, one row each.
    payloads
        The datum of each row of `alerts`.
    tables
        Tables of matches that stages add, by their name in the schema.
    """

    survey: str
    alerts: pa.Table
    objects: pa.Table
    diaSources: SourceTable
    diaForcedSources: SourceTable
    diaNondetectionLimits: SourceTable
    ssSources: pa.Table
    ssObjects: pa.Table
    mpc_orbits: pa.Table
    payloads: Payloads
    tables: Mapping[str, pa.Table] = field(default_factory=dict)

    def with_object_columns(self, columns: Mapping[str, pa.Array]) -> AlertBatch:
        """This batch with columns added to `objects`, replacing those of the same name."""
        objects = self.objects
        for name, values in columns.items():
            place = objects.schema.get_field_index(name)
            if place < 0:
                objects = objects.append_column(name, values)
            else:
                objects = objects.set_column(place, name, values)
        return replace(self, objects=objects)

    def with_table(self, name: str, table: pa.Table) -> AlertBatch:
        """This batch with the match table `name` added."""
        return replace(self, tables={**self.tables, name: table})
