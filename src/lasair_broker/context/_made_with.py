"""A mark on a table that says what it was made with, so that who stores it knows whether it is still new."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["made_with", "what_made"]

_MARK = b"lasair.made_with"


def made_with(table: pa.Table, what: str) -> pa.Table:
    """The table, marked."""
    return table.replace_schema_metadata({_MARK: what.encode()})


def what_made(table: pa.Table | None) -> str:
    """What a table was marked with; empty for no table, and for one without a mark."""
    if table is None or not table.schema.metadata:
        return ""
    return str(table.schema.metadata.get(_MARK, b"").decode())
