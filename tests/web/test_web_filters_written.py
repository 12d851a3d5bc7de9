"""Filters that are being written, deleted and restored, and outputs that keep quiet: and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.query import QueryError
from lasair_broker.schema import arrow_schema

SEEN = "SELECT diaObjectId, ra FROM objects WHERE nDiaSources > 0"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An empty archive: what queries may ask is decided before they reach it."""
    with open_archive(tmp_path_factory.mktemp("written") / "archive") as opened:
        yield opened


def wording(adql: str = SEEN, **more: Any) -> Any:
    from lasair_broker.web.filters.wording import Wording

    return Wording(adql=adql, **more)


def created(user: Any, name: str = "young", adql: str = SEEN) -> Any:
    from lasair_broker.web.filters import services

    return services.create(user, name, wording(adql))


def test_an_editor_reads_nothing_through_the_owners_rights(people: Any, team: Any, archive: Archive) -> None:
    """What an editor writes has the rights that both have: else the owner's private list were an editor's."""
    from lasair_broker.web.filters import services, trying
    from lasair_broker.web.filters.queries import query_of
    from lasair_broker.web.filters.wording import wording_of
    from lasair_broker.web.watchlists import services as watchlists

    group = team("4MOST", manager=people.ann, editor=people.eve)
    private = watchlists.create(people.ann, "hers alone")
    shared = watchlists.create(people.ann, "theirs")
    watchlists.share(people.ann, shared.pk, "group", group)
    found = created(people.ann)
    services.share(people.ann, found.pk, "group", group)
    all_lists = (
        "SELECT objects.diaObjectId, w.name FROM objects JOIN watchlist_hits AS w "
        "ON w.diaObjectId = objects.diaObjectId"
    )
    by_ann = services.save_version(people.ann, found.pk, wording(all_lists))
    by_eve = services.save_version(people.eve, found.pk, wording(all_lists + " WHERE w.arcsec < 5"))

    def seen(version: Any) -> str:
        return query_of(wording_of(version), found.owner, version.author).render("duckdb")

    def lists(sql: str) -> set[int]:
        return {n for n in (private.pk, shared.pk) if f" {n}" in sql or f"({n}" in sql}

    assert lists(seen(by_ann)) == {private.pk, shared.pk}
    assert lists(seen(by_eve)) == {shared.pk}
    rows = wording(f"{all_lists} AND w.wl_id = {private.pk}")
    assert trying.try_wording(people.eve, found.pk, rows, archive).count == 0
    from lasair_broker.web.filters.running import running_filters

    services.record_preview(people.ann, found.pk, by_eve.number, services.Preview(1, 0.01, 1.0, 0.1))
    services.activate(people.ann, found.pk, by_eve.number)
    (running,) = running_filters()
    assert (running.owner_id, running.author_id) == (people.ann.pk, people.eve.pk)


def test_trying_what_is_not_saved(people: Any, archive: Archive) -> None:
    from lasair_broker.web.errors import Invalid, NotFound
    from lasair_broker.web.filters import trying

    found = created(people.ann)
    assert trying.try_wording(people.ann, None, wording(), archive).count == 0
    assert trying.try_wording(people.ann, found.pk, wording(), archive, night=60000).nights == ()
    with pytest.raises(NotFound):
        trying.try_wording(people.bob, found.pk, wording(), archive)
    with pytest.raises(Invalid, match="line 1, column 8"):
        trying.try_wording(people.ann, None, wording("SELECT raa FROM objects"), archive)


def test_checking_points_at_the_place(people: Any) -> None:
    from lasair_broker.web.filters.queries import check_words

    with pytest.raises(QueryError) as error:
        check_words(wording("SELECT ra FROM objects WHERE nope > 1"), people.ann)
    assert error.value.position == len("SELECT ra FROM objects WHERE ")
    with pytest.raises(QueryError):
        check_words(wording("SELECT COUNT(*) AS n FROM objects"), people.ann)


