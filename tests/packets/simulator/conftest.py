"""Small simulations that the tests share."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_packets import decode

from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation


@pytest.fixture(scope="session")
def few_nights(schemas: SchemaStore) -> Simulation:
    """Two fields, every night for three nights, after more than the year of history that packets show."""
    return Simulation(
        11,
        num_fields=2,
        num_nights=3,
        revisit_nights=1,
        history_days=390,
        alerts_per_visit=60,
        cutouts="none",
        boost={"SN Ia": 40.0, "TDE": 200.0},
        schemas=schemas,
    )


@pytest.fixture(scope="session")
def few_nights_packets(few_nights: Simulation) -> list[dict[str, Any]]:
    """All of its packets in order of time."""
    return [packet for messages in few_nights.alerts() for packet in decode(few_nights, messages.values)]
