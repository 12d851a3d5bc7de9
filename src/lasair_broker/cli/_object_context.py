"""What is known of an object beyond its light curve: its surroundings, its names, what users found in it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lasair_broker.archive import Archive

from ._context import console
from ._format import number, utc

__all__ = ["show_context"]

_LISTED = 10
"""Rows of a kind shown at most."""


def show_context(store: Archive, row: dict[str, Any]) -> None:
    """Show the context of an object, of which `row` is the row in `objects`; nothing if nothing is known."""
    known = Table.grid(padding=(0, 2))
    for label, text in (
        *_surroundings(store, row),
        *_annotations(store, row["diaObjectId"]),
        *_lists(store, row["diaObjectId"]),
        *_filters(store, row["diaObjectId"]),
    ):
        known.add_row(f"[dim]{label}[/]", escape(text))
    if known.row_count:
        console.print(Panel(known, title="Context", expand=False), highlight=False)


_Line = tuple[str, str]


def _surroundings(store: Archive, row: dict[str, Any]) -> list[_Line]:
    lines: list[_Line] = []
    for said in store.rows_of_objects("sherlock_classifications", [row["diaObjectId"]]).to_pylist():
        lines.append(("class", f"{said['classification']}: {said['description'] or ''}".rstrip(": ")))
        if said["hostId"] is not None:
            host = (
                f"{said['hostId']} ({said['hostCatalogue']}), probability {number(said['hostProbability'])}"
            )
            lines.append(("host", host))
        if said["redshift"] is not None:
            error = f" ± {said['redshiftErr']:.4f}" if said["redshiftErr"] is not None else ""
            lines.append(("redshift", f"{said['redshift']:.4f}{error} ({said['redshiftKind']})"))
    if row.get("tns_name") is not None:
        lines.append(("TNS", row["tns_name"]))
    if row.get("ebv") is not None:
        lines.append(("E(B-V)", f"{row['ebv']:.3f} mag"))
    if row.get("absMag") is not None:
        lines.append(("absolute magnitude", f"{row['absMag']:.2f} at MJD {row['absMagMJD']:.2f}"))
    return lines


def _annotations(store: Archive, diaObjectId: int) -> list[_Line]:
    lines: list[_Line] = []
    for said in store.rows_of_objects("annotations", [diaObjectId]).sort_by("topic").to_pylist():
        words = " ".join(said[column] for column in ("classification", "explanation") if said[column])
        lines.append(("annotation", f"{said['topic']}: {words}"))
    return _cut(lines)


def _lists(store: Archive, diaObjectId: int) -> list[_Line]:
    sources = store.rows_of_objects("watchlist_hits", [diaObjectId]).sort_by("arcsec").to_pylist()
    maps = store.rows_of_objects("area_hits", [diaObjectId]).sort_by("ar_id").to_pylist()
    return [
        *_cut(
            [
                ("watchlist", f"{hit['wl_id']}: {hit['name'] or hit['cone_id']}, {hit['arcsec']:.2f}″ away")
                for hit in sources
            ]
        ),
        *_cut([("watchmap", str(hit["ar_id"])) for hit in maps]),
    ]


def _filters(store: Archive, diaObjectId: int) -> list[_Line]:
    columns = ["filterId", "hitId", "committedMjdTai"]
    hits: pa.Table = store.rows_of_objects("filter_hits", [diaObjectId], columns)
    passed = hits.group_by("filterId").aggregate([("hitId", "count"), ("committedMjdTai", "max")])
    lines = []
    for hit in passed.sort_by([("committedMjdTai_max", "descending")]).to_pylist():
        times = "once" if hit["hitId_count"] == 1 else f"{hit['hitId_count']:,} times"
        lines.append(
            ("filter", f"{hit['filterId']}: passed {times}, last on {utc(hit['committedMjdTai_max'])}")
        )
    return _cut(lines)


def _cut(lines: list[_Line]) -> list[_Line]:
    """The first of them, and how many more there are."""
    if len(lines) <= _LISTED:
        return lines
    return [*lines[:_LISTED], (lines[0][0], f"… and {len(lines) - _LISTED:,} more")]
