"""What a version of a filter says."""

from __future__ import annotations

from dataclasses import dataclass, field

from lasair_broker.web.filters.models import FilterVersion, Renotify, Trigger


@dataclass(frozen=True)
class Wording:
    """The query of a version and its rules: ADQL, or Lasair's triple; see FilterVersion."""

    adql: str = ""
    selected: str = ""
    tables: str = ""
    conditions: str = ""
    trigger: str = Trigger.ALERT
    renotify: str = Renotify.EVERY
    renotify_days: float | None = None
    renotify_columns: list[str] = field(default_factory=list)


def wording_of(version: FilterVersion) -> Wording:
    """The query and rules of a version."""
    return Wording(**{name: getattr(version, name) for name in Wording.__dataclass_fields__})
