"""Whether two sites hold the same, and delivered the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.compute as pc
from chaos_site import Site
from confluent_kafka import Consumer, TopicPartition

from lasair_broker.schema import TABLES

__all__ = ["Difference", "Held", "compare", "held_by"]

TIMES = frozenset(
    {"arrivedMjdTai", "decodedMjdTai", "committedMjdTai", "computedMjdTai", "deliveredMjdTai", "timestamp"}
    | {"matchedMjdTai"}
)
"""When something reached us, was worked out or was stored: the moments of the run."""

PLACES = frozenset(
    {"pack", "packOffset", "cutoutDifferenceOffset", "cutoutScienceOffset", "cutoutTemplateOffset"}
)
"""Where in the packs a packet lies: each worker writes packs of its own."""

ATTEMPTS = frozenset({"deliveryAttempts", "deliveryError"})
"""How often a delivery was tried: at least once."""

LEFT_OUT = {
    "chores": "which worker sees to what",
    "stage_nights": "how long stages took",
}
"""Tables that tell of the run, not of the sky."""


@dataclass
class Held:
    """What a site has at the end."""

    tables: dict[str, pa.Table]
    delivered: dict[str, dict[str, str]] = field(default_factory=dict)
    """By topic, the content of each hit by its id, without the moment at which it was found."""

    messages: int = 0
    torn: list[str] = field(default_factory=list)
    """Hits that came again with another content."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same."""

    where: str
    what: str


def held_by(site: Site) -> Held:
    """Read everything that a site has stored and delivered."""
    held = Held({})
    own = len(site.topics)
    with adbc_driver_postgresql.dbapi.connect(site.server.url("site"), autocommit=True) as connection:
        for name in TABLES:
            if name in LEFT_OUT:
                continue
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT * FROM archive."{name}"')
                rows = cursor.fetch_arrow_table()
            if name == "stream_positions":  # one of which is the number of the user database
                rows = rows.filter(pc.not_equal(rows.column("topic"), "lasair users"))
            if name == "filter_hits":  # without those of poisonous filters
                rows = rows.filter(pc.less_equal(rows.column("filterId"), own))
            held.tables[name] = rows.sort_by([(key, "ascending") for key in _keys(name, rows)])
    _read_topics(site, held)
    return held


def _read_topics(site: Site, held: Held) -> None:
    consumer = Consumer({"bootstrap.servers": site.broker.bootstrap, "group.id": "afterwards"})
    try:
        for topic in site.topics:
            hits = held.delivered[topic] = {}
            known = consumer.list_topics(topic, timeout=30).topics[topic]
            for partition in known.partitions if known.error is None else ():
                first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
                consumer.assign([TopicPartition(topic, partition, first)])
                position = first
                while position < end:
                    for message in consumer.consume(1000, 1.0):
                        assert message.error() is None, message.error()
                        position = message.offset() + 1
                        held.messages += 1
                        hit = dict(message.headers())["hitId"].decode()
                        content = json.loads(message.value())
                        content.pop("UTC")
                        text = json.dumps(content, sort_keys=True)
                        if hits.setdefault(hit, text) != text:
                            held.torn.append(f"{topic} {hit}")
    finally:
        consumer.close()


def compare(found: Held, expected: Held) -> list[Difference]:
    """What is not the same; empty if all is."""
    differences = [
        difference
        for name, table in expected.tables.items()
        for difference in _rows(name, found.tables[name], table)
    ]
    for topic, hits in expected.delivered.items():
        got = found.delivered[topic]
        lost, more = hits.keys() - got.keys(), got.keys() - hits.keys()
        other = [hit for hit in hits.keys() & got.keys() if hits[hit] != got[hit]]
        for what, some in (("missing", lost), ("too many", more), ("with another content", other)):
            if some:
                differences.append(
                    Difference(f"topic {topic}", f"{len(some)} hits {what}, {sorted(some)[0]} say")
                )
    differences += [Difference("topics", f"{torn} came again with another content") for torn in found.torn]
    return differences


def _rows(name: str, found: pa.Table, expected: pa.Table) -> list[Difference]:
    if found.num_rows != expected.num_rows:
        return [
            Difference(
                name, f"{found.num_rows:,} rows, not {expected.num_rows:,}{_lost(name, found, expected)}"
            )
        ]
    differences = []
    for column in expected.column_names:
        if column in TIMES | PLACES | ATTEMPTS:
            continue
        mine, theirs = (_plain(table.column(column)) for table in (found, expected))
        if not mine.equals(theirs):
            there = [place for place in range(len(theirs)) if mine[place] != theirs[place]]
            if there:
                place = there[0]
                key = {name: expected.column(name)[place].as_py() for name in _keys(name, expected)}
                say = (
                    f"{len(there):,} of {len(theirs):,} rows differ;"
                    f" {key}: {mine[place]}, not {theirs[place]}"
                )
                differences.append(Difference(f"{name}.{column}", say))
    return differences


def _keys(name: str, rows: pa.Table) -> list[str]:
    """What rows of a table are known by."""
    keys = TABLES[name].primary_key or ("topic", "partition", "offset")
    return [key for key in keys if key in rows.column_names]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without the driver's notes on its type."""
    if isinstance(column.type, pa.BaseExtensionType):
        return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    return column


def _lost(name: str, found: pa.Table, expected: pa.Table) -> str:
    """A row that only one has."""
    keys = _keys(name, expected)
    mine, theirs = (
        {tuple(row.values()) for row in table.select(keys).to_pylist()} for table in (found, expected)
    )
    lost, more = sorted(map(str, theirs - mine)), sorted(map(str, mine - theirs))
    twice = found.num_rows - len(mine)
    return (
        (f"; {len(lost)} missing, {lost[0]} say" if lost else "")
        + (f"; {len(more)} too many, {more[0]} say" if more else "")
        + (f"; {twice} keys twice" if twice else "")
    )
