"""What a version of a filter says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lasair_broker.query import Parameter
from lasair_broker.web.filters.models import FilterVersion, Renotify, Trigger
from lasair_broker.web.parameters import kept, parameters_in


@dataclass(frozen=True)
class Wording:
    """The query of a version and its rules: ADQL, or Lasair's triple, and the values of the parameters that
    it names; see FilterVersion."""

    adql: str = ""
    selected: str = ""
    tables: str = ""
    conditions: str = ""
    trigger: str = Trigger.ALERT
    renotify: str = Renotify.EVERY
    renotify_days: float | None = None
    renotify_columns: list[str] = field(default_factory=list)
    parameters: tuple[Parameter, ...] = ()

    def columns(self) -> dict[str, Any]:
        """What a row of FilterVersion has of it."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"parameters": kept(self.parameters)}


def wording_of(version: FilterVersion) -> Wording:
    """The query and rules of a version."""
    values = {name: getattr(version, name) for name in Wording.__dataclass_fields__}
    return Wording(**values | {"parameters": parameters_in(version.parameters)})
