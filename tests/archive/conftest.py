"""Archives for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lasair_broker.archive.duckdb import DuckDBArchive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[DuckDBArchive]:
    """An empty archive."""
    with DuckDBArchive(tmp_path / "archive", threads=1) as opened:
        yield opened


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real alerts."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("LASAIR_TEST_DATA", default))
    if not folder.is_dir():
        pytest.fail(f"these tests need real alerts in {folder}; LASAIR_TEST_DATA names another folder")
    return folder
