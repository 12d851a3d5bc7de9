"""A made-up sky of which more becomes known step by step, and streams that hear of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from made_up_sky import RULES, catalogue
from made_up_sky import loader as loader_of
from stream_fixtures import messages
from test_known_transients import HEADER

from lasair_broker.archive import Archive
from lasair_broker.context import ContextLoader, update_tns
from lasair_broker.context.events import EventLoader, remove_events, update_events
from lasair_broker.lightcurve import FeatureResources
from lasair_broker.packets import SchemaStore, decode
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, Resource, renewal_stages, standard_stages
from lasair_broker.stream.context import CatalogueChore, ContextKeeper, EventChore, Renewal, TnsChore
from lasair_broker.stream.filters import FilterStage

Place = tuple[float, float]

COMPARED = {
    "objects": "SELECT * EXCLUDE (timestamp) FROM objects ORDER BY diaObjectId",
    "sherlock_classifications": "SELECT * FROM sherlock_classifications ORDER BY diaObjectId",
    "sherlock_crossmatches": "SELECT * FROM sherlock_crossmatches ORDER BY ALL",
    "crossmatch_tns": "SELECT * FROM crossmatch_tns ORDER BY tns_name",
    "external_events": "SELECT * FROM external_events ORDER BY origin, eventName",
    "event_hits": "SELECT * FROM event_hits ORDER BY diaObjectId, mw_id",
}


HEARING = (
    (1, "SELECT objects.diaObjectId, crossmatch_tns.type FROM objects JOIN crossmatch_tns "
        "ON objects.tns_name = crossmatch_tns.tns_name"),
    (2, "SELECT objects.diaObjectId, external_events.eventName, event_hits.kind FROM objects JOIN event_hits "
        "ON objects.diaObjectId = event_hits.diaObjectId JOIN external_events "
        "ON external_events.mw_id = event_hits.mw_id"),
    (3, "SELECT objects.diaObjectId, s.classification FROM objects JOIN sherlock_classifications s "
        "ON s.diaObjectId = objects.diaObjectId WHERE s.classification = 'VS'"),
)  # fmt: skip
"""Filters on what there may be news of."""


def places_of(values: Sequence[bytes], schemas: SchemaStore) -> dict[int, Place]:
    """Where the objects of some alerts are."""
    batches, _ = decode(messages(values), schemas)
    found: dict[int, Place] = {}
    for batch in batches:
        columns = (batch.objects.column(name).to_pylist() for name in ("diaObjectId", "ra", "decl"))
        found |= {key: (ra, decl) for key, ra, decl in zip(*columns, strict=True)}
    return dict(sorted(found.items()))


class Sky:
    """What is known of the places of some objects; `steps` are the news, in the order in which they come."""

    def __init__(self, folder: Path, places: Mapping[int, Place], *, begin: bool = True) -> None:
        self.folder = folder
        self._at = list(places.values())
        folder.mkdir(parents=True, exist_ok=True)
        if begin:
            catalogue(folder, "stars", [{"ra": 1.0, "decl": 80.0, "name": "elsewhere", "mag_G": 18.0}])
        self.steps: list[Callable[[], object]] = [
            self.stars, self.first_transients, self.events, self.transients, self.other_events,
            self.galaxies, self.fewer_stars,
        ]  # fmt: skip

    def stars(self) -> None:
        self._stars(range(12))

    def fewer_stars(self) -> None:
        self._stars(range(4, 16))

    def galaxies(self) -> None:
        rows = [
            {"ra": ra, "decl": decl + 8.0 / 3600.0, "name": f"G{n}", "mag_B": 15.0, "major_axis": 60.0,
             "minor_axis": 50.0, "redshift": 0.02 + 0.001 * n, "redshift_kind": "spec"}
            for n, (ra, decl) in enumerate(self._at[10:30])
        ]  # fmt: skip
        catalogue(self.folder, "galaxies", rows)

    def first_transients(self) -> None:
        self._transients({3: ("AT", "", ""), 14: ("SN", "SN Ia", "0.05")}, "2023-05-20 00:00:00")

    def transients(self) -> None:
        # One was classified, one is new, and one was found to be elsewhere.
        self._transients({3: ("SN", "SN II", "0.01"), 15: ("AT", "", "")}, "2023-05-21 00:00:00")
        self._transients({14: ("SN", "SN Ia", "0.05")}, "2023-05-22 00:00:00", moved=17)

    def events(self) -> None:
        update_events(self.folder, pa.concat_tables([self._event("one", 5), self._event("two", 6)]))

    def other_events(self) -> None:
        update_events(self.folder, pa.concat_tables([self._event("one", 7, 1), self._event("three", 5)]))
        remove_events(self.folder, "two")

    def _stars(self, which: range) -> None:
        rows = [
            {"ra": ra, "decl": decl, "name": f"S{ra:.4f}", "mag_G": 18.0}
            for ra, decl in self._at[which.start : which.stop]
        ]
        catalogue(self.folder, "stars", rows)

    def _transients(
        self, which: Mapping[int, tuple[str, str, str]], modified: str, moved: int | None = None
    ) -> None:
        lines = [f'"{modified}"', HEADER]
        for number, (prefix, kind, redshift) in which.items():
            ra, decl = self._at[number if moved is None else moved]
            lines.append(
                f'"{number}","{prefix}","2023{number}","{ra}","{decl}","{redshift}","","{kind}","1","A","1","A",'
                f'"2023-05-19 17:27:15","18.9","1","r","somebody","","","","","2023-05-19","{modified}"'
            )
        path = self.folder.parent / "tns_public_objects.csv"
        path.write_text("\n".join([*lines, ""]))
        update_tns(str(path), self.folder)

    def _event(self, name: str, number: int, revision: int = 0) -> pa.Table:
        ra, decl = self._at[number]
        row = {
            "origin": "X", "eventName": name, "revision": revision, "kind": "grb", "role": "observation",
            "retracted": False, "ra": ra, "decl": decl, "errorRadius": 1.0 / 3600.0,
        }  # fmt: skip
        return pa.Table.from_pylist([row], arrow_schema("external_events"))


class Streams:
    """The parts of a stream into one archive, all from the same catalogues."""

    def __init__(
        self, archive: Archive, sky: Sky, schemas: SchemaStore, filters: FilterStage | None = None
    ) -> None:
        self.archive, self._parts = archive, (archive, sky, schemas, filters)
        self.again: list[bytes] = []
        self.loader: ContextLoader = loader_of(sky.folder, RULES)
        events = EventLoader(sky.folder)
        self.pipeline = Pipeline(schemas, standard_stages(catalogues=self.loader, events=events))
        renewing = Pipeline(schemas, renewal_stages(Resource(FeatureResources()), self.loader))
        renewal = Renewal(archive, renewing, filters)
        chores = [
            EventChore(archive, sky.folder, filters),
            TnsChore(archive, sky.folder, self.loader, renewal),
            CatalogueChore(archive, self.loader, renewal),
        ]
        self.clock = 0.0
        self.keeper = ContextKeeper(archive, chores, self.loader, clock=self._tick)

    def anew(self) -> Streams:
        """As another process would begin."""
        return Streams(*self._parts)

    def _tick(self) -> float:
        self.clock += 0.05  # so that some steps are done in a turn, and not all
        return self.clock


def contents(archive: Archive) -> dict[str, list[dict[str, object]]]:
    return {name: archive.query(text, max_rows=None).to_pylist() for name, text in COMPARED.items()}
