"""How large a site has to be: nodes, disk and network for a survey, from what an alert costs here.

    python benchmarks/site_sizing.py [--quick]      measure
    python benchmarks/site_sizing.py --write        measure, and write the figures and docs/site-sizing.md
    python benchmarks/site_sizing.py --page         docs/site-sizing.md from the figures measured before

Simulated nights in LSST's schema, cut-outs included, go through all stages into a private PostgreSQL. In the
first night objects are new and bring a year of history; the last tells what an alert of a known object costs
in CPU, of the worker and of the server, and how many rows it adds. Sizes are those of tables with their
indexes. The reference is fastavro, which needs longer just to decode the messages.
"""

# ruff: noqa: E501 - lines of a page of the docs

from __future__ import annotations

import argparse
import itertools
import math
import operator
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

from _private_server import private_server
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.packets import Messages, SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, warm_up
from pipeline import fastavro_seconds, stages

FIGURES = Path(__file__).with_name("site_figures.yaml")
PAGE = Path(__file__).parents[1] / "docs" / "site-sizing.md"
NIGHTS = 4


@dataclass(frozen=True)
class Figures:
    """What an alert takes: bytes on the wire, CPU (s), rows added, and bytes of a row with its indexes."""

    packet_bytes: float
    pack_bytes: float
    worker_seconds: float
    server_seconds: float
    new_sources: float
    new_forced: float
    source_bytes: float
    forced_bytes: float
    alert_bytes: float
    object_bytes: float


@dataclass(frozen=True)
class Survey:
    """What a survey sends, and what is kept of it."""

    name: str
    alerts_per_night: float
    years: float
    packet_days: float
    hours: float = 10.0
    nights_per_year: float = 300.0
    alerts_per_object: float = 50.0
    burst: float = 4.0
    filters: int = 100
    passing: float = 0.01
    hit_bytes: float = 2000.0


SURVEYS = (
    Survey("a small survey, 10,000 alerts a night", 1e4, 10, 3650),
    Survey("ZTF, 300,000", 3e5, 10, 365),
    Survey("LSST's first nights, 1 million", 1e6, 1, 365),
    Survey("LSST, 10 million", 1e7, 10, 30),
)
_FILTER_SECONDS = 152e-9  # docs/benchmarks.md, `benchmarks/filters.py`
_CLASSIFY_SECONDS = 143e-6  # docs/benchmarks.md, `benchmarks/classify.py`
_BUSY = 0.6
"""How busy a core may be at the highest rate."""

_NODE_CORES, _NODE_BYTES = 16, 8e12
_KAFKA_DAYS, _KAFKA_COPIES = 7, 3


@dataclass(frozen=True)
class Size:
    """What a site needs: cores, bytes, bytes a second, nodes."""

    rate: float
    worker_cores: int
    server_cores: int
    database_bytes: float
    pack_bytes: float
    kafka_bytes: float
    input_rate: float
    output_rate: float
    database_nodes: int


def size(survey: Survey, figures: Figures) -> Size:
    """What a survey needs by these figures."""
    rate = survey.alerts_per_night / (survey.hours * 3600) * survey.burst
    alerts = survey.alerts_per_night * survey.nights_per_year * survey.years
    worker = figures.worker_seconds + _CLASSIFY_SECONDS + survey.filters * _FILTER_SECONDS
    a_row = figures.new_sources * figures.source_bytes + figures.new_forced * figures.forced_bytes
    database = alerts * (a_row + figures.alert_bytes + figures.object_bytes / survey.alerts_per_object)
    server_cores = math.ceil(rate * figures.server_seconds / _BUSY) + 2  # two for those who read
    kept = survey.alerts_per_night * min(survey.packet_days / 365, survey.years) * survey.nights_per_year
    return Size(
        rate=rate,
        worker_cores=max(1, math.ceil(rate * worker / _BUSY)),
        server_cores=server_cores,
        database_bytes=database,
        pack_bytes=kept * figures.pack_bytes,
        kafka_bytes=survey.alerts_per_night * figures.packet_bytes * _KAFKA_DAYS * _KAFKA_COPIES,
        input_rate=rate * figures.packet_bytes,
        output_rate=rate * survey.filters * survey.passing * survey.hit_bytes,
        database_nodes=max(math.ceil(database / _NODE_BYTES), math.ceil(server_cores / _NODE_CORES)),
    )


