"""One announced event in our own terms: what every adapter makes of a notice."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

from lasair_broker.context.events._maps import FoundMap
from lasair_broker.context.events.errors import EventError
from lasair_broker.schema import arrow_schema

__all__ = [
    "P90",
    "ErrorRegion",
    "Event",
    "containment_scale",
    "error_region",
    "per_year",
    "rows_of",
    "shortened",
    "whole_notice",
]

P90 = math.sqrt(-2.0 * math.log(0.1))
"""Radius that holds 90 per cent of a round two-dimensional Gaussian, in its standard deviations."""

_LENGTHS = {"origin": 64, "eventName": 128, "kind": 64, "eventClass": 128, "band": 64, "fluxUnit": 32}

_SECONDS_PER_YEAR = 365.25 * 86_400.0


@dataclass(frozen=True, slots=True)
class ErrorRegion:
    """A 90 per cent region: semi-major axis and, of an ellipse, semi-minor axis and position angle of the
    major one (degrees, from north through east)."""

    major: float
    minor: float | None = None
    angle: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What a notice says of an event, as columns of table `external_events` (see there for units); None
    where it says nothing. `found_map` is the map that it carries, and `problem` what of it had to be left
    out and why.
    """

    origin: str
    eventName: str
    revision: int = 0
    kind: str | None = None
    eventClass: str | None = None
    regime: str | None = None
    band: str | None = None
    flux: float | None = None
    fluxErr: float | None = None
    fluxUnit: str | None = None
    role: str = "observation"
    eventMjdTai: float | None = None
    noticeMjdTai: float | None = None
    ra: float | None = None
    decl: float | None = None
    errorRadius: float | None = None
    errorMinor: float | None = None
    errorAngle: float | None = None
    distance: float | None = None
    distanceErr: float | None = None
    falseAlarmRate: float | None = None
    retracted: bool = False
    url: str | None = None
    notice: str | None = None
    alertType: str | None = None
    significant: bool | None = None
    relatedEvent: str | None = None
    skymapUrl: str | None = None
    BNS: float | None = None
    NSBH: float | None = None
    BBH: float | None = None
    Terrestrial: float | None = None
    HasNS: float | None = None
    HasRemnant: float | None = None
    HasMassGap: float | None = None
    found_map: FoundMap | None = field(default=None, compare=False)
    problem: str | None = None

    @property
    def skymap(self) -> str | None:
        """Name of the map."""
        return self.found_map.name if self.found_map else None

    @property
    def area50(self) -> float | None:
        """Area of the 50 per cent region, square degrees."""
        return self._area(0.5)

    @property
    def area90(self) -> float | None:
        """Area of the 90 per cent region, square degrees."""
        return self._area(0.9)

    def _area(self, level: float) -> float | None:
        if self.found_map:
            return self.found_map.skymap.area_deg2(level)
        if self.errorRadius is None:
            return None
        minor = self.errorRadius if self.errorMinor is None else self.errorMinor
        # Of a Gaussian; one wider than the sky is the sky.
        share = math.log1p(-level) / math.log(0.1)
        return min(math.pi * self.errorRadius * minor * share, 41_252.96)


def containment_scale(containment: float) -> float:
    """The 90 per cent radius of a round Gaussian in units of the radius that holds the share `containment`.

    Raises
    ------
    EventError
        If it is not between 0 and 1.
    """
    if not 0.0 < containment < 1.0:
        raise EventError(f"a region cannot hold the event with probability {containment:g}; give 0 to 1")
    return P90 / math.sqrt(-2.0 * math.log1p(-containment))


def error_region(axes: Sequence[float], containment: float, systematic: float = 0.0) -> ErrorRegion:
    """The 90 per cent region of a circle [radius], or an ellipse [a, b, position angle of a].

    [a, b] alone are errors along right ascension and declination. All are degrees; the radius and axes hold
    the event with probability `containment`; a `systematic` error of the same kind is added in quadrature.

    Raises
    ------
    EventError
        If these are no axes.
    """
    values = [float(value) for value in axes]
    sizes = values[:2]
    if not 1 <= len(values) <= 3 or not all(math.isfinite(v) for v in values) or min(sizes) < 0.0:
        raise EventError(f"{axes!r} is no error region: give [radius] or [semi-axis, semi-axis, angle]")
    scale = containment_scale(containment)
    sizes = [scale * math.hypot(size, systematic) for size in sizes]
    if max(sizes) == 0.0:
        raise EventError("an error of 0 degrees is none: leave it out if it is not known")
    if len(sizes) == 1 or sizes[0] == sizes[1]:
        return ErrorRegion(sizes[0])
    angle = values[2] if len(values) == 3 else 90.0
    if sizes[0] < sizes[1]:
        sizes, angle = sizes[::-1], angle + 90.0
    return ErrorRegion(sizes[0], sizes[1], angle % 180.0)


def per_year(hertz: float) -> float:
    """A rate a year."""
    return hertz * _SECONDS_PER_YEAR


def whole_notice(notice: Mapping[str, Any]) -> str:
    """A notice as text, in one line."""
    return json.dumps(notice, ensure_ascii=False, separators=(",", ":"))


def shortened(text: object, column: str) -> str:
    """Words as they fit into a column."""
    return " ".join(str(text).split())[: _LENGTHS[column]]


def rows_of(events: Sequence[Event]) -> pa.Table:
    """Events as rows of table `external_events`, without numbers."""
    schema = arrow_schema("external_events")
    names = [one.name for one in fields(Event) if one.name in schema.names]
    names += ["skymap", "area50", "area90"]
    columns: dict[str, Any] = {
        name: pa.array([getattr(event, name) for event in events], schema.field(name).type) for name in names
    }
    empty = {
        name: pa.nulls(len(events), schema.field(name).type) for name in schema.names if name not in names
    }
    return pa.table({**columns, **empty}).select(schema.names).cast(schema)
