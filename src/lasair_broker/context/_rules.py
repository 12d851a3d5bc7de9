"""The contextual classifier as it is configured: views of catalogues, searches in them, and how they are
weighed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lasair_broker.context.catalogues._expressions import Expression, ExpressionError
from lasair_broker.context.errors import ContextError

__all__ = ["CLASSES", "Merging", "Neighbour", "Rules", "Search", "View", "read_rules"]

CLASSES = ("AGN", "CV", "NT", "SN", "HPMS", "VS", "BS", "UNCLEAR")
"""What a match can make of an object, the first having precedence. Without a match it is an ORPHAN."""

Class = Literal["AGN", "CV", "NT", "SN", "HPMS", "VS", "BS", "UNCLEAR"]

_SHIPPED = files("lasair_broker.context") / "rules.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class View(_Part):
    """Some of a catalogue's rows.

    Attributes
    ----------
    catalogue
        Its name. Searches in a catalogue that is not there are left out, and the status says so.
    where
        Which rows; an expression of the catalogue's columns. A comparison with a missing value does not hold.
    kind
        What these rows are, in words for people.
    """

    catalogue: str
    where: str | None = None
    kind: Literal[
        "star",
        "bright star",
        "galaxy",
        "AGN",
        "cataclysmic variable",
        "variable star",
        "source",
        "infrared source",
        "radio source",
        "X-ray source",
        "gamma-ray source",
    ]

    @model_validator(mode="after")
    def _check(self) -> View:
        if self.where is not None:
            try:
                if Expression(self.where).is_name:
                    Expression(self.where).columns([])  # says why it does not parse
            except ExpressionError as error:
                raise ValueError(f"where: {str(error).removesuffix('; the source has ')}") from None
        return self


class Search(_Part):
    """What a row of a view near an object means.

    Attributes
    ----------
    view
        Name of the view.
    radius
        Arcseconds within which a row may have to do with the object.
    synonym, synonym_radius
        Class of an object that *is* the row's source, and the arcseconds within which it is; by default those
        of the whole configuration.
    association
        Class of an object that belongs to the row's source without being it.
    annotation
        The same, weaker: it counts only if nothing else is found.
    crossmatch
        The row is listed among what is found near the object, and has no say in its class, host or redshift:
        for catalogues whose positions are too coarse, or whose sources are of every kind.
    errors
        A row must also be within so many standard errors of its position, or within the configuration's
        synonym radius, which stands for what the errors leave out. A row without an error needs only
        `radius`.
    physical
        An association also holds within so many kpc at the distance of the row's source.
    halo
        The radius is that of the glare of a star of its magnitude: 10^(3.7 - 0.2 mag) arcsec, at most
        `radius`.
    host
        Rows are galaxies that may be the object's host; an association then needs the configured directional
        light radius or `physical`, and the configured probability.
    """

    view: str
    radius: float = Field(gt=0, le=18000)
    synonym: Class | None = None
    synonym_radius: float | None = Field(None, gt=0)
    association: Class | None = None
    annotation: Class | None = None
    crossmatch: bool = False
    errors: float | None = Field(None, gt=0)
    physical: float | None = Field(None, gt=0)
    halo: bool = False
    host: bool = False

    @model_validator(mode="after")
    def _check(self) -> Search:
        says = bool(self.synonym or self.association or self.annotation)
        if not (says or self.crossmatch):
            raise ValueError(
                "says of nothing what it means: give synonym, association, annotation or crossmatch: true"
            )
        if self.crossmatch and (says or self.host):
            raise ValueError("a crossmatch has no say: no synonym, association, annotation or host with it")
        if self.association and self.annotation:
            raise ValueError("give association or annotation, not both")
        if self.physical is not None and not self.host:
            raise ValueError("physical is for galaxies: add host: true")
        return self


class Merging(_Part):
    """When rows of several catalogues are one source.

    Attributes
    ----------
    radius
        Arcseconds between their positions.
    extent
        Galaxies of different catalogues also if they are nearer than this part of the larger's radius.
    """

    radius: float = Field(1.0, ge=0)
    extent: float = Field(0.1, ge=0, le=1)


class Nucleus(_Part):
    """When a star is really the core of a galaxy: point-like sources lie there in every star catalogue.

    Attributes
    ----------
    radius
        Arcseconds from the centre of a galaxy.
    light_radii
        Or so many directional light radii.
    redshift
        Of the galaxy, at least: stars of the nearest galaxies are seen one by one.
    motion
        A proper motion or parallax of so many standard errors shows a star.
    """

    radius: float = Field(2.0, ge=0)
    light_radii: float = Field(0.3, ge=0)
    redshift: float = Field(0.001, ge=0)
    motion: float = Field(5.0, gt=0)


class Hosts(_Part):
    """When a galaxy is the host.

    Attributes
    ----------
    light_radii
        Largest directional light radius.
    probability
        Least probability.
    faintest_nucleus
        A galaxy fainter than this (mag) is never said to be the object itself.
    chance
        A galaxy seen within another that is nearer than `nearest` is a piece of it, unless more than so many
        as bright as it are expected there by chance.
    scale, brightness, crowding, log_unseen, nearest, largest
        See `HostModel`.
    """

    light_radii: float = Field(4.0, gt=0)
    probability: float = Field(0.1, ge=0, le=1)
    faintest_nucleus: float = 21.0
    scale: float = Field(0.503, gt=0)
    brightness: float = 0.629
    crowding: float = 0.526
    log_unseen: float = -4.044
    nearest: float = Field(10.0, gt=0)
    largest: float = Field(70.0, gt=0)
    chance: float = Field(10.0, gt=0)


class Neighbour(_Part):
    """A galaxy so near that its redshift tells nothing, and of which catalogues may not have the distance.

    Attributes
    ----------
    name
        For people.
    ra, decl
        Degrees.
    radius
        Degrees within which a galaxy of at least a tenth of that size is this one.
    distance
        Mpc.
    """

    name: str
    ra: float = Field(ge=0, lt=360)
    decl: float = Field(ge=-90, le=90)
    radius: float = Field(gt=0, le=5)
    distance: float = Field(gt=0)


class Rules(_Part):
    """The whole configuration."""

    name: str
    synonym_radius: float = Field(1.3, gt=0)
    wide: float = Field(
        30.0, gt=0, description="Searches wider than this look only at sources that reach so far."
    )
    merging: Merging = Merging()
    nucleus: Nucleus = Nucleus()
    hosts: Hosts = Hosts()
    neighbours: tuple[Neighbour, ...] = ()
    views: Mapping[str, View]
    searches: Mapping[str, Search]

    @model_validator(mode="after")
    def _check(self) -> Rules:
        for name, search in self.searches.items():
            if search.view not in self.views:
                raise ValueError(f"searches.{name}.view: there is no view {search.view!r}")
        return self

    @property
    def catalogues(self) -> tuple[str, ...]:
        """The catalogues that searches look into, in order."""
        return tuple(dict.fromkeys(self.views[search.view].catalogue for search in self.searches.values()))

    def digest(self, versions: Mapping[str, str]) -> str:
        """A hash of these rules with catalogues of these versions, 16 characters: same digest, same
        verdict."""
        told = json.dumps([self.model_dump(mode="json"), sorted(versions.items())], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def read_rules(path: str | Path | None = None) -> Rules:
    """Read a configuration; without a path the one that comes with Lasair.

    Raises
    ------
    ContextError
        If it cannot be read or is not valid; the message names file and line.
    """
    where = str(path) if path is not None else "rules.yaml (shipped)"
    try:
        text = (Path(path) if path is not None else _SHIPPED).read_text(encoding="utf-8")
    except OSError as error:
        raise ContextError(f"cannot read the rules {where}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ContextError(f"the rules {where} are not UTF-8 text") from None
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ContextError(f"the rules {where} are not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ContextError(f"the rules {where} are no YAML mapping")
    _refuse_doubles(tree, where)
    try:
        return Rules.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_input=False):
            place, message = list(problem["loc"]), problem["msg"].removeprefix("Value error, ")
            if not place and message.startswith("searches."):  # found by the check of the whole
                told, _, message = message.partition(": ")
                place = list(told.split("."))
            name = ".".join(str(part) for part in place)
            lines.append(f"line {_line(tree, place)}: {name}: {message}" if name else message)
        raise ContextError(f"the rules {where} are not valid:\n" + "\n".join(lines)) from None


def _line(node: Any, place: list[Any]) -> int:
    """The line (from 1) at which the value at a place in the tree begins, or the nearest thing above it."""
    line: int = node.start_mark.line + 1
    for part in place:
        if not isinstance(node, yaml.MappingNode):
            break
        for key, value in node.value:
            if key.value == str(part):
                line, node = key.start_mark.line + 1, value
                break
        else:
            break
    return line


def _refuse_doubles(node: Any, where: str) -> None:
    """YAML keeps the last of two values of one name without a word; here it is an error."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ContextError(
                    f"the rules {where} have {key.value!r} twice, in lines {seen[key.value]} and {line}"
                )
            seen[key.value] = line
            _refuse_doubles(value, where)
