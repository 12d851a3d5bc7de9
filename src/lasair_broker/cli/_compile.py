"""`lasair compile-kernels`: what setting up runs, so that nothing later waits for a compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lasair_broker.archive import open_archive
from lasair_broker.packets import UnknownSchemaError
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import SimulatorSource, run, warm_up

from ._context import errors, pipeline_of, settings_for

__all__ = ["compile_kernels"]

_ALERTS = 1500


def compile_kernels() -> None:
    """Compile the kernels of the pipeline and the archive, and keep them beside the code.

    A small night goes the whole way into an archive that is thrown away: only real work reaches every
    kernel, with each kind of array that it is given.
    """
    with errors.status("compiling the kernels …"), tempfile.TemporaryDirectory() as folder:
        settings = settings_for(str(Path(folder) / "archive"))
        pipeline = pipeline_of(settings)
        warm_up(pipeline)
        try:
            night = Simulation.night(_ALERTS, cutouts="none", schemas=pipeline.schemas)
        except UnknownSchemaError:
            return  # warm_up has said so
        with open_archive(settings.archive) as archive:
            run(SimulatorSource(night), pipeline, archive)
