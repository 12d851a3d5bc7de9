"""Getting ready before the first alert, so that it does not wait for kernels to be compiled or loaded."""

from __future__ import annotations

import threading
from dataclasses import replace

import structlog

from lasair_broker.packets import UnknownSchemaError
from lasair_broker.packets.simulator import Simulation

from ._pipeline import Pipeline
from ._simulated import SimulatorSource
from ._times import StageTimes

__all__ = ["warm_up"]

_log = structlog.get_logger(__name__)


def warm_up(pipeline: Pipeline) -> bool:
    """Send a few simulated alerts through the stages, and store and count none of it.

    Returns
    -------
    False if there is no schema to simulate with; the first batch will take longer then.
    """
    try:
        simulation = Simulation(num_fields=1, num_alerts=20, alerts_per_visit=50, schemas=pipeline.schemas)
    except UnknownSchemaError as error:
        _log.info("the first batch will be slow: no schema to warm up with", reason=str(error))
        return False
    source = SimulatorSource(simulation)
    source.open(dict)
    taken = source.read(threading.Event())
    if taken is not None:
        aside = Pipeline(pipeline.schemas, pipeline.stages, times=StageTimes())
        aside.process(replace(taken.messages))
    return True
