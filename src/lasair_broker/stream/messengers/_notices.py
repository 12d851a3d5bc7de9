"""Notices as they come from Kafka, such as that of NASA's General Coordinates Network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow.compute as pc
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException

from lasair_broker.context.events import EventError, EventFile, read_notice, take_in

from .._follower import Follower

__all__ = ["NoticeFollower"]

_log = structlog.get_logger(__name__)

_AT_ONCE = 500
_WAIT_SECONDS = 1.0
_RETRY_SECONDS = 30.0
_SHOWN = 200


class NoticeFollower(Follower):
    """Takes events in as they are announced.

    What cannot be read is told in the log with its place and left out: a mission that changes its notices
    stops nobody else. Offsets are committed after what was read is stored, so that nothing is lost; a notice
    that comes twice changes nothing.

    Parameters
    ----------
    folder
        Of the catalogues.
    configuration
        Of librdkafka: where to connect and as whom, with a `group.id`.
    topics
        What is read; one beginning with ^ is a pattern.
    tests
        Whether tests are taken in, too.
    """

    thread_name = "lasair-notices"
    awaited = True  # the consumer leaves its group

    def __init__(
        self,
        folder: Path,
        configuration: Mapping[str, object],
        topics: Sequence[str],
        *,
        tests: bool = False,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._configuration = {
            "auto.offset.reset": "latest",
            **configuration,
            "enable.auto.commit": False,
        }
        self._topics = list(topics)
        self._tests = tests
        self.taken = 0
        self.refused = 0

    def _take(self) -> float:
        try:
            self.follow(self._stop.is_set)
        except (KafkaException, EventError, OSError) as error:
            _log.error("notices are not followed; it is tried again", reason=str(error))
            return _RETRY_SECONDS
        return 0.0

    def follow(self, ended: Callable[[], bool]) -> None:
        """Take in what comes until `ended` says so.

        Raises
        ------
        KafkaException
            If there is no connection any more.
        EventError, OSError
            If events cannot be stored; what was read since comes again.
        """
        consumer = Consumer(self._configuration)
        consumer.subscribe(self._topics)
        try:
            while not ended():
                messages = consumer.consume(_AT_ONCE, _WAIT_SECONDS)
                files: list[EventFile] = []
                come = 0
                for message in messages:
                    error = message.error()
                    if error is None:
                        come += 1
                        where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
                        files += self._read(message.value() or b"", where)
                    elif error.fatal():
                        raise KafkaException(error)
                    else:
                        _log.warning("a topic of notices cannot be read", reason=error.str())
                if files:
                    report = take_in(self._folder, files)
                    self.taken += report.new + report.changed
                    _log.info("events taken in", new=report.new, changed=report.changed)
                if come:
                    _commit(consumer)
        finally:
            consumer.close()

    def _read(self, content: bytes, where: str) -> list[EventFile]:
        try:
            found = read_notice(content)
        except EventError as error:
            self.refused += 1
            _log.warning("a notice cannot be read", notice=where, reason=str(error)[:_SHOWN])
            return []
        for problem in found.problems:
            _log.warning("a part of a notice cannot be read", notice=where, reason=problem[:_SHOWN])
        if self._tests:
            return [found]
        rows = found.rows.filter(pc.equal(found.rows["role"], "observation"))
        return [EventFile(rows, found.refused, found.maps)] if rows.num_rows else []


def _commit(consumer: Consumer) -> None:
    """Commit what was read; that there is nothing to commit, as after a rebalance, is no fault."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._NO_OFFSET:
            raise
