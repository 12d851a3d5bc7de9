"""Numbers of objects that a model may ask for, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.classify._features import FEATURES
from lasair_broker.packets import AlertBatch, floats_of
from lasair_broker.schema import arrow_schema, closest

__all__ = ["check_columns", "column_names", "columns_of"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_TABLES = {
    "objects": "objects",
    "context": "sherlock_classifications",
    "newest": "diaSources",
}


def column_names(group: str = "") -> tuple[str, ...]:
    """Names that can stand in a model's `columns`.

    Parameters
    ----------
    group
        "" for the features of our own model; "objects" for columns of the table, "context" for those of
        `sherlock_classifications`, "newest" for those of the newest detection. They are written
        ``objects.NAME``, ``context.NAME``, ``newest.NAME``; ``context.NAME=TEXT`` is 1 where a column of
        text has this value, and 0 elsewhere.
    """
    if not group:
        return FEATURES
    names = [f.name for f in arrow_schema(_TABLES[group]) if _is_number(f.type) or _is_text(f.type)]
    return tuple(f"{group}.{name}" for name in names)


def check_columns(columns: Sequence[str]) -> None:
    """Raise a ValueError that says which column there is none of, or that a text is not compared."""
    for column in columns:
        name, _, text = column.partition("=")
        group = name.partition(".")[0] if "." in name else ""
        known = column_names(group) if not group or group in _TABLES else ()
        if name not in known:
            near = closest(name, known or FEATURES)
            hint = f"; is it {near!r}?" if near else ""
            raise ValueError(
                f"there is no column {name!r}{hint} There are our features (age, peakMag …), objects.NAME, "
                "context.NAME and newest.NAME"
            )
        kind = arrow_schema(_TABLES[group]).field(name.partition(".")[2]).type if group else pa.float32()
        if _is_text(kind) and not text:
            raise ValueError(f"{name!r} is text: write {name}=VALUE for 1 where it has a value, else 0")
        if text and not _is_text(kind):
            raise ValueError(f"{name!r} is no text: it cannot be compared with {text!r}")


def columns_of(
    batch: AlertBatch, features: Float32, rows: npt.NDArray[np.int64], names: Sequence[str]
) -> Float64:
    """The named columns of the objects `rows` of a batch, shape (rows, names), NaN for what is not known.

    Parameters
    ----------
    features
        Of all objects of the batch, as our own model sees them.
    """
    found = np.empty((len(rows), len(names)))
    context: npt.NDArray[np.int64] | None = None
    for k, column in enumerate(names):
        group, _, name = column.rpartition("=")[0].partition(".") if "=" in column else column.partition(".")
        if not name:
            found[:, k] = features[rows, FEATURES.index(column)]
            continue
        text = column.partition("=")[2]
        if group == "objects":
            found[:, k] = _values(batch.objects, name, text, rows)
        elif group == "newest":
            found[:, k] = _newest(batch, name, text, rows)
        else:
            if context is None:
                context = _context_rows(batch)[rows]
            found[:, k] = _values(batch.tables.get("sherlock_classifications"), name, text, context)
    return found


def _context_rows(batch: AlertBatch) -> npt.NDArray[np.int64]:
    """The row of each object in the table of the context stage, -1 for none."""
    table = batch.tables.get("sherlock_classifications")
    if table is None or not table.num_rows:
        return np.full(batch.objects.num_rows, -1)
    found = pc.index_in(batch.objects["diaObjectId"], value_set=table["diaObjectId"].combine_chunks())
    rows: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return rows


def _newest(batch: AlertBatch, name: str, text: str, rows: npt.NDArray[np.int64]) -> Float64:
    """A column of the newest detection of each object."""
    sources = batch.diaSources
    last = sources.offsets[rows + 1] - 1
    there = last >= sources.offsets[rows]
    table = sources.take(last[there], [name])
    found = np.full(len(rows), np.nan)
    found[there] = _values(table, name, text, np.arange(table.num_rows))
    return found


def _values(table: pa.Table | None, name: str, text: str, rows: npt.NDArray[np.int64]) -> Float64:
    """A column at rows, -1 meaning none: numbers, or whether a text has a value; NaN for what is NULL."""
    if table is None or name not in table.column_names or not table.num_rows:
        return np.full(len(rows), np.nan)
    if text:
        alike = pc.equal(table.column(name).cast(pa.string()), text).cast(pa.float64())
        numbers = pc.fill_null(alike, np.nan).to_numpy()
    else:
        numbers = floats_of(table, name)
    return np.where(rows >= 0, numbers[rows], np.nan)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
