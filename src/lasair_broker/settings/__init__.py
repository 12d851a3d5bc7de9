"""Typed settings of an installation, from environment variables and a TOML or YAML file."""

from ._settings import (
    ArchiveSettings,
    KafkaSettings,
    LoggingSettings,
    MetricsSettings,
    SchemaSettings,
    Settings,
    SettingsError,
    StreamSettings,
    load,
)

__all__ = [
    "ArchiveSettings",
    "KafkaSettings",
    "LoggingSettings",
    "MetricsSettings",
    "SchemaSettings",
    "Settings",
    "SettingsError",
    "StreamSettings",
    "load",
]
