"""From the columns of a source to the canonical ones, a chunk at a time, with every fault named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context.catalogues._columns import column_of
from lasair_broker.context.catalogues._description import ColumnMapping, Description
from lasair_broker.context.catalogues._expressions import Expression, ExpressionError
from lasair_broker.context.catalogues._layout import schema_of
from lasair_broker.context.catalogues._source import Chunk, Reader
from lasair_broker.context.catalogues.errors import CatalogueError
from lasair_broker.sky import angles, healpix29

__all__ = ["Converted", "Converter", "Fault"]

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_SAYS_MISSING = pa.array(["", "nan", "null", "none", "-", "--", "\\n", "n/a"])
"""In small letters: how text files write that there is nothing."""

_ADVICE = {
    "ra": "write 0 to 360 degrees or h:m:s; `RA % 360` in the mapping wraps",
    "decl": "write −90 to 90 degrees or d:m:s",
}


@dataclass(frozen=True)
class Fault:
    """A value that cannot be used.

    Attributes
    ----------
    file, place
        Where: "line 7" or "row 7".
    column
        The mapping's value: a column of the source, or an expression.
    value
        What stands there.
    problem
        What is wrong with it, and what to do.
    """

    file: str
    place: str
    column: str
    value: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}, column {self.column}: “{self.value}” {self.problem}"


@dataclass(frozen=True)
class Converted:
    """A chunk in canonical columns.

    Attributes
    ----------
    cells
        Order-29 cell of each row.
    table
        As `schema_of` the description.
    faults
        Rows without a position, which are left out, and values that are no numbers, which are NULL.
    """

    cells: npt.NDArray[np.int64]
    table: pa.Table
    faults: list[Fault]


class Converter:
    """Maps the chunks of one file.

    Raises
    ------
    CatalogueError
        If the file lacks a column that the mapping names; the message names both.
    """

    def __init__(self, description: Description, reader: Reader, shown: str) -> None:
        self._description, self._shown, self._places = description, shown, reader.places
        self._schema = schema_of(description)
        self._where: Expression | None = None
        self._mappings: dict[str, tuple[ColumnMapping, Expression]] = {}
        self._needs: dict[str, list[str]] = {}
        available = reader.columns
        absent = []
        for name, mapping in description.mappings().items():
            expression = self._chosen(f"column {name}", mapping.value, available, optional=mapping.optional)
            if expression is None:
                absent.append(name)
            else:
                self._mappings[name] = mapping, expression
                self._needs[name] = expression.columns(available)
        if description.where is not None:
            self._where = self._chosen("where", description.where, available, optional=False)
            self._needs[""] = [] if self._where is None else self._where.columns(available)
        self.absent = tuple(absent)
        """Optional columns that the file does not have."""
        self.columns = sorted({column for needed in self._needs.values() for column in needed})
        """The columns of the source that are needed."""
        self._factors = {
            name: _factor(name, mapping, expression, reader.units)
            for name, (mapping, expression) in self._mappings.items()
        }

    def _chosen(
        self, place: str, texts: tuple[str, ...], available: list[str], *, optional: bool
    ) -> Expression | None:
        """The first of several expressions whose columns are there."""
        misfits = []
        for text in texts:
            expression = Expression(text)
            try:
                expression.columns(available)
            except ExpressionError as error:
                misfits.append(str(error))
            else:
                return expression
        if optional:
            return None
        raise CatalogueError(f"{self._shown} does not fit the mapping, {place}: {misfits[0]}")

    def convert(self, chunk: Chunk) -> Converted:
        """Map a chunk.

        Raises
        ------
        CatalogueError
            If an expression computes with text.
        """
        values = _Values(chunk)
        if self._where is not None:
            chosen = self._evaluated("", self._where, values, (), text=False)
            keep = np.flatnonzero(
                np.broadcast_to(np.nan_to_num(np.asarray(chosen, np.float64)), values.rows) != 0
            )
            if len(keep) < values.rows:
                values = _Values(chunk, keep)
        faults: list[Fault] = []

        def tell(name: str, where: Bool, problem: str) -> None:
            _, expression = self._mappings[name]
            for i in np.flatnonzero(where):
                place = f"{self._places} {chunk.row_number(values.number(int(i)))}"
                faults.append(
                    Fault(
                        self._shown, place, expression.text, values.shown(self._needs[name], int(i)), problem
                    )
                )

        columns: dict[str, Any] = {}
        good = np.ones(values.rows, np.bool_)
        for name in ("ra", "decl"):
            columns[name], bad = self._angle(name, values, tell)
            good &= ~bad
        columns["ra"] = np.where(columns["ra"] == 360.0, 0.0, columns["ra"])
        for name, (mapping, expression) in self._mappings.items():
            if name in columns:
                continue
            if pa.types.is_string(self._schema.field(name).type):
                columns[name] = self._text(name, mapping, expression, values)
            else:
                columns[name] = self._number(name, values, tell)
        if "epoch" in self._schema.names:
            epoch = columns.get("epoch", np.full(values.rows, np.nan))
            columns["epoch"] = np.where(np.isfinite(epoch), epoch, self._description.epoch)
        for name in self.absent:
            columns[name] = pa.nulls(values.rows, self._schema.field(name).type)
        arrays = [_array(columns[field.name], field) for field in self._schema]
        table = pa.table(arrays, schema=self._schema)
        cells = healpix29(columns["ra"], columns["decl"])
        if not good.all():
            table, cells = table.filter(pa.array(good)), cells[good]
        return Converted(cells, table, faults)

    def _evaluated(
        self,
        name: str,
        expression: Expression,
        values: _Values,
        missing: tuple[float | str, ...],
        *,
        text: bool,
    ) -> Any:
        as_text = expression.text_columns(wanted=text)
        known = (*self._description.missing, *missing)
        columns = {
            column: values.text(column, known).to_numpy(zero_copy_only=False)
            if column in as_text
            else values.number_of(column, known)
            for column in self._needs[name]
        }
        try:
            return expression.evaluate(columns)
        except ExpressionError as error:
            place = f"column {name}" if name else "where"
            raise CatalogueError(f"{self._shown} does not fit the mapping, {place}: {error}") from None

    def _angle(
        self, name: str, values: _Values, tell: Callable[[str, Bool, str], None]
    ) -> tuple[Float64, Bool]:
        mapping, expression = self._mappings[name]
        direct = self._needs[name] == [expression.text]
        known = (*self._description.missing, *mapping.missing)
        if direct and values.is_text(expression.text):
            text = values.text(expression.text, known)
            absent = np.asarray(text.is_null())
            found = angles(text, hours=name == "ra")
            if self._factors[name] != 1.0:  # a unit is about plain numbers; what is sexagesimal says its own
                plain = pc.match_substring_regex(text, r"^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$").fill_null(False)
                found = np.where(np.asarray(plain), found * self._factors[name], found)
        else:
            found = self._number(name, values, lambda *_: None)
            absent = values.absent(self._needs[name])
        unusable = ~np.isfinite(found) & ~absent
        low, high = (0.0, 360.0) if name == "ra" else (-90.0, 90.0)
        outside = np.isfinite(found) & ~((found >= low) & (found <= high))
        what = "right ascension" if name == "ra" else "declination"
        tell(name, absent, f"is missing: a row needs a position; {_ADVICE[name]}, or leave it out by `where`")
        tell(name, unusable, f"is no angle; {_ADVICE[name]}")
        tell(name, outside, f"is not a {what}; {_ADVICE[name]}")
        bad = absent | unusable | outside
        return np.where(bad, 0.0, found), bad

    def _number(self, name: str, values: _Values, tell: Callable[[str, Bool, str], None]) -> Float64:
        mapping, expression = self._mappings[name]
        found = self._evaluated(name, expression, values, mapping.missing, text=False)
        if np.asarray(found).dtype == object:
            raise CatalogueError(
                f"{self._shown} does not fit the mapping, column {name}: {expression.text!r} is text"
            )
        out = np.array(np.broadcast_to(np.asarray(found, np.float64), values.rows)) * self._factors[name]
        out[~np.isfinite(out)] = np.nan
        for column in self._needs[name]:
            no_number = values.no_number(column)
            if no_number is not None and column not in expression.text_columns(wanted=False):
                tell(name, no_number, "is no number; list it under `missing` in the mapping if it means that")
        return out

    def _text(self, name: str, mapping: ColumnMapping, expression: Expression, values: _Values) -> pa.Array:
        if self._needs[name] == [expression.text]:
            return values.text(expression.text, (*self._description.missing, *mapping.missing))
        found = self._evaluated(name, expression, values, mapping.missing, text=True)
        if isinstance(found, str):
            return pa.array([found or None] * values.rows, pa.string())
        array = np.asarray(found)
        if array.dtype != object:
            return _text_of(pa.array(np.broadcast_to(array, values.rows)))
        return _text_of(pa.array(np.broadcast_to(array, values.rows), pa.string()))


class _Values:
    """The columns of a chunk as numbers or as text, whichever is asked for, computed once."""

    def __init__(self, chunk: Chunk, keep: npt.NDArray[np.int64] | None = None) -> None:
        self._table = chunk.table.combine_chunks() if keep is None else chunk.table.take(pa.array(keep))
        self._keep = keep
        self.rows = chunk.table.num_rows if keep is None else len(keep)
        self._numbers: dict[Any, Float64] = {}
        self._texts: dict[Any, Any] = {}
        self._no_number: dict[str, Bool] = {}

    def number(self, i: int) -> int:
        """The row of the chunk that row i is."""
        return i if self._keep is None else int(self._keep[i])

    def shown(self, columns: list[str], i: int) -> str:
        """What stands in columns of a row, for a message."""
        values = [self._table[column][i].as_py() for column in columns]
        return ", ".join("" if value is None else str(value)[:60] for value in values)

    def is_text(self, column: str) -> bool:
        """Whether the source has text there."""
        kind = self._table.schema.field(column).type
        return bool(
            pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
        )

    def text(self, column: str, missing: tuple[float | str, ...]) -> pa.StringArray:
        """Text, trimmed; NULL where there is nothing."""
        key = (column, missing)
        if key not in self._texts:
            text = _text_of(self._column(column))
            gone = [str(value) for value in missing]
            if gone:
                text = pc.if_else(pc.is_in(text, pa.array(gone, pa.string())), None, text)
            self._texts[key] = text
        return self._texts[key]

    def number_of(self, column: str, missing: tuple[float | str, ...]) -> Float64:
        """Numbers; NaN where there is none."""
        key = (column, missing)
        if key not in self._numbers:
            values = self._column(column)
            if self.is_text(column):
                out = self._parsed(column, missing)
            elif pa.types.is_temporal(values.type) or pa.types.is_nested(values.type):
                out = np.full(self.rows, np.nan)
                self._no_number[column] = np.asarray(values.is_valid())
            else:
                out = np.array(values.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
            for value in missing:
                if not isinstance(value, str):
                    # A single-precision file holds the nearest single to -99.9.
                    out[(out == value) | (out == float(np.float32(value)))] = np.nan
            self._numbers[key] = out
        return self._numbers[key]

    def no_number(self, column: str) -> Bool | None:
        """Where text that was to be a number is none; None if nothing was parsed."""
        return self._no_number.get(column)

    def absent(self, columns: list[str]) -> Bool:
        """Where a column holds nothing."""
        out = np.zeros(self.rows, np.bool_)
        for column in columns:
            values = self._column(column)
            if self.is_text(column):
                out |= np.asarray(_text_of(values).is_null())
            else:
                out |= np.asarray(values.is_null(nan_is_null=True))
        return out

    def _column(self, column: str) -> pa.Array:
        found = self._table[column]
        found = found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()
        if isinstance(found, pa.ChunkedArray):
            found = pa.array([], found.type)
        return found.dictionary_decode() if pa.types.is_dictionary(found.type) else found

    def _parsed(self, column: str, missing: tuple[float | str, ...]) -> Float64:
        text = _text_of(self._column(column))
        gone = [value for value in missing if isinstance(value, str)]
        if gone:
            text = pc.if_else(pc.is_in(text, pa.array(gone, pa.string())), None, text)
        try:
            numbers = pc.cast(text, pa.float64())
            no_number = np.zeros(self.rows, np.bool_)
        except pa.ArrowInvalid:  # some are none: find out which
            plain = pc.match_substring_regex(text, r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$")
            readable = pc.fill_null(plain, False)
            numbers = pc.cast(
                pc.replace_substring_regex(pc.if_else(readable, text, None), r"^\+", ""), pa.float64()
            )
            no_number = np.asarray(pc.and_(pc.invert(readable), text.is_valid()))
        self._no_number[column] = no_number
        return np.array(numbers.to_numpy(zero_copy_only=False), np.float64)


def _text_of(values: pa.Array) -> pa.StringArray:
    """Values as text; NULL where there is nothing. Whole numbers are written without a point."""
    if pa.types.is_floating(values.type):
        plain = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
        whole = np.isfinite(plain) & (plain == np.floor(plain)) & (np.abs(plain) < 2.0**53)
        if np.all(whole | ~np.isfinite(plain)):
            values = pa.array(np.where(whole, plain, 0.0).astype(np.int64), mask=~whole)
    text = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    return pc.if_else(pc.is_in(pc.utf8_lower(text), _SAYS_MISSING), None, text)


def _array(values: Any, field: pa.Field) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if field.name in ("ra", "decl", "epoch"):
        return pa.array(values, field.type)
    with np.errstate(over="ignore"):
        narrow = values.astype(field.type.to_pandas_dtype())
    return pa.array(narrow, field.type, mask=~np.isfinite(narrow))


def _factor(name: str, mapping: ColumnMapping, expression: Expression, units: Mapping[str, str]) -> float:
    """What turns the source's unit into the canonical one."""
    column = column_of(name)
    if column is None or not column.unit:
        return 1.0
    stated = mapping.unit or units.get(expression.text)
    if stated is None or stated == column.unit:
        return 1.0
    from astropy import units as u  # takes half a second to import

    unit, wanted = u.Unit(stated, parse_strict="silent"), u.Unit(column.unit)
    if unit == u.hour and name == "ra":
        unit = u.hourangle
    if isinstance(unit, u.UnrecognizedUnit) or not unit.is_equivalent(wanted):
        if mapping.unit is None:  # archives write units in many ways, and "mag(AB)" is as good as mag
            return 1.0
        raise CatalogueError(f"column {name} of the mapping: {mapping.unit} is no unit for {column.unit}")
    return float(unit.to(wanted))
