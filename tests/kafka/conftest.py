"""Kafka for the tests of this folder: one broker for the session, and one to break for whoever asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka_broker import KafkaBroker

sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))  # for `stream_fixtures`


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data."""
    folder = Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    assert folder.is_dir(), f"the tests need the real data at {folder}, or LASAIR_TEST_DATA"
    return folder


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker all tests share; `LASAIR_TEST_KAFKA` names one that runs already."""
    running = os.environ.get("LASAIR_TEST_KAFKA")
    if running:
        yield running
        return
    with KafkaBroker() as broker:
        yield broker.bootstrap


@pytest.fixture(scope="module")
def breakable_kafka() -> Iterator[KafkaBroker]:
    """A broker of this module's own, with SASL and TLS, which its tests may pause, kill and start again."""
    with KafkaBroker(tls=True) as broker:
        broker.add_user()
        yield broker