def page(figures: Figures) -> str:
    """The page of the docs."""
    rows = []
    for survey in SURVEYS:
        found = size(survey, figures)
        rows.append(
            f"| {survey.name}, {survey.years:g} year{'s' * (survey.years != 1)}; packets {survey.packet_days:g} days "
            f"| {found.rate:,.1f} | {found.worker_cores} | {found.server_cores} | {_tb(found.database_bytes)} "
            f"| {found.database_nodes} | {_tb(found.pack_bytes)} | {_tb(found.kafka_bytes)} "
            f"| {_mb(found.input_rate)} | {_mb(found.output_rate)} |"
        )
    one = SURVEYS[-1]
    table = "\n".join(rows)
    return f"""# How large a site has to be

Made by `python benchmarks/site_sizing.py --page` from figures that the same program measured (`--write` measures anew);
a test holds this page to it. What your survey needs: change `SURVEYS` there.

| survey, kept for | alerts/s at most | worker cores | database cores | tables, TB | database nodes | packs, TB | Kafka, TB | in, MB/s | out, MB/s |
|---|---|---|---|---|---|---|---|---|---|
{table}

A node of the database here has {_NODE_CORES} cores and {_NODE_BYTES / 1e12:g} TB; tables are counted once, so a standby doubles them. From two nodes on they are spread by
`lasair archive init --distributed`, which has not been run with Citus yet ([postgresql.md](postgresql.md)). Packs are in S3 or a shared folder, once.
Kafka keeps {_KAFKA_DAYS} days in {_KAFKA_COPIES} copies.

## How it is worked out

| of an alert of a known object, measured | |
|---|---|
| packet on the wire; in a pack | {figures.packet_bytes / 1e3:.1f} kB; {figures.pack_bytes / 1e3:.1f} kB |
| CPU of the worker, all stages, without filters and classes | {figures.worker_seconds * 1e6:.0f} µs |
| CPU of PostgreSQL | {figures.server_seconds * 1e6:.0f} µs |
| rows it adds: detections; forced measurements | {figures.new_sources:.2f}; {figures.new_forced:.2f} |
| bytes of such a row with its indexes | {figures.source_bytes:,.0f}; {figures.forced_bytes:,.0f} |
| bytes of the rows that tell of the alert itself and its images | {figures.alert_bytes:,.0f} |
| bytes of all that is kept of an object besides (state, ledger, classes) | {figures.object_bytes:,.0f} |

To the worker's CPU come {_CLASSIFY_SECONDS * 1e6:.0f} µs for class probabilities and {_FILTER_SECONDS * 1e9:.0f} ns a filter ([benchmarks.md](benchmarks.md)). A night has {one.hours:g} hours, a year {one.nights_per_year:g} nights; visits may be
{one.burst:g} times as rich as on average (LSST's 40,000 alerts in 39 s), and a core is {_BUSY:.0%} busy then. An object has {one.alerts_per_object:g} alerts in the end. {one.filters} filters pass {one.passing:.0%} of the alerts each, in hits of {one.hit_bytes / 1e3:g} kB.
The database has two cores more, for those who read.

## What it does not say

- The CPU was measured on an archive that is small and in memory. On one that is not, the disk decides as well: plan NVMe. Tables were measured right after a vacuum: leave room for the rows that wait for the next.
- Users' searches. With the columnar snapshot those that read much take no cores of the database, but of the machine that answers them; how many depends on the users, and has not been measured.
- Back-ups: the tables once more for each base back-up that is kept, and the log of some days, which is about as much as is written.
"""


