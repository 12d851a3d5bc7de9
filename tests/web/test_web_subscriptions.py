"""What the stream learns of users' wishes, and what they learn of the stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from structlog.testing import capture_logs

from lasair_broker.archive import ArchiveAwayError
from lasair_broker.query import BatchFrame, StreamPlan
from lasair_broker.stream import FilterRun, Renotify, TriggeredBy
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.filters import running, services
from lasair_broker.web.filters.models import Filter, FilterFailure, FilterStatistics
from lasair_broker.web.filters.services import Preview, Wording
from lasair_broker.web.reports import BackgroundReports
from lasair_broker.web.subscriptions import UserSubscriptions

SEEN = Preview(count=120, fraction=0.001, per_night=12.5, seconds=0.2)
FAINT = Wording(adql="SELECT diaObjectId, ra FROM objects WHERE g_psfFlux < 100")


class AtOnce:
    """Reports written when they are put, within the test's transaction."""

    def put(self, report: Callable[[], None]) -> None:
        report()


@pytest.fixture
def subscriptions() -> UserSubscriptions:
    return UserSubscriptions(AtOnce())


def activated(user: Any, name: str = "faint", wording: Wording = FAINT) -> Filter:
    made = services.create(user, name, wording)
    services.record_preview(user, made.pk, 1, SEEN)
    services.activate(user, made.pk, 1)
    return made


def test_active_filters_and_their_rules(people: Any, subscriptions: UserSubscriptions) -> None:
    assert subscriptions.filters().filters == ()
    first = activated(people.ann)
    rule = Wording(
        selected="objects.diaObjectId, objects.ra",
        tables="objects",
        conditions="objects.ra > 3",
        trigger="both",
        renotify="again",
        renotify_days=2.5,
        renotify_columns=["ra"],
    )
    second = activated(people.bob, "again", rule)
    one, two = subscriptions.filters().filters
    assert (one.filter_id, one.version, one.triggered_by, one.renotify) == (
        first.pk, 1, TriggeredBy.ALERT, Renotify(),
    )  # fmt: skip
    assert (two.filter_id, two.triggered_by, two.renotify) == (
        second.pk, TriggeredBy.BOTH, Renotify(days=2.5, columns=("ra",)),
    )  # fmt: skip


def test_nothing_is_parsed_twice(people: Any, subscriptions: UserSubscriptions) -> None:
    first = activated(people.ann)
    before = subscriptions.filters()
    assert subscriptions.filters() is before
    second = activated(people.bob)
    after = subscriptions.filters()
    assert after is not before
    assert after.filters[0] is before.filters[0]
    services.create(people.ann, "a draft", FAINT)
    assert subscriptions.filters() is after
    services.deactivate(people.ann, first.pk)
    assert [each.filter_id for each in subscriptions.filters().filters] == [second.pk]
    people.bob.is_active = False
    people.bob.save()
    assert subscriptions.filters().filters == ()


def test_a_new_version_takes_the_place_of_the_old(people: Any, subscriptions: UserSubscriptions) -> None:
    made = activated(people.ann)
    subscriptions.filters()
    services.save_version(people.ann, made.pk, Wording(adql="SELECT ra FROM objects WHERE ra < 1"))
    services.record_preview(people.ann, made.pk, 2, SEEN)
    services.activate(people.ann, made.pk, 2)
    assert [each.version for each in subscriptions.filters().filters] == [2]
    services.roll_back(people.ann, made.pk, 1)
    assert [each.version for each in subscriptions.filters().filters] == [1]


def test_rights_that_are_lost_are_lost_on_the_stream(people: Any, subscriptions: UserSubscriptions) -> None:
    import pyarrow as pa

    said = Annotator.objects.create(owner=people.bob, topic="robot", visibility="public")
    named = Wording(selected="objects.diaObjectId", tables="objects,annotator:robot", conditions="")
    free = Wording(
        adql="SELECT o.diaObjectId FROM objects o JOIN annotations a ON o.diaObjectId = a.diaObjectId"
    )
    activated(people.ann, "named", named)
    activated(people.ann, "free", free)
    frame = BatchFrame(
        {
            "objects": pa.table({"diaObjectId": [1]}),
            "annotations": pa.table({"diaObjectId": [1], "topic": ["robot"]}),
        }
    )

    def rows() -> dict[str, int]:
        filters = subscriptions.filters().filters
        return {each.name: StreamPlan(each.query).run(frame).rows.num_rows for each in filters}

    assert rows() == {"named": 1, "free": 1}
    assert all(each.topics == {"robot"} for each in subscriptions.filters().filters)
    said.visibility = "private"
    said.save()
    assert rows() == {"free": 0}
    assert all(each.topics == frozenset() for each in subscriptions.filters().filters)
    assert "not yours to read" in FilterFailure.objects.get().message
    said.visibility = "public"
    said.save()
    assert rows() == {"named": 1, "free": 1}


