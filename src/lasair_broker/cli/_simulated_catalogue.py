"""The simulated sky as a catalogue, so that simulated alerts have a context."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from lasair_broker.context.catalogues import add_catalogue, read_description
from lasair_broker.packets.simulator import Simulation

__all__ = ["write_simulated_catalogue"]

_NAME = "simulated"


def write_simulated_catalogue(simulation: Simulation, folder: Path) -> int:
    """Import what stands in a simulated sky as catalogue `simulated`; returns how many sources there are."""
    sky = simulation.catalogue()
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "catalogue.parquet"
        pq.write_table(sky, file)
        add_catalogue(folder, _NAME, str(file), read_description(_NAME))
    return int(sky.num_rows)
