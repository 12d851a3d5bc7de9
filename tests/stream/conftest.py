"""Real packets, a pipeline for them, and an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stream_fixtures import messages, messages_of

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore, decode
from lasair_broker.stream import Pipeline, standard_stages


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data."""
    folder = Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    assert folder.is_dir(), f"the tests need the real data at {folder}, or LASAIR_TEST_DATA"
    return folder


@pytest.fixture(scope="session")
def schemas(data: Path) -> SchemaStore:
    return SchemaStore(folders=[data / "lsst" / "schemas"])


@pytest.fixture(scope="session")
def supernova(data: Path, schemas: SchemaStore) -> list[bytes]:
    """The 34 successive ZTF alerts of one supernova, in order of time."""
    values = messages_of([data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"])
    assert len(values) == 34
    (batch,), _ = decode(messages(values), schemas)
    return [values[row] for row in np.argsort(batch.alerts.column("midpointMjdTai").to_numpy())]


@pytest.fixture(scope="session")
def visit(data: Path) -> list[bytes]:
    """Eight LSST alerts of one visit, as sent."""
    values = messages_of([data / "lsst" / "wire_v10"])
    assert len(values) == 8
    return values


@pytest.fixture
def pipeline(schemas: SchemaStore) -> Pipeline:
    return Pipeline(schemas, standard_stages())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        yield opened