def test_without_the_database_what_ran_runs_on(
    people: Any, subscriptions: UserSubscriptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(people.ann)
    before = subscriptions.filters()
    assert before.filters

    def away(*_: object) -> None:
        raise OperationalError("no route to host")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("lasair_broker.web.subscriptions._filters_stamp", away)
        patch.setattr("lasair_broker.web.subscriptions.annotations_after", away)
        for _ in range(3):
            assert subscriptions.filters() is before
            rows, position = subscriptions.annotations(7, 10)
            assert (rows.num_rows, position) == (0, 7)
    assert [log["reason"] for log in logs] == ["no route to host"]
    activated(people.bob)
    assert len(subscriptions.filters().filters) == 2


def test_before_filters_were_ever_read_no_alert_goes_by(
    people: Any, subscriptions: UserSubscriptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(people.ann)

    def away() -> None:
        raise OperationalError("no route to host")

    with monkeypatch.context() as patch:
        patch.setattr("lasair_broker.web.subscriptions._filters_stamp", away)
        for _ in range(2):
            with pytest.raises(ArchiveAwayError, match="have not been read"):
                subscriptions.filters()
    assert len(subscriptions.filters().filters) == 1


def test_failures_are_told_once(
    people: Any, subscriptions: UserSubscriptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "lasair_broker.web.subscriptions.tell_owner", lambda v, message: told.append((str(v), message))
    )
    made = activated(people.ann)
    for _ in range(3):
        subscriptions.filter_failed(made.pk, 1, "division by zero")
    assert told == [("faint version 1", "division by zero")]
    assert FilterFailure.objects.get().count == 3
    subscriptions.filters_recovered([(made.pk, 1), (99, 1)])
    assert FilterFailure.objects.get().resolved is not None
    subscriptions.filter_failed(made.pk, 1, "division by zero")
    assert len(told) == 2
    subscriptions.filter_failed(99, 1, "a filter that is gone is no trouble")


def test_mail_about_a_failure(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lasair_broker.web.filters import telling

    made = activated(people.ann, "two\nlines")
    version = made.versions.get()
    telling.tell_owner(version, "it broke")
    assert mail.outbox == [], "without a mail server"
    monkeypatch.setenv("LASAIR_DELIVERY__MAIL_HOST", "mail.example.org")
    sent = []
    monkeypatch.setattr("django.core.mail.EmailMessage.send", lambda self: sent.append(self))
    telling.tell_owner(version, "it broke")
    (message,) = sent
    assert message.to == ["ann@example.org"]
    assert "\n" not in message.subject
    assert "it broke" in message.body
    assert f"lasair filter health {made.pk}" in message.body


def test_statistics_add_up_by_night(people: Any, subscriptions: UserSubscriptions) -> None:
    made = activated(people.ann)
    evening = datetime(2026, 5, 4, 23, tzinfo=UTC)
    morning = datetime(2026, 5, 5, 11, 59, tzinfo=UTC)
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    some = FilterRun(made.pk, 1, batches=2, alerts=100, rows=3, seconds=0.5, longest=0.3)
    gone = FilterRun(made.pk + 1, 1, batches=1)
    for moment in (evening, morning, noon):
        running.record_runs([some, gone], moment)
    found = FilterStatistics.objects.values_list("night", "batches", "alerts", "rows", "seconds", "longest")
    assert list(found) == [
        (date(2026, 5, 5), 2, 100, 3, 0.5, 0.3),
        (date(2026, 5, 4), 4, 200, 6, 1.0, 0.3),
    ]
    subscriptions.filters_ran([some])
    assert FilterStatistics.objects.count() == 3


def test_reports_in_the_background_go_on_after_a_bad_one() -> None:
    done = []

    def bad() -> None:
        raise RuntimeError("no")

    reports = BackgroundReports()
    for report in (lambda: done.append(1), bad, lambda: done.append(2)):
        reports.put(report)
    reports.close()
    reports.close()
    assert done == [1, 2]
