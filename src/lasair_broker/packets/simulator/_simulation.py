"""The simulation: a survey's nights, visit by visit, as messages."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lasair_broker.packets import Messages, SchemaStore, mjd_tai_now
from lasair_broker.packets.avro import Codec
from lasair_broker.packets.simulator._cadence import FIELD_AREA_DEG2, Survey
from lasair_broker.packets.simulator._field import Field, build_field
from lasair_broker.packets.simulator._fits import CUTOUT_LAYOUTS
from lasair_broker.packets.simulator._packets import PacketWriter
from lasair_broker.packets.simulator._sphere import galactic
from lasair_broker.packets.simulator._truth import (
    CATALOGUE_SCHEMA,
    TRUTH_SCHEMA,
    field_catalogue,
    field_truth,
)
from lasair_broker.packets.simulator.populations import POPULATIONS, Place

__all__ = ["LSST_ALERTS_PER_SECOND", "Simulation"]

LSST_ALERTS_PER_SECOND = 10_000 / 39.0
"""Ten thousand alerts a visit, a visit every 39 seconds."""

# Alerts a visit that the populations give at density one, averaged over fields and bands.
_NATURAL_ALERTS_PER_VISIT = 6_000.0


class Simulation:
    """A synthetic sky observed by an LSST-like survey, as a stream of alert packets.

    Everything follows from the parameters: the same ones give the same bytes, whatever `batch_size` and
    `fields_in_memory` are. An object that is seen again has the history that its earlier alerts showed, and
    more.

    Parameters
    ----------
    seed
        Of all that is random.
    num_fields
        Fields of 9.6 square degrees that take part.
    num_nights, start_mjd
        Simulated nights, and the (integer) MJD of local midnight of the first.
    num_alerts
        Stop after so many; None for all there are.
    alerts_per_visit
        On average; a field may have a third or three times as many, by its place and the band. Fewer alerts
        mean a sky that is emptier by that factor.
    history_days
        For how long the fields have been observed before the first night.
    revisit_nights
        In the simulated nights each field is observed every so many nights.
    boost
        For classes by name, how many times more objects than in nature; else each population's own factor.
    cutouts
        "none"; "image"; "variance" (image and variance, 52 kB); or "psf" (with the PSF, as Rubin sends them,
        104 kB).
    schema_version, schemas
        LSST's schema to write, and where to find it: by default in the installed package
        ``lsst-alert-packet``.
    batch_size
        The most alerts that are encoded together.
    fields_in_memory
        Fields (of some 60 MB at 10,000 alerts a visit) that are kept; others are computed again when needed.
        By default those that are observed in turn between the two visits of a pair, at most 4.

    Raises
    ------
    ValueError
        For parameters that make no sense.
    UnknownSchema
        If the schema is not found; the message says what to install.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        num_fields: int = 4,
        num_nights: int = 1,
        start_mjd: float = 61680.0,
        num_alerts: int | None = None,
        alerts_per_visit: float = 10_000.0,
        history_days: int = 365,
        revisit_nights: int = 3,
        boost: Mapping[str, float] | None = None,
        cutouts: str = "variance",
        schema_version: str = "11.0",
        schemas: SchemaStore | None = None,
        batch_size: int = 400,
        fields_in_memory: int | None = None,
    ) -> None:
        for name, value, least in (
            ("seed", seed, 0), ("num_fields", num_fields, 1), ("num_nights", num_nights, 1),
            ("num_alerts", num_alerts, 0),
            ("history_days", history_days, 0), ("revisit_nights", revisit_nights, 1), ("batch_size",
            batch_size, 1),
            ("fields_in_memory", fields_in_memory, 1), ("alerts_per_visit", alerts_per_visit, 1),
        ):  # fmt: skip
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, must be at least {least}")
        if cutouts not in CUTOUT_LAYOUTS:
            raise ValueError(f"cut-outs are one of {', '.join(CUTOUT_LAYOUTS)}, not {cutouts!r}")
        unknown = set(boost or {}) - {population.name for population in POPULATIONS}
        if unknown:
            names = sorted({population.name for population in POPULATIONS})
            raise ValueError(f"there is no class {sorted(unknown)[0]!r}; have {', '.join(names)}")
        self.survey = Survey(seed, num_fields, start_mjd, num_nights, history_days, revisit_nights)
        self.survey.fields()
        self.seed, self.num_alerts, self.batch_size = seed, num_alerts, batch_size
        self.cutouts, self.schema_version = cutouts, schema_version
        self.boost = dict(boost or {})
        self._density = alerts_per_visit / _NATURAL_ALERTS_PER_VISIT
        self._fields_in_memory = fields_in_memory or min(self.survey.block, 4)
        self._fields: OrderedDict[int, Field] = OrderedDict()
        store = schemas if schemas is not None else SchemaStore()
        major, minor = (int(part) for part in schema_version.split("."))
        self.schema_id = 100 * major + minor
        self.schema = store.lsst(schema_version)
        self._codec = Codec(self.schema)

    @classmethod
    def night(cls, num_alerts: int, seed: int = 1, **options: Any) -> Simulation:
        """A simulation of about so many alerts: fields in pairs of visits, as many as that takes.

        Small ones have a sparser sky, so that there are several fields and objects come again. `options` are
        parameters of the class; `num_fields`, `num_nights` and `alerts_per_visit` are chosen here if not
        given.
        """
        if num_alerts < 1:
            raise ValueError(f"num_alerts is {num_alerts}, must be at least 1")
        options.setdefault("alerts_per_visit", min(10_000.0, max(num_alerts / 5.0, 20.0)))
        # Twice what is needed on average, for fields differ.
        visits = 2.0 * num_alerts / options["alerts_per_visit"]
        options.setdefault("num_fields", int(min(np.ceil(visits / 2.0), 120)))
        per_night = 2.0 * options["num_fields"]
        options.setdefault("num_nights", 1 + int(np.ceil(max(visits / per_night - 1.0, 0.0))) * 3)
        return cls(seed, num_alerts=num_alerts, **options)

    @property
    def name(self) -> str:
        """The topic of the messages: the same for the same parameters, so that a position in it keeps its
        meaning."""
        what = repr((self.survey, self.boost, self._density, self.cutouts, self.schema_version))
        return f"simulation:{hashlib.sha256(what.encode()).hexdigest()[:12]}"

    def field(self, which: int) -> Field:
        """Field `which` of the survey, observed; kept in memory for a while."""
        field = self._fields.get(which)
        if field is None:
            while len(self._fields) >= self._fields_in_memory:
                self._fields.popitem(last=False)
            field = build_field(self.survey, which, self._density, self.boost)
            self._fields[which] = field
        self._fields.move_to_end(which)
        return field

    def visits(self) -> pa.Table:
        """The visits of the simulated nights in order of time (columns of `Visits`)."""
        return self.survey.emitted_visits().to_arrow()

    def alerts(self, first_offset: int = 0) -> Iterator[Messages]:
        """The alerts in order of time, at most `batch_size` together, all of a batch from one visit.

        Offsets count from 0 in one partition of the topic `name`; those before `first_offset` are left out.
        The packets are Confluent-framed with LSST's schema id (100 x major + minor).
        """
        for _, messages in self.visit_alerts(first_offset):
            yield messages

    def visit_alerts(self, first_offset: int = 0) -> Iterator[tuple[int, Messages]]:
        """As `alerts`, with the id of the visit."""
        writer = PacketWriter(self._codec, self.schema_id, self.cutouts)
        topics = (self.name,)
        offset = 0
        visits = self.survey.emitted_visits()
        fields = visits.field.tolist()
        for place, (visit, which) in enumerate(zip(visits.visit.tolist(), fields, strict=True)):
            if self.num_alerts is not None and offset >= self.num_alerts:
                return
            field = self.field(which)
            column = int(np.flatnonzero(field.visits.visit == visit)[0])
            rows = field.emitted(column)
            if self.num_alerts is not None:
                rows = rows[: self.num_alerts - offset]
            for start in range(0, len(rows), self.batch_size):
                part = rows[start : start + self.batch_size]
                skipped = min(max(first_offset - offset, 0), len(part))
                begin, offset = offset + skipped, offset + len(part)
                part = part[skipped:]
                if not len(part):
                    continue
                n = len(part)
                yield (
                    visit,
                    Messages(
                        values=writer.packets(field, part),
                        topics=topics,
                        topic=np.zeros(n, np.int32),
                        partition=np.zeros(n, np.int32),
                        offset=np.arange(begin, offset, dtype=np.int64),
                        arrivedMjdTai=np.full(n, mjd_tai_now()),
                    ),
                )
            # Not to be held while the next one is made.
            del field
            if which not in fields[place + 1 : place + 1 + 2 * self.survey.block]:
                self._fields.pop(which, None)

    def truth(self) -> pa.Table:
        """What every detected object really is, in `TRUTH_SCHEMA`; of all fields and nights, also beyond
        `num_alerts`."""
        parts = [field_truth(self.field(which), self.boost) for which in range(self.survey.num_fields)]
        return pa.concat_tables(parts) if parts else TRUTH_SCHEMA.empty_table()

    def catalogue(self) -> pa.Table:
        """Stars and galaxies of all fields, in `CATALOGUE_SCHEMA`: hosts, variables when quiet, and
        background."""
        before = float(np.floor(self.survey.start_mjd)) - self.survey.history_days - 600.0
        parts = [
            field_catalogue(self.field(which), self.seed, self._density, before)
            for which in range(self.survey.num_fields)
        ]
        return pa.concat_tables(parts) if parts else CATALOGUE_SCHEMA.empty_table()

    def rates(self) -> pa.Table:
        """For each population: expected objects in the first field in nature, the boost, and the number drawn
        there."""
        _, ras, decls = self.survey.fields()
        first = float(np.floor(self.survey.start_mjd))
        place = Place(
            area_deg2=FIELD_AREA_DEG2,
            galactic_latitude=float(galactic(ras[0], decls[0])[1]),
            mjd_first=first - self.survey.history_days,
            mjd_last=first + self.survey.num_nights,
        )
        groups = self.field(0).groups
        return pa.table(
            {
                "class": [population.name for population in POPULATIONS],
                "natural": [population.natural_number(place) for population in POPULATIONS],
                "boost": [self.boost.get(population.name, population.boost) for population in POPULATIONS],
                "density": [self._density] * len(POPULATIONS),
                "drawn": [len(group) for group in groups],
            }
        )
