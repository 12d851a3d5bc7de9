"""The account of deliveries: cursors, leases, back-off, dead letters, limits, the log; who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.stream.delivery import Channel, DeliveryError, Kind, Outcome, Output, Parcel
from lasair_broker.web.accounts.models import Membership
from lasair_broker.web.delivery import account, again, services
from lasair_broker.web.delivery.account import Account, wait_after
from lasair_broker.web.delivery.models import DeadLetter, Delivery, OutputState, Redelivery
from lasair_broker.web.delivery.running import DjangoOutputs, mjd_tai
from lasair_broker.web.delivery.topics import readers_of, topic_of
from lasair_broker.web.errors import Busy, Invalid, NotAllowed, NotFound
from lasair_broker.web.filters import outputs
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.models import FilterOutput
from lasair_broker.web.filters.services import Wording


@pytest.fixture
def output(people: Any) -> FilterOutput:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    return outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x", hourly_limit=10)


def taken(holder: str = "me") -> Output:
    """The one output, taken by a worker."""
    (due,) = DjangoOutputs().due()
    (found,) = DjangoOutputs().take([due.output_id], holder, 20.0)
    return found


def settle(outcome: Outcome, now: datetime | None = None, holder: str = "me") -> OutputState:
    Account([outcome], holder, now).settle()
    return OutputState.objects.get()


def sent(output: Output, *hits: tuple[float, str], **values: Any) -> Outcome:
    return Outcome(output, Kind.NEW, hits, cursor=hits[-1], **values)


@given(st.integers(0, 10**6))
def test_waits_grow_to_an_hour(failures: int) -> None:
    wait = wait_after(failures)
    assert timedelta(seconds=5) <= wait <= timedelta(hours=1)
    assert wait <= wait_after(failures + 1)


def test_an_output_begins_when_it_was_made_and_its_cursor_moves_forward_only(output: FilterOutput) -> None:
    first = taken()
    assert first.cursor == (mjd_tai(output.created), "")
    begin = first.cursor[0]
    state = settle(sent(first, (begin + 1, "a"), (begin + 1, "b")))
    assert (state.delivered_to, state.last_hit, state.lease_holder) == (begin + 1, "b", "")
    assert taken().cursor == (begin + 1, "b")
    assert settle(sent(first, (begin + 1, "a"))).last_hit == "b"
    lines = output.deliveries.values_list("result", "hits", "first_hit", "last_hit")
    assert list(lines) == [("delivered", 3, "a", "a")], "of one minute there is one line"
    taken()
    settle(sent(first, (begin + 2, "c")), timezone.now() + timedelta(minutes=2))
    assert [hits for _, hits, *_ in lines.all()] == [1, 3]


def test_the_log_is_not_kept_for_ever(output: FilterOutput) -> None:
    first = taken()
    settle(sent(first, (first.cursor[0] + 1, "a")))
    Delivery.objects.update(at=timezone.now() - timedelta(days=31))
    (again,) = DjangoOutputs().take([output.pk], "me", 20.0)
    DjangoOutputs().settle([sent(again, (again.cursor[0] + 1, "b"))], "me")
    assert list(Delivery.objects.values_list("last_hit", flat=True)) == ["b"]


def test_only_one_worker_has_an_output(output: FilterOutput) -> None:
    one = taken("one")
    assert DjangoOutputs().take([output.pk], "two", 20.0) == []
    assert len(DjangoOutputs().take([output.pk], "one", 20.0)) == 1, "it prolongs"
    OutputState.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    (two,) = DjangoOutputs().take([output.pk], "two", 20.0)
    state = settle(sent(one, (one.cursor[0] + 1, "a")), holder="one")
    assert (state.delivered_to, state.lease_holder) == (two.cursor[0], "two"), "the late one changes nothing"


def test_failures_wait_and_success_ends_it(output: FilterOutput) -> None:
    now = timezone.now()
    trying = taken()
    hits = ((trying.cursor[0] + 1, "a"),)
    state = settle(Outcome(trying, Kind.NEW, hits, error="timeout"), now)
    assert (state.failures, state.next_attempt) == (1, now + timedelta(seconds=5))
    assert state.delivered_to == trying.cursor[0]
    assert DjangoOutputs().due() == []
    OutputState.objects.update(next_attempt=now)
    state = settle(sent(taken(), *hits), now)
    assert (state.failures, state.next_attempt) == (0, None)
    assert list(output.deliveries.values_list("result", "message")) == [
        ("delivered", ""),
        ("failed", "timeout"),
    ]


def test_a_pause_is_kept(output: FilterOutput) -> None:
    now = timezone.now()
    trying = taken()
    state = settle(sent(trying, (trying.cursor[0] + 1, "a"), pause=60.0), now)
    assert state.next_attempt == now + timedelta(seconds=60)


def test_disabled_outputs_and_inactive_owners_get_nothing(output: FilterOutput, people: Any) -> None:
    outputs.change(people.ann, output.pk, enabled=False)
    assert DjangoOutputs().due() == []
    before = mjd_tai(timezone.now())
    outputs.change(people.ann, output.pk, enabled=True)
    assert taken().cursor[0] >= before, "what came while it was off is not sent"
    people.ann.is_active = False
    people.ann.save()
    assert DjangoOutputs().due() == []


def test_after_many_failures_hits_are_dead_letters_and_can_be_sent_again(
    output: FilterOutput, people: Any
) -> None:
    begin = taken().cursor[0]
    hits = ((begin + 1, "a"), (begin + 1, "b"))
    for _ in range(account.MAX_ATTEMPTS):
        OutputState.objects.update(next_attempt=None)
        state = settle(Outcome(taken(), Kind.NEW, hits, error="refused"))
    assert (state.delivered_to, state.last_hit, state.failures) == (begin + 1, "b", 0)
    assert set(DeadLetter.objects.values_list("hit", "attempts")) == {("a", 20), ("b", 20)}
    with pytest.raises(NotFound):
        services.resend_dead_letters(people.bob, output.pk)
    assert services.resend_dead_letters(people.ann, output.pk) == 2
    OutputState.objects.update(next_attempt=None)
    again = taken()
    assert again.again is not None
    assert (again.again.after, again.again.until) == ((begin + 1, ""), begin + 1)
    assert again.again.only == {"a", "b"}
    settle(Outcome(again, Kind.AGAIN, hits, cursor=hits[-1], finished=True))
    assert taken().again is None
    assert not DeadLetter.objects.filter(sent_again=None).exists()
    assert services.resend_dead_letters(people.ann, output.pk) == 0


def test_hits_wait_for_the_sites_own_kafka_however_long_it_is_away(people: Any) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    output = outputs.add(people.ann, made.pk, "kafka")
    now = timezone.now()
    begin = taken().cursor[0]
    hits = ((begin + 1, "a"),)
    for _ in range(2 * account.MAX_ATTEMPTS):
        OutputState.objects.update(next_attempt=None)
        state = settle(Outcome(taken(), Kind.NEW, hits, error="no broker"), now)
        assert state.next_attempt is not None
        assert state.next_attempt <= now + timedelta(seconds=20)
    assert (state.delivered_to, state.failures) == (begin, 40)
    assert not DeadLetter.objects.exists()
    assert output.deliveries.count() == 6, "at the first time, the second, the fourth …"
    OutputState.objects.update(next_attempt=None)
    assert settle(sent(taken(), *hits)).delivered_to == begin + 1


def test_hits_that_can_never_be_sent_are_dead_at_once(output: FilterOutput) -> None:
    trying = taken()
    hits = ((trying.cursor[0] + 1, "a"), (trying.cursor[0] + 1, "b"))
    settle(sent(trying, *hits, refused={"a": "too large"}))
    assert list(DeadLetter.objects.values_list("hit", "message", "attempts")) == [("a", "too large", 1)]


def test_limit_holds_back_and_sums_up(output: FilterOutput) -> None:
    now = timezone.now()
    trying = taken()
    assert (trying.limit, trying.held_back) == (10, 0)
    page = [(trying.cursor[0] + 1, f"{n:02}") for n in range(14)]
    settle(Outcome(trying, Kind.NEW, tuple(page[:10]), cursor=page[-1], held_back=4), now)
    assert (taken().limit, taken().held_back) == (0, 0), "the summary comes at the end of the hour"
    OutputState.objects.update(window_began=now - timedelta(minutes=61))
    due = taken()
    assert (due.limit, due.held_back) == (10, 4)
    state = settle(Outcome(due, Kind.SUMMARY, held_back=4))
    assert state.held_back == 0
    assert output.deliveries.first().result == "summed up"


def test_topics_have_no_limit_unless_given_one(people: Any) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    assert outputs.add(people.ann, made.pk, "kafka").hourly_limit is None
    assert outputs.add(people.ann, made.pk, "email").hourly_limit == 1000


def test_a_digest_is_due_once_a_day(people: Any) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    output = outputs.add(people.ann, made.pk, "email", frequency="digest")
    now = timezone.now()
    hour = (now + timedelta(hours=2)).astimezone(UTC).hour
    place = DjangoOutputs(digest_hour=hour)
    assert place.due()[0].digest_until is None, "the first is due at the next such hour"
    FilterOutput.objects.update(created=now - timedelta(days=2))
    (due,) = place.take([output.pk], "me", 20.0)
    assert due.channel is Channel.DIGEST
    assert due.digest_until is not None
    assert mjd_tai(now) - 1 < due.digest_until < mjd_tai(now)
    settle(Outcome(due, Kind.NEW, cursor=due.cursor, finished=False))
    assert place.due()[0].digest_until == due.digest_until, "there was more than one mail's worth"
    place.take([output.pk], "me", 20.0)
    settle(Outcome(due, Kind.NEW, cursor=due.cursor, finished=True))
    assert place.due()[0].digest_until is None


def test_who_left_the_collaboration_gets_no_more_mail(people: Any, team: Any) -> None:
    group = team("4MOST", manager=people.ann, member=people.bob)
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    filters.share(people.ann, made.pk, "group", group)
    outputs.add(people.ann, made.pk, "email", recipient=people.bob)
    assert [due.address for due in DjangoOutputs().due()] == ["bob@example.org"]
    Membership.objects.filter(user=people.bob).delete()
    assert DjangoOutputs().due() == []


def test_private_topics_never_have_the_name_of_public_ones(people: Any, team: Any) -> None:
    group = team("4MOST", manager=people.ann)
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    private, readers = topic_of(made), readers_of(made)
    assert private == f"private.{people.ann.pk}.{made.topic}"
    assert readers == (f"user.{people.ann.pk}",)
    made = filters.share(people.ann, made.pk, "group", group)
    assert (topic_of(made), readers_of(made)) == (f"4most.{made.topic}", ("4most",))
    made = filters.share(people.ann, made.pk, "public")
    assert (topic_of(made), readers_of(made)) == (made.topic, None)


def test_log_is_the_editors(output: FilterOutput, people: Any) -> None:
    trying = taken()
    settle(sent(trying, (trying.cursor[0] + 1, "a")))
    filters.share(people.ann, output.filter.pk, "public")
    assert Delivery.objects.visible_to(people.ann).count() == 1
    for person in (people.bob, None):
        assert not Delivery.objects.visible_to(person).exists()


def test_redelivery(output: FilterOutput, people: Any) -> None:
    span = again.span_of(61000.0, 61001.0)
    (asked,) = again.ask(people.ann, output.filter.pk, span)
    wish = taken().again
    assert wish is not None
    assert (wish.after, wish.until, wish.only) == ((61000.0, ""), 61001.0, None)
    settle(Outcome(taken(), Kind.AGAIN, ((61000.5, "a"),), cursor=(61000.5, "a")))
    wish = taken().again
    assert wish is not None
    assert wish.after == (61000.5, "a"), "it goes on where it was"
    with pytest.raises(Busy, match="still being sent"):
        again.ask(people.ann, output.filter.pk, span)
    state = settle(Outcome(taken(), Kind.AGAIN, cursor=(61000.5, "a"), finished=True))
    asked.refresh_from_db()
    assert (asked.hits, asked.done is None) == (1, False)
    assert state.delivered_to == mjd_tai(output.created), "new hits are counted apart"
    with pytest.raises(Invalid, match="before the end"):
        again.span_of(61001.0, 61001.0)
    with pytest.raises(NotFound):
        again.ask(people.bob, output.filter.pk, span)
    outputs.remove(people.ann, output.pk)
    with pytest.raises(Invalid, match="no such output"):
        again.ask(people.ann, output.filter.pk, span)
    assert not Redelivery.objects.filter(output__deleted=None).exists()


def test_redelivery_from_a_place_is_stopped_and_limited(output: FilterOutput, people: Any) -> None:
    for text in ("61000.5", "61000.5/a b", "x/a", "61000.5/" + "a" * 65):
        with pytest.raises(Invalid, match="MJD/hitId"):
            again.span_of(None, 61001.0, text)
    with pytest.raises(Invalid, match="give the beginning"):
        again.span_of(None, 61001.0)
    span = again.span_of(None, 61001.0, "61000.5/abc")
    for _ in range(again.MOST_AN_HOUR):
        (wish,) = again.ask(people.ann, output.filter.pk, span)
        seen = taken().again
        assert seen is not None
        assert (seen.after, seen.until) == ((61000.5, "abc"), 61001.0)
        with pytest.raises(NotFound):
            again.stop(people.bob, output.filter.pk, wish.pk)
        again.stop(people.ann, output.filter.pk, wish.pk)
        assert taken().again is None
        with pytest.raises(NotFound, match="nothing"):
            again.stop(people.ann, output.filter.pk, wish.pk)
    with pytest.raises(Busy, match="times an hour"):
        again.ask(people.ann, output.filter.pk, span)
    Redelivery.objects.update(asked=timezone.now() - timedelta(hours=2))
    assert again.ask(people.ann, output.filter.pk, span)


class HitsOf:
    """An archive of which only `hits_after` is asked."""

    def __init__(self, times: list[float]) -> None:
        self.hits = [(mjd, f"h{number:06d}") for number, mjd in enumerate(times)]

    def hits_after(self, filterId: int, after: Any, *, until: float, limit: int) -> pa.Table:
        chosen = [hit for hit in self.hits if after < hit and hit[0] <= until][:limit]
        return pa.table({"committedMjdTai": [c for c, _ in chosen], "hitId": [h for _, h in chosen]})


def test_hits_are_counted_before_they_are_asked_for(output: FilterOutput, people: Any) -> None:
    number = output.filter.pk
    archive: Any = HitsOf([61000.0 + 1e-5 * i for i in range(12_000)])
    assert again.count(people.ann, number, again.span_of(60999.0, 61002.0), archive) == 12_000
    after = again.span_of(None, 61002.0, f"{archive.hits[4999][0]!r}/{archive.hits[4999][1]}")
    assert again.count(people.ann, number, after, archive) == 7_000
    wishes, hits = again.ask_for_some(people.ann, number, again.span_of(60000.0, 60001.0), archive)
    assert (wishes, hits) == ([], 0)
    many: Any = HitsOf([61000.0] * (again.MOST_HITS + 10))
    with pytest.raises(Invalid, match="more than 100,000"):
        again.ask_for_some(people.ann, number, again.span_of(60999.0, 61002.0), many)
    with pytest.raises(NotFound):
        again.count(people.bob, number, after, archive)
    assert not Redelivery.objects.exists()


class Recording:
    """A way of delivery that remembers tests."""

    most, pause = 10, 0.0

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.tested: list[Output] = []

    def send(self, output: Output, parcel: Parcel, seconds: float) -> Mapping[str, str]:
        raise AssertionError("a test sends no hits")

    def summarise(self, output: Output, held_back: int, seconds: float) -> None:
        raise AssertionError("a test is no summary")

    def test(self, output: Output, seconds: float) -> str:
        self.tested.append(output)
        if self.error:
            raise DeliveryError(self.error)
        return "took it"

    def close(self) -> None:
        pass


def test_trying_an_output(output: FilterOutput, people: Any) -> None:
    good, bad = Recording(), Recording("refused")
    tried = services.send_test(people.ann, output.pk, {Channel.WEBHOOK: good})
    assert (tried.result, tried.message, good.tested[0].output_id) == ("test", "took it", output.pk)
    tried = services.send_test(people.ann, output.pk, {Channel.WEBHOOK: bad})
    assert (tried.result, tried.message) == ("failed", "refused")
    tried = services.send_test(people.ann, output.pk, {})
    assert "does not deliver by webhook" in tried.message
    with pytest.raises(NotFound):
        services.send_test(people.bob, output.pk, {Channel.WEBHOOK: good})


class Logins:
    """Remembers which Kafka logins were made."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def set_password(self, principal: str, password: str) -> None:
        self.made[principal] = password


def test_kafka_passwords_are_for_oneself_and_for_managers(people: Any, team: Any) -> None:
    team("4MOST", manager=people.ann, member=people.bob)
    access: Any = Logins()
    assert services.new_kafka_password(people.bob, access)[0] == f"user.{people.bob.pk}"
    principal, password = services.new_kafka_password(people.ann, access, "4most")
    assert access.made[principal] == password
    assert len(password) >= 24
    with pytest.raises(NotAllowed):
        services.new_kafka_password(people.bob, access, "4most")
    with pytest.raises(NotFound):
        services.new_kafka_password(people.cat, access, "4most")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "syslog://", "dbus://", "mailto://a:b@x.org", "x"])
def test_notifications_do_not_act_on_the_server_itself(people: Any, url: str) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    with pytest.raises(Invalid, match="url"):
        outputs.add(people.ann, made.pk, "apprise", url=url)
