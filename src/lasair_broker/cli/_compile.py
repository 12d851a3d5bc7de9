"""`lasair compile-kernels`: what setting up runs, so that nothing later waits for a compiler."""

from __future__ import annotations

from lasair_broker.stream import warm_up

from ._context import errors, pipeline_of, settings_for

__all__ = ["compile_kernels"]


def compile_kernels() -> None:
    """Compile the kernels of the pipeline and keep them beside the code."""
    with errors.status("compiling the kernels …"):
        warm_up(pipeline_of(settings_for(None)))
