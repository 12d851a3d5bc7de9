"""The account of deliveries: back-off, dead letters, limits, the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.web.delivery import services
from lasair_broker.web.delivery.models import DeadLetter, Delivery
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import outputs
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.models import FilterOutput
from lasair_broker.web.filters.services import Wording


@pytest.fixture
def output(people: Any) -> FilterOutput:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    return outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x", hourly_limit=10)


@given(st.integers(0, 10**6))
def test_waits_grow_to_an_hour(failures: int) -> None:
    wait = services.wait_after(failures)
    assert timedelta(seconds=5) <= wait <= timedelta(hours=1)
    assert wait <= services.wait_after(failures + 1)


def test_failures_wait_and_success_ends_it(output: FilterOutput) -> None:
    assert services.due_outputs() == [output]
    assert not services.failed(output, ["h1"], 0.1, "timeout")
    assert services.due_outputs() == []
    assert services.due_outputs(timezone.now() + timedelta(seconds=6)) == [output]
    services.delivered(output, ["h1", "h2"], 0.2, until_mjd=61000.5)
    assert services.due_outputs() == [output]
    output.state.refresh_from_db()
    assert (output.state.failures, output.state.delivered_to, output.state.last_hit) == (0, 61000.5, "h2")
    assert list(output.deliveries.values_list("result", "hits")) == [("delivered", 2), ("failed", 1)]


def test_disabled_outputs_and_inactive_owners_get_nothing(output: FilterOutput, people: Any) -> None:
    outputs.change(people.ann, output.pk, enabled=False)
    assert services.due_outputs() == []
    outputs.change(people.ann, output.pk, enabled=True)
    people.ann.is_active = False
    people.ann.save()
    assert services.due_outputs() == []


def test_after_many_failures_hits_are_dead_letters(output: FilterOutput) -> None:
    results = [services.failed(output, ["h1", "h2"], 0.1, "refused") for _ in range(services.MAX_ATTEMPTS)]
    assert results == [False] * (services.MAX_ATTEMPTS - 1) + [True]
    assert set(DeadLetter.objects.values_list("hit", "attempts")) == {("h1", 20), ("h2", 20)}
    assert not services.failed(output, ["h2", "h3"], 0.1, "refused"), "counting begins anew"


def test_limit_holds_back_and_sums_up(output: FilterOutput) -> None:
    now = timezone.now()
    assert [services.admit(output, 7, now), services.admit(output, 7, now)] == [7, 3]
    assert services.take_held_back(output) == 4
    assert services.take_held_back(output) == 0
    assert services.admit(output, 7, now + timedelta(minutes=59)) == 0
    assert services.admit(output, 7, now + timedelta(minutes=61)) == 7


def test_log_is_the_editors(output: FilterOutput, people: Any) -> None:
    services.delivered(output, ["h"], 0.1)
    filters.share(people.ann, output.filter.pk, "public")
    assert Delivery.objects.visible_to(people.ann).count() == 1
    for person in (people.bob, None):
        assert not Delivery.objects.visible_to(person).exists()


def test_redelivery(output: FilterOutput, people: Any) -> None:
    asked = services.redeliver(people.ann, output.filter.pk, 61000.0, 61001.0)
    assert asked.done is None
    with pytest.raises(Invalid, match="before the end"):
        services.redeliver(people.ann, output.filter.pk, 61001.0, 61001.0)
    with pytest.raises(NotFound):
        services.redeliver(people.bob, output.filter.pk, 61000.0, 61001.0)
