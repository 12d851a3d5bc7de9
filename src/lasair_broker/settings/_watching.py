"""What tells those who run an installation how it does."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ._section import Section

__all__ = ["LoggingSettings", "MetricsSettings", "TelemetrySettings"]


class MetricsSettings(Section):
    """The pages of workers for those who watch them: /metrics, /health/live, /health/ready."""

    port: int | None = Field(None, description="TCP port; none: no pages; 0: any free port.", ge=0, le=65535)
    address: str = Field("127.0.0.1", description="Address to listen at.")


class TelemetrySettings(Section):
    """Traces of batches, requests and jobs, for an OpenTelemetry collector."""

    endpoint: str = Field(
        "",
        description="Address of a collector that takes OTLP over HTTP, http://collector:4318 say; none: "
        "nothing is traced. Needs the extra lasair-broker[otel]; headers, certificates and the like are set "
        "by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_HEADERS).",
        pattern=r"^(https?://\S+)?$",
    )
    fraction: float = Field(1.0, description="The part of all traces that is recorded.", ge=0, le=1)


class LoggingSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level shown.")
    format: Literal["console", "json"] = Field(
        "console", description="For people, or one JSON object a line."
    )