def test_deleting_can_be_undone(people: Any, team: Any) -> None:
    from django.utils import timezone

    from lasair_broker.web.errors import NotAllowed, NotFound
    from lasair_broker.web.filters import outputs, services
    from lasair_broker.web.filters.models import Filter, FilterOutput, FilterVersion

    group = team("4MOST", manager=people.ann, editor=people.eve)
    found = created(people.ann)
    services.share(people.ann, found.pk, "group", group)
    services.record_preview(people.ann, found.pk, 1, services.Preview(1, 0.01, 1.0, 0.1))
    services.activate(people.ann, found.pk, 1)
    outputs.add(people.ann, found.pk, "browser")
    with pytest.raises(NotAllowed):
        services.delete(people.eve, found.pk)
    services.delete(people.ann, found.pk)
    assert not Filter.objects.exists()
    assert not Filter.objects.running()
    for user in (people.ann, people.eve):
        assert not FilterVersion.objects.visible_to(user)
        assert not FilterOutput.objects.visible_to(user)
    again = created(people.ann)  # the name is free
    for user in (people.eve, people.bob):
        with pytest.raises(NotFound):
            services.restore(user, found.pk)
    back = services.restore(people.ann, found.pk)
    assert (back.name, back.active_version, back.topic) == ("young (2)", None, found.topic)
    assert back.versions.count() == back.outputs.count() == 1
    services.delete(people.ann, found.pk)
    Filter.everything.filter(pk=found.pk).update(deleted=timezone.now() - timedelta(days=31))
    with pytest.raises(NotFound):
        services.restore(people.ann, found.pk)
    services.delete(people.ann, again.pk)
    assert list(Filter.everything.values_list("pk", flat=True)) == [again.pk]


@pytest.mark.parametrize(
    ("begin", "end", "quiet"),
    [(22, 6, {22, 23, 0, 1, 2, 3, 4, 5}), (9, 12, {9, 10, 11}), (None, None, set()), (0, 1, {0})],
)
def test_quiet_hours(begin: int | None, end: int | None, quiet: set[int]) -> None:
    from lasair_broker.web.filters.models import FilterOutput

    output = FilterOutput(quiet_from=begin, quiet_until=end)
    assert {hour for hour in range(24) if output.quiet_at(hour)} == quiet


def test_a_quiet_output_waits(people: Any, monkeypatch: Any) -> None:
    from datetime import UTC, datetime

    from lasair_broker.web.delivery import running
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.filters import outputs, services

    found = created(people.ann)
    made = outputs.add(people.ann, found.pk, "email", quiet_from=22, quiet_until=6)
    for hour, served in ((21, True), (22, False), (5, False), (6, True)):
        now = datetime(2026, 3, 1, hour, 30, tzinfo=UTC)
        monkeypatch.setattr(running, "_now", lambda now=now: now)
        assert bool(running.DjangoOutputs().due()) == served
    monkeypatch.undo()
    with pytest.raises(Invalid, match="both hours"):
        outputs.change(people.ann, made.pk, quiet_from=None)
    with pytest.raises(Invalid, match="another hour"):
        outputs.change(people.ann, made.pk, quiet_from=6)
    services.delete(people.ann, found.pk)
    assert not running.DjangoOutputs().due()


def test_the_makeup_of_what_was_found(people: Any, archive: Archive) -> None:
    """Classes are counted by object, not by hit."""
    from lasair_broker.stream.filters import makeup_of_hits

    def rows(name: str, known: dict[str, list[Any]]) -> pa.Table:
        count = len(next(iter(known.values())))
        schema = arrow_schema(name)
        columns = [pa.array(known.get(f.name, [None] * count), f.type) for f in schema]
        return pa.table(columns, schema=schema)

    from lasair_broker.packets import mjd_tai_now

    now = mjd_tai_now()
    hits = {
        "hitId": ["a", "b", "c", "d"],
        "filterId": [77, 77, 77, 78],
        "filterVersion": [1] * 4,
        "diaObjectId": [1, 1, 2, 3],
        "trigger": ["alert"] * 4,
        "content": ["{}"] * 4,
        "arrivedMjdTai": [now] * 4,
        "committedMjdTai": [now] * 4,
    }
    archive.write([], tables={"filter_hits": rows("filter_hits", hits)})
    found = makeup_of_hits(archive, 77)
    assert (found.classes, found.magnitudes) == (((None, 2),), None)


def test_tags_are_ones_own(people: Any) -> None:
    from lasair_broker.web.errors import Invalid, NotFound
    from lasair_broker.web.tags import services
    from lasair_broker.web.tags.models import Tag

    kept = services.keep(people.ann, 2**62, "  a  word ")
    assert services.keep(people.ann, 2**62, "a word") == kept
    services.keep(people.ann, 2**62)
    services.keep(people.bob, 2**62, "his")
    assert services.labels_of(people.ann, [2**62, 1]) == {2**62: ["a word", "saved"]}
    assert not Tag.objects.visible_to(None)
    with pytest.raises(NotFound):
        services.drop(people.bob, kept.pk)
    with pytest.raises(Invalid):
        services.keep(people.ann, 1, "")
    with pytest.raises(Invalid):
        services.keep(people.ann, 1, "x" * 51)
    services.drop(people.ann, kept.pk)
    assert services.labels_of(people.ann, [2**62]) == {2**62: ["saved"]}
