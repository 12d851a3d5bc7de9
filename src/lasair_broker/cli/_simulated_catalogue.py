"""The simulated sky as a catalogue, so that simulated alerts have a context."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context.catalogues import Description, write_catalogue
from lasair_broker.packets.simulator import Simulation

__all__ = ["write_simulated_catalogue"]

NAME = "simulated"
_BANDS = ("u", "g", "r", "i", "z", "y")


def write_simulated_catalogue(simulation: Simulation, folder: Path) -> int:
    """Import what stands in a simulated sky as catalogue `simulated`; returns how many sources there are."""
    sky = simulation.catalogue()
    whole_axis = pc.multiply(sky["radius"], pa.scalar(2.0, pa.float32()))
    columns = {
        "name": sky["sourceId"].cast(pa.string()),
        "type": sky["kind"],
        "ra": sky["ra"],
        "decl": sky["decl"],
        "pmra": sky["pmRa"],
        "pmdec": sky["pmDecl"],
        "parallax": sky["parallax"],
        "major_axis": whole_axis,
        "minor_axis": pc.multiply(whole_axis, sky["axisRatio"]),
        "position_angle": sky["positionAngle"],
        "redshift": sky["specz"],
        "redshift_kind": pc.if_else(sky["specz"].is_valid(), "spec", pa.scalar(None, pa.string())),
        "photoz": sky["photoz"],
        "photoz_error": sky["photozErr"],
        **{f"mag_{band}": sky[f"{band}_mag"] for band in _BANDS},
    }
    description = Description(
        title="the simulated sky",
        source="lasair simulate --catalogue",
        licence="BSD-3-Clause",
        citation="the Lasair broker",
        axes="half_light",
        epoch=2026.0,
        columns={name: name for name in columns},
    )
    write_catalogue(folder, NAME, pa.table(columns), description)
    return int(sky.num_rows)
