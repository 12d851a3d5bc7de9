"""The selected columns of hits as JSON, a column at a time."""

from __future__ import annotations

import base64
import json

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["json_values", "objects_as_json"]


def objects_as_json(rows: pa.Table) -> pa.Array:
    """Each row as a JSON object: the columns in their order and spelling, NULL as ``null``.

    Numbers have the fewest digits that give the same value again; NaN and infinity, which JSON has not, are
    ``null``; a time is ``YYYY-MM-DD HH:MM:SS.ffffff`` in UTC, and bytes are base64.
    """
    if not rows.column_names:
        return pa.array(["{}"] * rows.num_rows, pa.string())
    pieces: list[pa.Array | str] = []
    before = "{"
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        pieces += [f"{before}{_text(name)}:", json_values(column)]
        before = ","
    joined = pc.binary_join_element_wise(*pieces, "}", "")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def json_values(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Each value as JSON, ``null`` for NULL."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = values.type
    if pa.types.is_null(kind):
        return pa.array(["null"] * len(values), pa.string())
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_finite(values), values, None)
        texts = values.cast(pa.string())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Each distinct word is written once.
        coded = values.dictionary_encode()
        words = pa.array([_text(word) for word in coded.dictionary.to_pylist()], pa.string())
        texts = words.take(coded.indices)
    elif pa.types.is_timestamp(kind):
        texts = _quoted(pc.strftime(values, format="%Y-%m-%d %H:%M:%S"))
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        coded = [None if v is None else f'"{base64.b64encode(v).decode()}"' for v in values.to_pylist()]
        texts = pa.array(coded, pa.string())
    else:  # integers and truth values
        texts = values.cast(pa.string())
    return pc.fill_null(texts, "null")


def _quoted(texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
