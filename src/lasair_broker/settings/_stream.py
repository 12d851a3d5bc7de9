"""How packets are read, gathered and filtered."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from ._section import Paths, Section

__all__ = ["SchemaSettings", "StreamSettings"]


class SchemaSettings(Section):
    """Where writer schemas of packets come from."""

    folders: Paths = Field((), description="Folders with Avro schemas, MAJOR/MINOR/*.avsc.")
    registry_url: str = Field("", description="Schema registry (Confluent's REST interface).")
    registry_username: str = Field("", description="User name for the registry.")
    registry_password: SecretStr = Field(SecretStr(""), description="Password for the registry.")
    use_installed: bool = Field(True, description="Use the schemas of lsst-alert-packet, if installed.")


class StreamSettings(Section):
    """How alerts are gathered into batches."""

    batch_alerts: int = Field(5000, description="Alerts in a batch, at most.", ge=1, le=1_000_000)
    batch_bytes: int = Field(
        128 * 1024**2, description="Bytes of messages in a batch, at most (one message may be more).", ge=1024
    )
    batch_wait: float = Field(
        1.0, description="Seconds a batch waits to fill after its first alert, at most.", gt=0, le=600
    )
    poison_limit: int = Field(
        100,
        description="So many alerts of one batch may be rejected because a stage fails on them; "
        "at more the stage is broken, and the worker stops.",
        ge=1,
    )
    subscriptions: Path | None = Field(
        None, description="YAML file of filters, lists and maps to run instead of those of the user database."
    )
    filter_seconds: float = Field(
        2.0, description="Seconds a filter may compute on a batch; then it is stopped.", gt=0
    )
    filter_strikes: int = Field(
        3, description="A filter that takes too long so often in a row is paused for a while.", ge=1
    )
    filter_fraction: float = Field(
        0.1, description="A filter that passes a larger part of the alerts is not activated.", gt=0, le=1
    )
