"""Typed settings of an installation, from environment variables and a TOML or YAML file."""

from ._settings import (
    CONFIG_VARIABLE,
    ArchiveSettings,
    ContextSettings,
    DeliverySettings,
    KafkaConnection,
    KafkaSettings,
    LoggingSettings,
    MessengersSettings,
    MetricsSettings,
    SchemaSettings,
    Settings,
    SettingsError,
    SiteSettings,
    StreamSettings,
    TnsSettings,
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
    "MessengersSettings",
    "MetricsSettings",
    "SchemaSettings",
    "Settings",
    "SettingsError",
    "SiteSettings",
    "StreamSettings",
    "TnsSettings",
    "load",
]
