"""What an installation can set, where from, and errors that name what is wrong."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ._archive import ArchiveSettings
from ._context import ClassifySettings, ContextSettings, TnsSettings
from ._delivery import DeliverySettings
from ._kafka import KafkaSettings
from ._messengers import MessengersSettings
from ._site import SiteSettings
from ._stream import SchemaSettings, StreamSettings
from ._transfers import PhotometrySettings, SendingSettings
from ._watching import LoggingSettings, MetricsSettings, TelemetrySettings

__all__ = ["CONFIG_VARIABLE", "Settings", "SettingsError", "load"]

ENV_PREFIX = "LASAIR_"
CONFIG_VARIABLE = "LASAIR_CONFIG"


class SettingsError(ValueError):
    """A setting is missing, misspelt or has a value that cannot be used; the message names it."""


class Settings(BaseSettings):
    """All settings. Each can be set by an environment variable, ``LASAIR_<SECTION>__<NAME>``.

    What is passed to the constructor counts most, then the environment, then the file, then the defaults.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    archive: ArchiveSettings = ArchiveSettings()
    kafka: KafkaSettings = KafkaSettings()
    delivery: DeliverySettings = DeliverySettings()
    schemas: SchemaSettings = SchemaSettings()
    stream: StreamSettings = StreamSettings()
    context: ContextSettings = ContextSettings()
    classify: ClassifySettings = ClassifySettings()
    tns: TnsSettings = TnsSettings()
    messengers: MessengersSettings = MessengersSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    site: SiteSettings = SiteSettings()
    photometry: PhotometrySettings = PhotometrySettings()
    sending: SendingSettings = SendingSettings()
    logging: LoggingSettings = LoggingSettings()


def load(path: str | os.PathLike[str] | None = None, **values: Any) -> Settings:
    """Read the settings from `values`, the environment and a file, in this order of weight.

    Parameters
    ----------
    path
        A TOML or YAML file; by default the one the environment variable LASAIR_CONFIG names, if any.
    values
        Sections as mappings, for instance ``kafka={"bootstrap": "localhost:9092"}``.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a setting is unknown or has a value that cannot be used. The message
        names each such setting as ``section.name``, and the variable that sets it.
    """
    named = path if path is not None else os.environ.get(CONFIG_VARIABLE)
    from_file = _read_file(Path(named)) if named else {}

    class FromEverywhere(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Environment(settings_cls), InitSettingsSource(settings_cls, from_file)

    try:
        found = FromEverywhere(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, f"the file {named}" if named else "")) from None
    return Settings.model_construct(**{name: getattr(found, name) for name in Settings.model_fields})


class _Environment(EnvSettingsSource):
    """The environment, where a list may be JSON or text with commas, which the validators understand."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not valid: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"the settings file {path} has no sections: it should map section to settings")
    return values


def _explain(error: ValidationError, file: str) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        name = ".".join(place)
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(place[-1], _names_beside(place), n=1)
            hint = f"; did you mean {'.'.join([*place[:-1], near[0]])}?" if near else ""
            lines.append(f"{name}: there is no such setting{hint}")
        else:
            lines.append(f"{name} (environment {ENV_PREFIX}{'__'.join(place[:2]).upper()}): {problem['msg']}")
    return "\n".join(
        [f"settings are not valid{', see the environment and ' + file if file else ''}:", *lines]
    )


def _names_beside(place: list[str]) -> list[str]:
    """The settings that could stand where the misspelt one does."""
    if len(place) == 1:
        return list(Settings.model_fields)
    section = Settings.model_fields[place[0]].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
