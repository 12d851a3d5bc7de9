"""A synthetic sky, observed by an LSST-like survey and sent as alert packets in Rubin's own schema.

`Simulation` is the stream; `write_files` and `produce` send it somewhere; `simulate_light_curves` makes
training sets from the same populations; the package `populations` says what there is in the sky.
"""

from lasair_broker.packets.simulator._output import FILE_LAYOUTS, paced, produce, write_files
from lasair_broker.packets.simulator._simulation import LSST_ALERTS_PER_SECOND, Simulation
from lasair_broker.packets.simulator._training import LightCurves, simulate_light_curves
from lasair_broker.packets.simulator._truth import CATALOGUE_SCHEMA, TRUTH_SCHEMA
from lasair_broker.packets.simulator.populations import POPULATIONS

__all__ = [
    "CATALOGUE_SCHEMA",
    "FILE_LAYOUTS",
    "LSST_ALERTS_PER_SECOND",
    "POPULATIONS",
    "TRUTH_SCHEMA",
    "LightCurves",
    "Simulation",
    "paced",
    "produce",
    "simulate_light_curves",
    "write_files",
]
