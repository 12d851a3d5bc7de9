"""Filters, what they are asked, and nights to run them on, for tests of filters."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from stream_fixtures import messages

from lasair_broker.packets import SchemaStore, decode
from lasair_broker.packets.simulator import Simulation
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import (
    ActiveFilter,
    ActiveFilters,
    ActiveLists,
    FilterRun,
    Renotify,
    TriggeredBy,
)


class Wishes:
    """Subscriptions that a test changes as it likes, and what was told to them."""

    def __init__(self, filters: Sequence[ActiveFilter] = ()) -> None:
        self.active = ActiveFilters(tuple(filters))
        self.said = arrow_schema("annotations").empty_table()
        self.failures: list[tuple[int, int, str]] = []
        self.recovered: list[tuple[int, int]] = []
        self.runs: list[FilterRun] = []

    def run(self, *filters: ActiveFilter) -> None:
        self.active = ActiveFilters(filters)

    def filters(self) -> ActiveFilters:
        return self.active

    def lists(self) -> ActiveLists:
        return ActiveLists()

    def annotate(self, *rows: dict[str, object]) -> None:
        first = self.said.num_rows + 1
        numbered = [{"annotationID": first + place, **row} for place, row in enumerate(rows)]
        more = pa.Table.from_pylist(numbered, schema=arrow_schema("annotations"))
        self.said = pa.concat_tables([self.said, more])

    def annotations(self, after: int, most: int) -> tuple[pa.Table, int]:
        some = self.said.slice(after, most)
        return some, after + some.num_rows

    def filter_failed(self, filter_id: int, version: int, message: str) -> None:
        self.failures.append((filter_id, version, message))

    def filters_recovered(self, filters: Sequence[tuple[int, int]]) -> None:
        self.recovered += filters

    def filters_ran(self, runs: Sequence[FilterRun]) -> None:
        self.runs += runs


def wish(
    number: int,
    adql: str,
    *,
    version: int = 1,
    on: str = "alert",
    rule: Renotify | None = None,
    topics: frozenset[str] | None = None,
) -> ActiveFilter:
    return ActiveFilter(
        number,
        version,
        f"filter {number}",
        parse(adql, ARCHIVE),
        TriggeredBy(on),
        rule or Renotify(),
        topics,
    )


def night(alerts: int, seed: int, schemas: SchemaStore) -> list[bytes]:
    """Simulated alerts of a night, as sent; of an object that is seen several times, the first."""
    simulation = Simulation.night(alerts, seed=seed)
    values = [bytes(value) for part in simulation.alerts() for value in part.values]
    batches, _ = decode(messages(values), schemas)
    seen: set[int] = set()
    kept = []
    for batch in batches:
        places = zip(
            batch.alerts.column("offset").to_pylist(),
            batch.alerts.column("diaObjectId").to_pylist(),
            strict=True,
        )
        for place, number in places:
            if number is None or number not in seen:
                kept.append(place)
                seen.add(number)
    return [values[place] for place in sorted(kept)]
