"""What the tests of packets share: the folder of real data, schema stores, messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from lasair_broker.packets import Messages, SchemaStore


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real test data, beside the repository unless LASAIR_TEST_DATA says where."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("LASAIR_TEST_DATA", beside))
    assert folder.is_dir(), f"no test data at {folder}; set LASAIR_TEST_DATA"
    return folder


@pytest.fixture(scope="session")
def schemas() -> SchemaStore:
    """Official schemas of the installed lsst-alert-packet."""
    return SchemaStore()


@pytest.fixture(scope="session")
def as_messages() -> Callable[[Sequence[bytes]], Messages]:
    """Makes messages of values, one after the other in partition 3 of topic `night`."""

    def make(values: Sequence[bytes]) -> Messages:
        count = len(values)
        return Messages(
            list(values),
            ("other", "night"),
            np.ones(count, np.int32),
            np.full(count, 3, np.int32),
            np.arange(100, 100 + count),
            61000.0 + np.arange(count) / 1024.0,
        )

    return make
