"""What commands that run for long have in common for those who watch them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ._console import console

__all__ = ["MetricsPort", "metrics_at", "tell_of_metrics"]

MetricsPort = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="Serve /metrics, /health/live and /health/ready.", min=0, max=65535),
]


def metrics_at(port: int | None) -> dict[str, Any]:
    """The sections of settings that this option of a command changes."""
    return {} if port is None else {"metrics": {"port": port}}


def tell_of_metrics(address: str, port: int | None) -> None:
    """Say where metrics are, if they are served."""
    if port is not None:
        console.print(f"metrics at http://{address}:{port}/metrics", highlight=False)
