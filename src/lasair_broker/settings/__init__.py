"""Typed settings of an installation, from environment variables and a TOML or YAML file."""

from ._archive import ArchiveSettings
from ._context import ClassifySettings, ContextSettings, TnsSettings
from ._delivery import DeliverySettings
from ._kafka import KafkaConnection, KafkaSettings
from ._messengers import MessengersSettings
from ._settings import CONFIG_VARIABLE, Settings, SettingsError, load
from ._site import SiteSettings
from ._stream import SchemaSettings, StreamSettings
from ._transfers import PhotometrySettings, SendingSettings
from ._watching import LoggingSettings, MetricsSettings, TelemetrySettings

__all__ = [
    "CONFIG_VARIABLE",
    "ArchiveSettings",
    "ClassifySettings",
    "ContextSettings",
    "DeliverySettings",
    "KafkaConnection",
    "KafkaSettings",
    "LoggingSettings",
    "MessengersSettings",
    "MetricsSettings",
    "PhotometrySettings",
    "SchemaSettings",
    "SendingSettings",
    "Settings",
    "SettingsError",
    "SiteSettings",
    "StreamSettings",
    "TelemetrySettings",
    "TnsSettings",
    "load",
]
