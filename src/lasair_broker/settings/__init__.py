"""Typed settings of an installation, from environment variables and a TOML or YAML file."""

from ._settings import (
    CONFIG_VARIABLE,
    ArchiveSettings,
    ContextSettings,
    DeliverySettings,
    KafkaConnection,
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
    "CONFIG_VARIABLE",
    "ArchiveSettings",
    "ContextSettings",
    "DeliverySettings",
    "KafkaConnection",
    "KafkaSettings",
    "LoggingSettings",
    "MetricsSettings",
    "SchemaSettings",
    "Settings",
    "SettingsError",
    "StreamSettings",
    "load",
]