def _tb(size: float) -> str:
    return f"{size / 1e12:,.1f}" if size >= 1e12 else f"{size / 1e12:.3f}"


def _mb(rate: float) -> str:
    return f"{rate / 1e6:,.1f}"


def measure(visit: int) -> tuple[Figures, float]:
    """The figures, and fastavro's seconds an alert."""
    pipeline = Pipeline(SchemaStore(), stages())
    assert warm_up(pipeline), "the official schemas are needed: install the extra lsst-schemas"
    simulation = Simulation(num_fields=1, num_nights=NIGHTS, revisit_nights=1, alerts_per_visit=visit)
    visits = itertools.groupby(simulation.visit_alerts(), key=operator.itemgetter(0))
    nights = [[part for _ in range(2) for _, part in next(visits)[1]] for _ in range(NIGHTS)]
    with (
        private_server() as url,
        tempfile.TemporaryDirectory() as packs,
        PostgreSQLArchive(url, packs) as archive,
    ):
        pipeline.read_known(archive)
        for night in nights[:-1]:
            _write(archive, pipeline, night)
        before, postgres = archive.status(), _server_seconds()
        began = time.process_time()
        alerts = _write(archive, pipeline, nights[-1])
        worker, server_cpu = time.process_time() - began, _server_seconds() - postgres
        archive.compact()
        after = archive.status()
        tables = after.tables
        a_row = {name: table.bytes / table.rows for name, table in tables.items() if table.rows}
        added = {name: tables[name].rows - before.tables[name].rows for name in tables}
        besides = (
            "diaSources",
            "diaForcedSources",
            "alerts",
            "cutouts",
            "rejected",
            "ssSources",
            "ssObjects",
            "mpc_orbits",
        )
        of_objects = sum(table.bytes for name, table in tables.items() if table.rows and name not in besides)
        packets = [value for messages in nights[-1] for value in messages.values]
        figures = Figures(
            packet_bytes=sum(map(len, packets)) / len(packets),
            pack_bytes=(after.pack_bytes - before.pack_bytes) / alerts,
            worker_seconds=worker / alerts,
            server_seconds=server_cpu / alerts,
            new_sources=added["diaSources"] / alerts,
            new_forced=added["diaForcedSources"] / alerts,
            source_bytes=a_row["diaSources"],
            forced_bytes=a_row["diaForcedSources"],
            alert_bytes=a_row["alerts"] + a_row["cutouts"],
            object_bytes=of_objects / tables["objects"].rows,
        )
    return figures, fastavro_seconds(packets[:200], simulation.schema)


def _write(archive: PostgreSQLArchive, pipeline: Pipeline, night: list[Messages]) -> int:
    alerts = 0
    for messages in night:
        processed = pipeline.process(messages)
        alerts += archive.write(processed.batches, processed.rejected).alerts
    return alerts


def _server_seconds() -> float:
    """CPU of PostgreSQL until now: of its processes that still run, which are all that wrote."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        if "postgres" in child.name():
            spent = child.cpu_times()
            total += spent.user + spent.system
    return total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="visits of 300 alerts instead of 2,000")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(page(Figures(**yaml.safe_load(FIGURES.read_text()))), encoding="utf-8")
        return
    figures, reference = measure(300 if given.quick else 2_000)
    for name, value in asdict(figures).items():
        print(f"{name:16} {value:.6g}")
    both = figures.worker_seconds + figures.server_seconds
    print(f"worker and server together: {reference / both:.1f} × fastavro, which only decodes")
    print(size(SURVEYS[-1], figures))
    if given.write:
        rounded = {name: float(f"{value:.4g}") for name, value in asdict(figures).items()}
        FIGURES.write_text(yaml.safe_dump(rounded, sort_keys=False), encoding="utf-8")
        PAGE.write_text(page(Figures(**rounded)), encoding="utf-8")


if __name__ == "__main__":
    main()
