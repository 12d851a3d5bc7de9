"""What the status shows of the stream's work by night, against sums by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from lasair_broker.archive import open_archive
from lasair_broker.schema import arrow_schema

ROWS = [
    (61000, "a", "read", 100, 1.0, 1.0, 0, 5.0, 30),
    (61000, "b", "read", 50, 1.0, 0.5, 0, 7.0, 10),
    (61000, "a", "sky", 100, 2.0, 2.0, 1, None, None),
    (61000, "b", "sky", 50, 4.0, 1.0, 2, None, None),
    (61001, "a", "sky", 10, 1.0, 1.0, 0, None, None),
]


def test_processes_are_summed_up(people: Any, tmp_path: Path) -> None:
    from lasair_broker.web.archive import use
    from lasair_broker.web.nights import nights, work

    schema = arrow_schema("stage_nights")
    values = zip(*ROWS, strict=True)
    columns = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    with open_archive(tmp_path / "archive") as archive:
        archive.write([], tables={"stage_nights": pa.table(columns, schema=schema)})
        use(archive)
        try:
            found = work()
            assert set(found) == {61000, 61001}
            first = found[61000]
            assert [(s.name, s.alerts, s.seconds, s.cpu_seconds, s.failures) for s in first.stages] == [
                ("sky", 150.0, 6.0, 3.0, 3.0),
                ("read", 150.0, 2.0, 1.5, 0.0),
            ]
            assert (first.lag_mean, first.lag_max) == (6.0, 30)
            assert first.microseconds == pytest.approx(8.0 / 150 * 1e6)
            assert found[61001].lag_max is None
            assert [(night.mjd, night.alerts) for night in nights()] == [(61001, 0), (61000, 0)]
            page = Client(SERVER_NAME="localhost").get("/status/", {"night": "61000"}).content.decode()
            assert "What the stream did then" in page
            assert "30 messages at most" in page
        finally:
            use(None)
