"""Simulated packets as fastavro reads them with LSST's own schema."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import fastavro

from lasair_broker.packets.simulator import Simulation


def decode(simulation: Simulation, values: Sequence[bytes]) -> list[dict[str, Any]]:
    """Packets as dictionaries, read by fastavro."""
    schema = fastavro.parse_schema(simulation.schema)
    out = []
    for value in values:
        stream = io.BytesIO(value)
        assert stream.read(5) == b"\0" + simulation.schema_id.to_bytes(4, "big")
        out.append(fastavro.schemaless_reader(stream, schema, None))
        assert not stream.read(1), "bytes are left over"
    return out
