"""What the columns of a table of events are: a small YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lasair_broker.context.events.errors import EventError

__all__ = ["TableMapping", "read_mapping", "shipped_mappings"]

Regime = Literal["radio", "infrared", "optical", "uv", "x-ray", "gamma-ray"]

_FOLDER = files("lasair_broker.context.events").joinpath("mappings")

_STRICT = ConfigDict(extra="forbid", frozen=True)


class Columns(BaseModel):
    """For each value the names that its column may have; the first that is there counts."""

    model_config = _STRICT
    name: tuple[str, ...]
    ra: tuple[str, ...]
    decl: tuple[str, ...]
    time: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    eventClass: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    band: tuple[str, ...] = ()
    magnitude: tuple[str, ...] = ()
    magnitudeErr: tuple[str, ...] = ()
    flux: tuple[str, ...] = ()
    fluxErr: tuple[str, ...] = ()
    errorRadius: tuple[str, ...] = ()
    url: tuple[str, ...] = ()


class TableMapping(BaseModel):
    """A table of events, and what is true of all its rows.

    Attributes
    ----------
    title, about, source
        For people.
    origin
        Survey or catalogue, as in table `external_events`.
    columns
        Which column is what.
    hours
        Right ascension as ``12:34:56`` is in hours (numbers are always degrees).
    scale
        The time scale of times without zone. They may be written as ISO 8601, with a fraction of the day
        (2026-05-30.25), as MJD or as JD.
    error, error_unit, containment
        Radius that holds an event with that probability, for rows without `errorRadius`; the unit of both.
    kind, regime, band, flux_unit, url
        For rows that do not say; `url` may contain ``{name}``.
    """

    model_config = _STRICT
    title: str
    about: str = ""
    source: str = ""
    origin: str = Field(max_length=64)
    columns: Columns
    hours: bool = True
    scale: Literal["utc", "tai", "tt", "tdb", "gps"] = "utc"
    error: float | None = Field(None, gt=0)
    error_unit: Literal["arcsec", "arcmin", "deg"] = "arcsec"
    containment: float = Field(0.9, gt=0, lt=1)
    kind: str | None = None
    regime: Regime | None = None
    band: str | None = None
    flux_unit: str | None = None
    url: str | None = None


def shipped_mappings() -> dict[str, TableMapping]:
    """The mappings that come with Lasair, by name."""
    paths = sorted(_FOLDER.iterdir(), key=lambda path: path.name)
    return {
        p.name.removesuffix(".yaml"): _parsed(p.read_text(), p.name)
        for p in paths
        if p.name.endswith(".yaml")
    }


def read_mapping(name: str) -> TableMapping:
    """A mapping: a YAML file, or the name of one that comes with Lasair.

    Raises
    ------
    EventError
        If there is none, or it is not right; the message names the place.
    """
    shipped = shipped_mappings()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if not path.is_file():
        raise EventError(f"there is no mapping {name}; with Lasair come {', '.join(shipped)}")
    return _parsed(path.read_text(), name)


def _parsed(text: str, name: str) -> TableMapping:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EventError(f"{name} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise EventError(f"{name} is no mapping: it must give title, origin and columns")
    columns = content.get("columns")
    if isinstance(columns, Mapping):
        content["columns"] = {key: [v] if isinstance(v, str) else v for key, v in columns.items()}
    try:
        return TableMapping.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EventError(f"{name}: {where}: {first['msg']}") from None
