"""A user's queries see the rows of just those lists, maps and annotators that the user may see."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from lasair_broker.query import QueryError, parse, triple
from lasair_broker.schema import ddl
from lasair_broker.web.annotators import services as annotators
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.watchlists import services as watchlists
from lasair_broker.web.watchmaps import services as watchmaps


@pytest.fixture
def hits(people: Any, team: Any) -> tuple[Any, dict[str, dict[str, int | str]]]:
    """Tables with one row for each list, map and topic of ann: a private, a shared and a public one."""
    ours = team("T", manager=people.ann, member=people.max)
    made: dict[str, dict[str, int | str]] = {}
    for visibility in ("private", "group", "public"):
        wl = watchlists.create(people.ann, f"list {visibility}")
        ar = watchmaps.create_circle(people.ann, f"map {visibility}", 10, 10, 1)
        annotators.create(people.ann, f"t_{visibility}")
        for service, key in ((watchlists, wl.pk), (watchmaps, ar.pk), (annotators, f"t_{visibility}")):
            service.share(people.ann, key, visibility, ours if visibility == "group" else None)
        made[visibility] = {"wl_id": wl.pk, "ar_id": ar.pk, "topic": f"t_{visibility}"}
    engine = duckdb.connect()
    for table in ("objects", "watchlist_hits", "watchlist_events", "area_hits", "annotations"):
        engine.execute(ddl(table, "duckdb"))
    for rank, place in enumerate(made.values()):
        ids = (rank, place["wl_id"])
        engine.execute("INSERT INTO watchlist_hits (diaObjectId, wl_id, cone_id) VALUES (?, ?, 1)", ids)
        engine.execute(
            "INSERT INTO watchlist_events (eventId, diaObjectId, wl_id, cone_id, triggerId, midpointMjdTai, "
            "direction, total, flux) VALUES (?, 1, ?, 1, 1, 60000, 'fades', false, 1)",
            ids,
        )
        engine.execute("INSERT INTO area_hits VALUES (?, ?)", (rank, place["ar_id"]))
        engine.execute("INSERT INTO annotations (diaObjectId, topic) VALUES (?, ?)", (rank, place["topic"]))
    return engine, made


SEES = {"ann": 3, "max": 2, "bob": 1, None: 1}
TABLES = {
    "watchlist_hits": "wl_id",
    "watchlist_events": "wl_id",
    "area_hits": "ar_id",
    "annotations": "topic",
}


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_others_are_not_there(hits: Any, people: Any, table: str) -> None:
    engine, made = hits
    column = TABLES[table]
    for name, count in SEES.items():
        catalogue = catalogue_for(getattr(people, name) if name else None)
        query = f"SELECT {column} FROM {table}"
        expected = {place[column] for place in list(made.values())[3 - count :]}
        for text in (
            query,
            f"SELECT {column} FROM {table} AS t WHERE 1 = 1 OR {column} IS NOT NULL",
            f"WITH w AS ({query}) SELECT * FROM w",
            f"SELECT {column} FROM (SELECT * FROM {table}) AS t",
            f"{query} UNION SELECT {column} FROM {table} AS u",
        ):
            found = engine.execute(parse(text, catalogue).render("duckdb")).fetchall()
            assert {row[0] for row in found} == expected, (name, text)


def test_a_list_of_others_cannot_be_named(hits: Any, people: Any) -> None:
    _, made = hits
    for name, count in SEES.items():
        catalogue = catalogue_for(getattr(people, name) if name else None)
        for rank, place in enumerate(made.values()):
            for token in (
                f"watchlist:{place['wl_id']}",
                f"area:{place['ar_id']}",
                f"annotator:{place['topic']}",
            ):
                if rank >= 3 - count:
                    triple("objects.diaObjectId", token, "", catalogue)
                else:
                    with pytest.raises(QueryError, match="not yours to read"):
                        triple("objects.diaObjectId", token, "", catalogue)


def test_the_bookkeeping_is_not_for_users(people: Any) -> None:
    for table in ("watchlist_trigger_states", "filter_hits", "rejected", "stream_positions"):
        with pytest.raises(QueryError, match="there is no table"):
            parse(f"SELECT * FROM {table}", catalogue_for(people.ann))


def test_the_catalogue_is_the_same_until_something_changes(people: Any) -> None:
    before = catalogue_for(people.ann)
    assert catalogue_for(people.ann) is before
    mine = watchlists.create(people.ann, "mine")
    after = catalogue_for(people.ann)
    assert after is not before
    assert after.may_use("watchlist", str(mine.pk))
    assert not before.may_use("watchlist", str(mine.pk))
    assert catalogue_for(people.bob) is before, "bob sees what ann saw: nothing"
