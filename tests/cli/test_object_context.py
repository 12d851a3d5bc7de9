"""What `lasair object` says of lists, filters and annotations, held to rows that are written down here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pyarrow as pa
import pytest

from lasair_broker.archive import Archive
from lasair_broker.cli._object_context import show_context
from lasair_broker.schema import arrow_schema

ROWS: dict[str, list[dict[str, Any]]] = {
    "sherlock_classifications": [
        {"classification": "SN", "description": "In [bold]NGC 1[/bold].", "hostId": "NGC 1",
         "hostCatalogue": "ngc", "hostProbability": 0.9, "redshift": 0.0151,
         "redshiftErr": 0.001, "redshiftKind": "spec"},
    ],
    "annotations": [
        {"topic": "b", "classification": "Ia", "explanation": None},
        {"topic": "a", "classification": None, "explanation": "odd [red]one"},
    ],
    "watchlist_hits": [
        {"wl_id": 3, "cone_id": 4, "arcsec": 2.5, "name": None},
        {"wl_id": 2, "cone_id": 1, "arcsec": 0.5, "name": "V1 [x]"},
    ],
    "area_hits": [{"ar_id": number} for number in range(12)],
    "filter_hits": [
        {"filterId": 7, "hitId": "1", "committedMjdTai": 60000.0 + 37 / 86400},
        {"filterId": 7, "hitId": "2", "committedMjdTai": 60001.0 + 37 / 86400},
        {"filterId": 8, "hitId": "3", "committedMjdTai": 60002.0 + 37 / 86400},
    ],
}  # fmt: skip


class Rows:
    """As much of an archive as the context of an object is read from."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        self._rows = rows

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        assert list(diaObjectIds) == [5]
        known = arrow_schema(name)
        schema = pa.schema([pa.field(field.name, field.type) for field in known])
        found = pa.Table.from_pylist(self._rows.get(name, []), schema)
        return found if columns is None else found.select(list(columns))


def shown(capsys: pytest.CaptureFixture[str], rows: dict[str, list[dict[str, Any]]], **row: Any) -> list[str]:
    show_context(cast(Archive, Rows(rows)), {"diaObjectId": 5, **row})
    lines = capsys.readouterr().out.splitlines()
    return [" ".join(line.strip("│ ").split()) for line in lines[1:-1]]


def test_everything_that_is_known_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, ROWS, tns_name="2023ixf", ebv=0.0123, absMag=-18.25, absMagMJD=60000.5)
    assert lines == [
        "class SN: In [bold]NGC 1[/bold].",
        "host NGC 1 (ngc), probability 0.9",
        "redshift 0.0151 ± 0.0010 (spec)",
        "TNS 2023ixf",
        "E(B-V) 0.012 mag",
        "absolute magnitude -18.25 at MJD 60000.50",
        "annotation a: odd [red]one",
        "annotation b: Ia",
        "watchlist 2: V1 [x], 0.50″ away",
        "watchlist 3: 4, 2.50″ away",
        *(f"watchmap {number}" for number in range(10)),
        "watchmap … and 2 more",
        "filter 8: passed once, last on 2023-02-27 00:00:00 UTC",
        "filter 7: passed 2 times, last on 2023-02-26 00:00:00 UTC",
    ]


def test_of_an_object_of_which_nothing_is_known_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_context(cast(Archive, Rows({})), {"diaObjectId": 5, "tns_name": None, "ebv": None})
    assert capsys.readouterr().out == ""
