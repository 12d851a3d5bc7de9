"""Every route and method of the API, as nobody, as somebody else, as a member, an editor, the owner and an
administrator: what is private shows nowhere, and who may not change a thing cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import get_resolver

from lasair_broker.archive import Archive
from lasair_broker.schema import arrow_schema

HIDDEN = "swordfish"
"""Stands in every text of the private things."""


@dataclass
class World:
    """Somebody's things, and the people around them."""

    people: dict[str, Any]
    things: dict[str, Any]


@pytest.fixture(params=["private", "group", "public"])
def world(request: pytest.FixtureRequest, people: Any, team: Any, archive: Archive) -> World:
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.annotators import services as annotators
    from lasair_broker.web.filters import outputs
    from lasair_broker.web.filters import services as filters
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.watchlists import services as watchlists
    from lasair_broker.web.watchmaps import services as watchmaps

    owner, visibility = people.owner, request.param
    group = team("4MOST", manager=owner, editor=people.editor, member=people.member)
    query = Wording(adql="SELECT diaObjectId FROM objects WHERE nDiaSources > 1")
    found = filters.create(owner, f"{HIDDEN} filter", query, description=HIDDEN)
    filters.record_preview(owner, found.pk, 1, filters.Preview(1, 0.01, 1.0, 0.1))
    filters.activate(owner, found.pk, 1)
    hook = outputs.add(owner, found.pk, "webhook", url=f"https://example.org/{HIDDEN}")
    watchlist = watchlists.create(owner, f"{HIDDEN} list", description=HIDDEN)
    watchlists.add_row(owner, watchlist.pk, name=HIDDEN, ra=10.0, decl=-20.0)
    trigger = watchlists.add_trigger(owner, watchlist.pk, name=HIDDEN, magnitude=20.0)
    watchmap = watchmaps.create_circle(owner, f"{HIDDEN} map", 10.0, -20.0, 1.0, description=HIDDEN)
    annotator = annotators.create(owner, f"{HIDDEN}_topic", description=HIDDEN)
    if visibility != "private":
        shared_with = group if visibility == "group" else None
        for service, key in (
            (filters, found.pk), (watchlists, watchlist.pk), (watchmaps, watchmap.pk),
            (annotators, annotator.topic),
        ):  # fmt: skip
            service.share(owner, key, visibility, shared_with)
    admin = User.objects.create_superuser("admin@example.org", "admin")
    staff = User.objects.create_user("staff@example.org", "staff", is_staff=True)
    return World(
        {
            "nobody": None,
            "other": people.other,
            "staff": staff,
            "member": people.member,
            "editor": people.editor,
            "owner": owner,
            "admin": admin,
        },
        {
            "visibility": visibility,
            "filter_id": found.pk,
            "output_id": hook.pk,
            "list_id": watchlist.pk,
            "trigger_id": trigger.pk,
            "map_id": watchmap.pk,
            "topic": annotator.topic,
            "cone_id": 1,
            "version": 1,
        },
    )


def sees(who: str, visibility: str) -> bool:
    return (
        visibility == "public"
        or who in ("owner", "admin")
        or (visibility == "group" and who in ("member", "editor"))
    )


def edits(who: str, visibility: str) -> bool:
    return who in ("owner", "admin") or (visibility == "group" and who == "editor")


OWNERS_ONLY = {"share", ""}
"""What only the owner may do: sharing, and DELETE of the thing itself."""


def routes() -> Iterator[tuple[str, str]]:
    """Each address below the four kinds of things, with its parameters, and each method that it has."""
    for prefix in get_resolver().url_patterns:
        if str(prefix.pattern) == "api/v1/":
            for route in prefix.url_patterns:
                text = re.sub(r"<\w+:(\w+)>", r"{\1}", str(route.pattern))
                if re.match(r"(filters/\{|watchlists/\{|watchmaps/\{|annotators/\{)", text):
                    for method in ("get", "post", "put", "patch", "delete"):
                        if hasattr(route.callback.view_class, method):
                            yield text, method


BODIES: dict[str, Any] = {
    "filters/{filter_id}/": {"description": "d"},
    "filters/{filter_id}/versions/": {"adql": "SELECT ra FROM objects"},
    "filters/{filter_id}/fork/": {"name": "mine"},
    "filters/{filter_id}/outputs/": {"kind": "browser"},
    "filters/{filter_id}/outputs/{output_id}/": {"enabled": False},
    "filters/{filter_id}/redeliver/": {"since_mjd": 60000.0, "until_mjd": 60001.0},
    "watchlists/{list_id}/": {"description": "d"},
    "watchlists/{list_id}/rows/": {"name": "n", "ra": 1.0, "decl": 1.0},
    "watchlists/{list_id}/rows/{cone_id}/": {"name": "n"},
    "watchlists/{list_id}/copy/": {"name": "mine"},
    "watchlists/{list_id}/triggers/": {"magnitude": 20.0},
    "watchlists/{list_id}/triggers/{trigger_id}/": {"name": "n"},
    "watchmaps/{map_id}/": {"description": "d"},
    "watchmaps/{map_id}/copy/": {"name": "mine"},
    "annotators/{topic}/": {"description": "d"},
    "annotators/{topic}/writers/": {"writers": []},
}
PARAMETERS = {"diff": "?old=1&new=1", "why": "?object={object}"}
FILES = {
    "watchlists/{list_id}/upload/": b"ra,dec,name\n10,20,a\n",
    "watchmaps/{map_id}/moc/": b"3/1-4",
}
FOR_SEEING = {"fork", "copy", "preview"}
"""POST of these needs no more than to see the thing."""
NOT_READ_BY_ALL = {"outputs", "deliveries"}
"""What only editors read: addresses and secrets."""
NEEDS_A_NAME = {"why", "health"}


