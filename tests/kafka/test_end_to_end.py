"""Alerts of two surveys through Kafka into an archive: what was sent is what is there."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from kafka_broker import create_topic, group_offsets, produce
from stream_fixtures import messages, messages_of

from lasair_broker.archive import open_archive
from lasair_broker.packets import SchemaStore, decode
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import load
from lasair_broker.stream import KafkaSource, Pipeline, Progress, run, standard_stages


def test_what_was_sent_is_in_the_archive(kafka: str, data: Path, tmp_path: Path) -> None:
    schemas = SchemaStore(folders=[data / "lsst" / "schemas"])
    simulated = [bytes(value) for part in Simulation.night(60, seed=3).alerts() for value in part.values]
    lsst = [*simulated, *messages_of([data / "lsst" / "wire_v10"]), b"garbage"]
    ztf = messages_of([data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"])
    places = {}
    topics = []
    for values in (lsst, ztf):
        topic = create_topic(kafka, 3)
        partitions = np.random.default_rng(1).integers(0, 3, len(values)).tolist()
        for value, place in zip(values, produce(kafka, topic, values, partitions), strict=True):
            places[topic, *place] = value
        topics.append(topic)

    settings = load(
        kafka={"bootstrap": kafka, "topics": topics, "group": topics[0]}, stream={"batch_alerts": 40}
    )
    pipeline = Pipeline(schemas, standard_stages())
    seen: list[Progress] = []
    with open_archive(tmp_path / "archive") as archive:
        source = KafkaSource(settings.kafka, settings.stream, until_end=True)
        done = run(source, pipeline, archive, on_progress=seen.append)
        assert (done.messages, done.alerts, done.rejected) == (len(places), len(places) - 1, 1)
        assert set(done.lag.values()) <= {0}
        rows = archive.query(
            'SELECT topic, "partition", "offset", diaSourceId FROM alerts', max_rows=None
        ).to_pylist()
        found = {(row["topic"], row["partition"], row["offset"]): row["diaSourceId"] for row in rows}
        rejected = archive.rejected().to_pylist()
        assert [row["message"] for row in rejected] == [b"garbage"]
        assert set(found) == {place for place, value in places.items() if value != b"garbage"}
        # The very bytes: LSST's datums follow five bytes of framing, ZTF's are within an object container.
        for place, value in places.items():
            if place in found:
                stored = archive.alert_bytes(found[place])
                assert stored is not None
                assert stored[0] == value[5:] if place[0] == topics[0] else stored[0] in value
        # And their meaning: each detection as it is decoded from the message alone.
        for values in (lsst[:-1], ztf):
            for batch in decode(messages(values), schemas)[0]:
                sent = batch.alerts.select(["diaSourceId", "diaObjectId", "ssObjectId", "midpointMjdTai"])
                ids = ", ".join(str(each) for each in sent.column("diaSourceId").to_pylist())
                columns = ", ".join(sent.column_names)
                stored_rows = archive.query(
                    f"SELECT {columns} FROM alerts WHERE diaSourceId IN ({ids})", max_rows=None
                )
                order = [("diaSourceId", "ascending")]
                assert stored_rows.sort_by(order).equals(sent.sort_by(order))
        ends = archive.positions()
        assert sum(ends.values()) == len(places)
        assert archive.check() == []
    for topic in topics:
        offsets = group_offsets(kafka, topics[0], topic, 3)
        assert offsets == {partition: ends[topic, partition] for partition in range(3)}


def test_a_worker_told_to_stop_commits_what_it_has_and_another_goes_on(
    kafka: str, data: Path, tmp_path: Path
) -> None:
    schemas = SchemaStore(folders=[data / "lsst" / "schemas"])
    values = messages_of([data / "ztf" / "sn_ZTF21abiuvdk_v3_3.tar.xz"])
    topic = create_topic(kafka)
    produce(kafka, topic, values)
    pipeline = Pipeline(schemas, standard_stages())
    settings = load(kafka={"bootstrap": kafka, "topics": topic, "group": topic}, stream={"batch_alerts": 5})
    with open_archive(tmp_path / "archive") as archive:
        stop = threading.Event()
        first = run(
            KafkaSource(settings.kafka, settings.stream),
            pipeline,
            archive,
            stop=stop,
            on_progress=lambda _: stop.set(),
        )
        assert 0 < first.messages < 34
        assert archive.positions() == {(topic, 0): first.messages}
        second = run(KafkaSource(settings.kafka, settings.stream, until_end=True), pipeline, archive)
        assert first.messages + second.messages == 34
        assert archive.status().tables["alerts"].rows == 34
