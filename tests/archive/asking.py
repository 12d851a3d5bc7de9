"""Statements of tests, as both engines understand them."""

from __future__ import annotations

import re

import pyarrow as pa

from lasair_broker.archive import Archive

_MIXED = re.compile(r"""'[^']*'|"[^"]*"|\b[a-z]+[A-Z]\w*\b""")


def ask(archive: Archive, sql: str, max_rows: int | None = None) -> pa.Table:
    """The result of a statement whose names in mixed case need no quotes; with ORDER BY ALL in the order of
    all columns."""
    sql, ordered = re.subn(r"\s+ORDER BY ALL$", "", sql)
    quoted = _MIXED.sub(lambda found: found[0] if found[0][0] in "'\"" else f'"{found[0]}"', sql)
    rows = archive.query(quoted, max_rows=max_rows)
    return rows.sort_by([(name, "ascending") for name in rows.column_names]) if ordered else rows