def ask(client: Any, route: str, method: str, world: World, name: str, target: str) -> Any:
    address = "/api/v1/" + route.format(**world.things) + PARAMETERS.get(target, "").format(object=name)
    if route in FILES:
        if method == "get":
            return client.get(address)
        body = {"file": SimpleUploadedFile("a.csv", FILES[route])}
        return getattr(client, method)(address, body, format="multipart")
    body = BODIES.get(route, {"visibility": "private"} if target == "share" else {})
    if target == "annotations" and method == "post":
        body = {"annotations": [{"diaObjectId": name, "classification": "SN"}]}
    return client.get(address) if method == "get" else getattr(client, method)(address, body, format="json")


def test_who_may_do_what(world: World, client_of: Any, archive: Archive) -> None:
    from django.db import transaction

    visibility = world.things["visibility"]
    name = str(archive.query("SELECT diaObjectId FROM objects LIMIT 1").column(0)[0].as_py())
    tried = 0
    for route, method in routes():
        target = route.rstrip("/").rpartition("/")[2]
        target = "" if target.startswith("{") and route.count("{") == 1 else target
        for who, user in world.people.items():
            if target == "test" and edits(who, visibility):
                continue  # it would call an address
            with transaction.atomic():
                answer = ask(client_of(user), route, method, world, name, target)
                transaction.set_rollback(True)
            what = (who, visibility, method, route, answer.status_code, getattr(answer, "data", None))
            content = b"" if answer.streaming else answer.content
            tried += 1
            if not sees(who, visibility):
                refused = (401, 403, 404) if user is None else (404,)
                assert answer.status_code in refused, what
                assert HIDDEN.encode() not in content.replace(f"{HIDDEN}_topic".encode(), b""), what
                continue
            reads = method == "get" and target not in NOT_READ_BY_ALL
            if user is None and not (reads and target not in NEEDS_A_NAME):
                assert answer.status_code in (401, 403, 404), what
                continue
            if reads or target == "star" or (method == "post" and target in FOR_SEEING):
                allowed = target != "events" or None
            elif target in OWNERS_ONLY and (target or method == "delete"):
                allowed = who in ("owner", "admin")
            else:
                allowed = edits(who, visibility)
            if route == "filters/{filter_id}/restore/" and allowed:
                allowed = None
            if allowed is None:
                assert answer.status_code == 404, what  # there is no output to browsers; it is not deleted
            elif allowed:
                assert answer.status_code < 300 or (answer.status_code == 400 and method != "get"), what
            else:
                assert answer.status_code in (403, 404), what
                assert b"whsec_" not in content, what
    assert tried > 300


def test_lists_hold_only_what_one_sees(world: World, client_of: Any) -> None:
    for who, user in world.people.items():
        client = client_of(user)
        for kind in ("filters", "watchlists", "watchmaps", "annotators"):
            answer = client.get(f"/api/v1/{kind}/")
            assert answer.status_code == 200
            seen = sees(who, world.things["visibility"])
            assert len(answer.json()["results"]) == int(seen), (who, kind)
            assert (HIDDEN.encode() in answer.content) == seen


def test_queries_reach_only_what_one_sees(world: World, client_of: Any, archive: Archive) -> None:
    number = archive.query("SELECT diaObjectId FROM objects LIMIT 1").column(0)[0].as_py()
    things = world.things
    marks = {
        "watchlist_hits": ("wl_id", things["list_id"], {"cone_id": 1, "name": HIDDEN}),
        "area_hits": ("ar_id", things["map_id"], {}),
        "annotations": ("topic", things["topic"], {"annotationID": 1, "classification": HIDDEN}),
    }
    tables = {}
    for name, (column, value, more) in marks.items():
        row = {"diaObjectId": number, column: value, **more}
        schema = arrow_schema(name)
        tables[name] = pa.table([pa.array([row.get(f.name)], f.type) for f in schema], schema=schema)
    archive.write([], tables=tables)
    try:
        for who, user in world.people.items():
            seen = sees(who, things["visibility"])
            ask_as(client_of(user), marks, things, number, seen)
    finally:
        for name in ("watchlist_hits", "area_hits"):
            archive.replace_list_hits(name, marks[name][1], tables[name].slice(0, 0), first=True)


def ask_as(client: Any, marks: dict[str, Any], things: dict[str, Any], number: int, seen: bool) -> None:
    """Ask for the rows in every way there is."""

    def query(**asked: Any) -> Any:
        return client.post("/api/v1/query/", asked, format="json")

    for name, (column, value, _) in marks.items():
        found = query(adql=f"SELECT * FROM {name}").json()["rows"]
        mine = [row for row in found if row[column] == value or row[column] == str(value)]
        assert len(mine) == int(seen), name
        of_object = client.get(f"/api/v1/objects/{number}/{name}/").json()["rows"]
        assert [row for row in of_object if row in mine] == mine
        assert len(of_object) == sum(row["diaObjectId"] == str(number) for row in found)
        counted = query(adql=f"SELECT count(*) AS n FROM {name}").json()["rows"][0]["n"]
        assert int(counted) == len(found)
        text = b"".join(query(adql=f"SELECT * FROM {name}", format="csv"))
        assert (HIDDEN.encode() in text) == (seen and name != "area_hits")
    triple = query(selected="objects.ra", tables=f"watchlist:{things['list_id']}", conditions="")
    assert (triple.status_code == 200) == seen
    data = client.post("/api/object/", {"objectId": str(number), "lite": "True"})
    if data.status_code == 200:
        topics = [row["topic"] for row in data.json()["lasairData"]["annotations"]]
        assert (things["topic"] in topics) == seen
