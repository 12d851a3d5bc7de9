"""Parameters of filters and queries: kept with them, bound when they run, and set by whoever may."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lasair_broker.query import Parameter

QUERY = "SELECT diaObjectId, ra FROM objects WHERE g_psfFlux > {} AND tns_name <> {}"
LIMIT = Parameter("limit", "number", 20.5, "nJy", "the faintest")
NAME = Parameter("name", "text", "2026a")
ASKED, PLAIN = QUERY.format(":limit", ":name"), QUERY.format("20.5", "'2026a'")


class AtOnce:
    """Writes reports where they are made."""

    def put(self, write: Callable[[], None]) -> None:
        write()


def wording(adql: str = ASKED, parameters: tuple[Parameter, ...] = (LIMIT, NAME), **more: Any) -> Any:
    from lasair_broker.web.filters.wording import Wording

    return Wording(adql=adql, parameters=parameters, **more)


def created(user: Any, name: str = "parametrised", **more: Any) -> Any:
    from lasair_broker.web.filters import services

    return services.create(user, name, wording(**more))


def running(user: Any, found: Any, number: int) -> Any:
    """The filter as the stream has it."""
    from lasair_broker.web.filters import services
    from lasair_broker.web.subscriptions import UserSubscriptions

    services.record_preview(user, found.pk, number, services.Preview(1, 0.01, 1.0, 0.1))
    services.activate(user, found.pk, number)
    (active,) = UserSubscriptions(AtOnce()).filters().filters
    return active


def test_the_stream_sees_the_values_and_another_value_is_another_version(people: Any) -> None:
    from lasair_broker.query import PUBLIC, parse
    from lasair_broker.web.filters import services

    found = created(people.ann)
    active = running(people.ann, found, 1)
    assert active.query.tree == parse(PLAIN, PUBLIC).tree
    assert services.save_version(people.ann, found.pk, wording()).number == 1
    faint = Parameter("limit", "number", 21, "nJy", "the faintest")
    second = services.save_version(people.ann, found.pk, wording(parameters=(faint, NAME)))
    assert second.number == 2
    difference = services.diff(people.ann, found.pk, 1, 2)
    assert "--- parameter :limit number = 20.5 nJy: the faintest" in difference
    assert "+-- parameter :limit number = 21 nJy: the faintest" in difference
    assert running(people.ann, found, 2).query.tree == parse(QUERY.format("21", "'2026a'"), PUBLIC).tree


def test_a_copy_has_the_parameters_and_may_set_its_own(people: Any) -> None:
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import wording_of

    found = created(people.ann)
    running(people.ann, found, 1)
    services.share(people.ann, found.pk, "public")
    copy = services.fork(people.bob, found.pk)
    assert wording_of(copy.versions.get()).parameters == (LIMIT, NAME)
    own = Parameter("limit", "number", -3)
    services.save_version(people.bob, copy.pk, wording(parameters=(own, NAME)))
    assert wording_of(copy.versions.last()).parameters == (own, NAME)
    assert wording_of(found.versions.last()).parameters == (LIMIT, NAME)


@pytest.mark.parametrize(
    ("adql", "parameters", "field", "told"),
    [
        (ASKED, (LIMIT,), "adql", "there is no parameter :name"),
        (ASKED, (LIMIT, Parameter("name", "text")), "adql", "the parameter :name has no value"),
        (PLAIN, (LIMIT,), "parameters", "the parameter :limit is not in the query"),
        (ASKED, (LIMIT, Parameter("name", "number", 1)), "adql", "a number and a text do not go together"),
        (ASKED, (LIMIT, NAME, LIMIT), "parameters", ":limit is declared twice"),
    ],
)
def test_what_does_not_fit_is_refused(
    people: Any, adql: str, parameters: tuple[Parameter, ...], field: str, told: str
) -> None:
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.queries import saved
    from lasair_broker.web.queries.texts import Text

    for refused in (
        lambda: created(people.ann, adql=adql, parameters=parameters),
        lambda: saved.save(people.ann, "q", Text(adql=adql, parameters=parameters)),
    ):
        with pytest.raises(Invalid) as caught:
            refused()
        assert told in caught.value.faults[field]
        assert ("^" in caught.value.faults[field]) == (field == "adql")


def test_as_a_file_and_where_there_is_no_site(people: Any, tmp_path: Path) -> None:
    from lasair_broker.stream import SubscriptionFile
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.filters import files
    from lasair_broker.web.filters.wording import wording_of

    found = created(people.ann)
    text = files.exported(people.ann, [found.pk])
    assert yaml.safe_load(text)["filters"][0]["parameters"][0] == {
        "name": "limit", "type": "number", "default": 20.5, "unit": "nJy", "description": "the faintest",
    }  # fmt: skip
    (back,) = files.imported(people.bob, text)
    assert wording_of(back.versions.get()) == wording_of(found.versions.get())
    path = tmp_path / "wishes.yaml"
    path.write_text(text)
    (active,) = SubscriptionFile(path).filters().filters
    assert active.query.tree == running(people.ann, found, 1).query.tree
    # YAML reads a bare date as one.
    moment = "filters: [{name: m, adql: 'SELECT ra FROM objects WHERE timestamp > :t', parameters: [%s]}]"
    (back,) = files.imported(people.bob, moment % "{name: t, type: moment, default: 2026-03-01}")
    assert wording_of(back.versions.get()).parameters == (Parameter("t", "moment", "2026-03-01"),)
    for entry, told in [
        ("{name: t, type: moment, default: soon}", "is a moment, which 'soon' is not"),
        ("{name: t, type: colour, default: 1}", "type"),
        ("{name: t, type: number}", "default"),
        ("{name: t, type: number, default: [1]}", "default"),
    ]:
        with pytest.raises(Invalid) as caught:
            files.imported(people.bob, moment % entry)
        fault = " ".join(f"{place} {why}" for place, why in caught.value.faults.items())
        assert "filter 1" in fault
        assert told in fault


def test_a_job_runs_with_its_values(people: Any) -> None:
    from lasair_broker.query import PUBLIC, parse
    from lasair_broker.web.queries import jobs
    from lasair_broker.web.queries.texts import Text, query_of, text_of

    job = jobs.submit(people.ann, Text(adql=ASKED, parameters=(LIMIT, NAME)))
    job.refresh_from_db()
    assert query_of(text_of(job), people.ann).tree == parse(PLAIN, PUBLIC).tree
