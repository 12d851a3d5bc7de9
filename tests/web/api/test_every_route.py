"""Every address of the site, asked for somebody's private things by people whom they do not concern.

Addresses come from the site itself, so one that is new and has no rule here fails. What is private has a word
in each of its texts that must come in no answer, and may be changed by nobody.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from django.urls import get_resolver
from stream_fixtures import ListSource

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.query import Parameter
from lasair_broker.schema import arrow_schema
from lasair_broker.stream import Pipeline, run, standard_stages

HIDDEN = "swordfish"
TOPIC = f"{HIDDEN}_topic"

RULES: tuple[tuple[str, str], ...] = (
    # Somebody's own things: strangers are told that there is no such thing, or to log in.
    (r"(api/v1/)?filters/<\w+:filter_id>/", "owned"),
    (r"(api/v1/)?watchlists/<\w+:list_id>/", "owned"),
    (r"(api/v1/)?watchmaps/<\w+:map_id>/", "owned"),
    (r"(api/v1/)?annotators/<\w+:topic>/", "owned"),
    (r"api/v1/(comments|photometry|jobs|queries|tags|tokens|removed|transfers|destinations)/<", "owned"),
    (r"query/(jobs|saved)/<", "owned"),
    (r"objects/<object:key>/(comments|points|filters|tags|transfers|destinations)/<", "owned"),
    (r"account/(tokens|mails|removed)/<", "owned"),
    (r"(account|api/v1)/collaborations/<", "owned"),
    # What needs somebody, who then sees what is theirs.
    (r"account/", "somebody"),
    (r"api/v1/(tokens|jobs|tags|removed|transfers|destinations)/", "somebody"),
    (r"api/v1/objects/<name:key>/(photometry/fetch|send)/", "somebody"),
    (r"objects/<object:key>/(fetch|send|watch|destinations)/", "somebody"),
    (r"(watchlists|watchmaps|annotators|filters)/new/$", "somebody"),
    (r"watchlists/faulty-rows/$", "somebody"),
    (r"query/(jobs|saved/new)/", "somebody"),
    (r"filters/(saved|export|import)/$", "somebody"),
    (r"admin/", "staff"),
    # Pages of the library that logs people in; they have tests of their own.
    (r"accounts/", "entry"),
    (r"unsubscribe/", "entry"),
    # What everybody may ask for; what is somebody's is left out of the answer.
    (r"api/v1/(objects|lightcurves|stream|cone|cutouts|context|tns|query|tables|status|search)/", "open"),
    (r"api/v1/(account|schema|docs)/", "open"),
    (r"api/v1/(comments|photometry|queries|filters|watchlists|watchmaps|annotators|collaborations)/", "open"),
    (r"api/v1/(events|catalogues|messengers|skymaps)/", "open"),
    (r"api/v1/$", "open"),
    (r"api/(cone|query|object|sherlock|annotate|annotatelist|auth-token|lightcurves|streams)", "open"),
    (r"(fits|health|sky|search|schema|status|help|object|objects|ssobjects|filters|query)/", "open"),
    (r"(watchlists|watchmaps|annotators|catalogues|events|messengers|skymaps|tap|scs)/", "open"),
    (r"favicon.svg$", "open"),
    (r"$", "open"),
)  # fmt: skip

WORDS = {
    "filters": (
        "activate",
        "deactivate",
        "roll-back",
        "fork",
        "share",
        "describe",
        "delete",
        "restore",
        "star",
    ),
    "outputs": ("on", "off", "remove", "secret", "again"),
    "jobs": ("cancel", "rename", "remove"),
    "saved": ("share", "rename", "remove"),
    "comments": ("edit", "remove", "restore", "share"),
    "points": ("remove", "restore", "share"),
    "panels": ("context", "annotations", "comments", "hits", "filters", "points", "services", "send"),
    "watch": ("services", "send"),
    "destinations": ("test", "remove"),
    "help": ("tour",),
}
"""What stands for the last word of an address that names what is done."""

BODY = {
    "visibility": "public", "with": "public", "name": "taken over", "text": "taken over", "role": "manager",
    "description": "taken over", "active": "yes", "username": "other", "enabled": True, "writers": ["other"],
    "adql": "SELECT diaObjectId FROM objects", "classification": "SN", "explanation": "taken over",
    "since_mjd": 60000.0, "until_mjd": 60001.0, "version": 1, "confirm": "yes", "provenance": "taken over",
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """An address as its pattern is written, and the methods to try there."""

    text: str
    methods: tuple[str, ...]


def routes() -> list[Route]:
    """Every address of the site."""

    def walk(patterns: Any, before: str) -> Iterator[Route]:
        for pattern in patterns:
            text = before + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                yield from walk(pattern.url_patterns, text)
                continue
            view = getattr(pattern.callback, "view_class", None)
            known = ("get", "post", "put", "patch", "delete") if view is not None else ("get", "post")
            yield Route(text, tuple(name for name in known if view is None or hasattr(view, name)))

    return list({route.text: route for route in walk(get_resolver().url_patterns, "")}.values())


def rule_of(route: Route) -> str | None:
    return next((rule for pattern, rule in RULES if re.match(pattern, route.text)), None)


def test_every_route_has_a_rule() -> None:
    without = [route.text for route in routes() if rule_of(route) is None]
    assert not without, f"say in RULES who may ask for these: {without}"
    assert len(routes()) > 200


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive in which the first list, map, filter and topic have found something."""
    values = [bytes(value) for part in Simulation.night(20, seed=4).alerts() for value in part.values]
    with open_archive(tmp_path_factory.mktemp("marked") / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), standard_stages()), archive)
        number = archive.query("SELECT diaObjectId FROM objects LIMIT 1").column(0)[0].as_py()
        rows: dict[str, dict[str, Any]] = {
            "watchlist_hits": {"wl_id": 1, "cone_id": 1, "name": HIDDEN, "arcsec": 0.1},
            "watchlist_events": {"wl_id": 1, "cone_id": 1, "name": HIDDEN, "eventId": 1, "triggerId": 1,
                "midpointMjdTai": 60000.0, "foundMjdTai": 60000.0, "band": "r", "direction": "brightens",
                "total": False, "flux": 1.0, "fluxErr": 1.0},
            "area_hits": {"ar_id": 1},
            "annotations": {"annotationID": 1, "topic": TOPIC, "classification": HIDDEN,
                "explanation": HIDDEN},
            "filter_hits": {"hitId": HIDDEN, "filterId": 1, "filterVersion": 1, "filterName": HIDDEN,
                "content": f'{{"a": "{HIDDEN}"}}', "arrivedMjdTai": 60000.0,
                "deliveryAttempts": 0},
        }  # fmt: skip
        tables = {}
        for name, row in rows.items():
            schema = arrow_schema(name)
            whole = {**row, "diaObjectId": number}
            columns = [
                pa.array([whole.get(f.name, _something(f) if not f.nullable else None)], f.type)
                for f in schema
            ]
            tables[name] = pa.table(columns, schema=schema)
        archive.write([], tables=tables)
        yield archive


def _something(field: pa.Field) -> Any:
    """A value of a column that must have one."""
    kind = field.type
    if pa.types.is_string(kind):
        return "x"
    if pa.types.is_boolean(kind):
        return False
    return None if pa.types.is_timestamp(kind) else 1


@dataclass
class World:
    """What is private, and who is asking."""

    people: dict[str, Any]
    values: dict[str, Any]
    names: dict[str, Any]


@pytest.fixture
def world(marked: Archive, people: Any, team: Any) -> Iterator[World]:
    from lasair_broker.web import parameters
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.annotators import services as annotators
    from lasair_broker.web.api import tokens
    from lasair_broker.web.api.throttles import forget
    from lasair_broker.web.archive import use
    from lasair_broker.web.comments import services as comments
    from lasair_broker.web.delivery import again
    from lasair_broker.web.filters import outputs
    from lasair_broker.web.filters import services as filters
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.photometry import rows as points
    from lasair_broker.web.photometry import services as photometry
    from lasair_broker.web.queries import saved
    from lasair_broker.web.queries.models import Job
    from lasair_broker.web.queries.texts import Text
    from lasair_broker.web.tags import services as tags
    from lasair_broker.web.transfers.models import Destination, Transfer
    from lasair_broker.web.watchlists import services as watchlists
    from lasair_broker.web.watchmaps import services as watchmaps

    use(marked)
    forget()
    number = marked.query("SELECT diaObjectId FROM annotations").column(0)[0].as_py()
    owner = people.owner
    group = team(f"{HIDDEN}-team", manager=owner, member=people.member)
    said = (Parameter("which", "text", HIDDEN, HIDDEN, HIDDEN),)
    query = Wording(adql="SELECT diaObjectId FROM objects WHERE objectName <> :which", parameters=said)
    found = filters.create(owner, f"{HIDDEN} filter", query, description=HIDDEN)
    hook = outputs.add(owner, found.pk, "webhook", url=f"https://example.org/{HIDDEN}")
    (wish,) = again.ask(owner, found.pk, again.span_of(60000.0, 60001.0))
    watchlist = watchlists.create(owner, f"{HIDDEN} list", description=HIDDEN)
    watchlists.add_row(owner, watchlist.pk, name=HIDDEN, ra=10.0, decl=-20.0)
    trigger = watchlists.add_trigger(owner, watchlist.pk, name=HIDDEN, magnitude=20.0)
    watchmap = watchmaps.create_circle(owner, f"{HIDDEN} map", 10.0, -20.0, 1.0, description=HIDDEN)
    annotators.create(owner, TOPIC, description=HIDDEN)
    comment = comments.add(owner, number, HIDDEN)
    point = {"mjd": 60000, "band": "r", "value": 1, "error": 1, "unit": "nJy", "instrument": HIDDEN}
    added = photometry.add(
        owner, list(points.numbered([point])), name=HIDDEN, provenance=HIDDEN, diaObjectId=number
    )
    kept = saved.save(owner, f"{HIDDEN} query", Text(adql=query.adql, parameters=said), description=HIDDEN)
    job = Job.objects.create(
        owner=owner, name=HIDDEN, adql=query.adql, parameters=parameters.kept(said), most_rows=10
    )
    tag = tags.keep(owner, number, HIDDEN)
    destination = Destination.objects.create(
        owner=owner, name=HIDDEN, system="tom", address=f"https://example.org/{HIDDEN}", token=HIDDEN
    )
    transfer = Transfer.objects.create(
        owner=owner, kind="send", subject=HIDDEN, destination=destination, diaObjectId=number
    )
    token, _ = tokens.create(owner, HIDDEN)
    assert (found.pk, watchlist.pk, watchmap.pk) == (1, 1, 1)  # whose hits the archive has
    source = marked.light_curve(number).diaSources["diaSourceId"][0].as_py()
    yield World(
        {
            "nobody": None,
            "other": people.other,
            "staff": User.objects.create_user("staff@example.org", "staff", is_staff=True),
            "member": people.member,
        },
        {
            "wish_id": wish.pk,
            "filter_id": found.pk, "output_id": hook.pk, "version": 1, "list_id": watchlist.pk, "cone_id": 1,
            "trigger_id": trigger.pk, "map_id": watchmap.pk, "topic": TOPIC, "comment_id": comment.pk,
            "set_id": added.pk, "query_id": kept.pk, "job_id": job.pk, "tag_id": tag.pk, "token_id": token.pk,
            "transfer_id": transfer.pk, "destination_id": destination.pk,
            "slug": group.slug, "username": "owner", "key": number, "diaSourceId": source, "ending": "csv",
            "which": "Science", "origin": "IceCube", "event": "nothing", "token": "x", "order": 0,
            "kind": "watchlists", "number": watchlist.pk, "folder": 0, "cell": 0,
            "survey": "lsst", "section": "x", "mw_id": 1, "level": 90,
            "column": "explanation",
        },
        {"owner": owner},
    )  # fmt: skip
    use(None)


def addresses(route: str, values: dict[str, Any]) -> list[str]:
    """The addresses of a route, with the numbers of the private things in it."""
    parts: list[list[str]] = []
    last = ""
    for text, name in re.findall(r"([^<]*)(?:<\w+:(\w+)>)?", route):
        last = (re.findall(r"(\w+)/$", text) or [last])[0]
        parts.append([text])
        if not name:
            continue
        if name in ("what", "name") or (name == "slug" and "collaborations" not in route):
            kind = next((word for word in reversed(re.findall(r"\w+", route)) if word in WORDS), "")
            plain = {"tables": ("objects",), "schema": ("objects", "annotations"), "data": ("diaSources",)}
            plain |= {"catalogues": ("gaia",), "tns": ("2026abc",)}
            usual = next((v for k, v in plain.items() if f"{k}/<" in route), None)
            parts.append(list(usual or WORDS.get(kind) or ("annotations", "watchlist_hits", "area_hits")))
        else:
            assert name in values, f"say what stands for {name} in {route}"
            parts.append([str(values[name])])
    return ["/" + "".join(chosen) for chosen in itertools.product(*parts)]


def address_of_nothing(route: str, address: str, values: dict[str, Any]) -> str:
    """The same address with numbers and names that nothing has; the object is there."""
    numbers = {name: 987654 for name in values if name == "number" or name.endswith("_id")}
    nothing = values | numbers | {"topic": "no_such_topic", "slug": "no-such-team"}
    return dict(zip(addresses(route, values), addresses(route, nothing), strict=True))[address]


def belongings(owner: Any) -> list[Any]:
    """Everything that the owner has in the user database."""
    from django.apps import apps

    found: list[Any] = []
    for app, name in (
        ("filters", "Filter"), ("watchlists", "Watchlist"), ("watchmaps", "Watchmap"), ("tags", "Tag"),
        ("annotators", "Annotator"), ("comments", "Comment"), ("photometry", "PhotometrySet"),
        ("queries", "SavedQuery"), ("queries", "Job"), ("transfers", "Transfer"),
        ("transfers", "Destination"),
    ):  # fmt: skip
        found += list(apps.get_model(app, name).objects.filter(owner=owner).order_by("pk").values_list())
    for app, name in (
        ("filters", "FilterOutput"), ("filters", "FilterVersion"), ("watchlists", "WatchlistEdit"),
        ("watchlists", "WatchlistTrigger"), ("accounts", "Membership"), ("photometry", "PhotometryPoint"),
        ("delivery", "Redelivery"),
    ):  # fmt: skip
        found += list(apps.get_model(app, name).objects.order_by("pk").values_list())
    found += list(apps.get_model("api", "ApiToken").objects.filter(user=owner).values_list("pk", "digest"))
    return found


def ask(client: Client, method: str, address: str) -> tuple[int, bytes]:
    """The status and what is said."""
    options: dict[str, Any] = {}
    if method != "get":
        json = address.startswith("/api/v1/")
        options = {"data": BODY, "content_type": "application/json"} if json else {"data": BODY}
        if method not in ("post",):
            options = {"data": BODY, "content_type": "application/json"}
    answer = getattr(client, method)(address, **options)
    if answer.get("Content-Type", "").startswith("text/event-stream"):
        for close in answer._resource_closers:
            close()
        return answer.status_code, b""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, content + str(answer.get("Location", "")).encode()


@pytest.mark.parametrize("who", ["nobody", "other", "staff", "member"])
def test_private_things_are_shown_and_given_to_nobody(world: World, who: str) -> None:
    from django.db import transaction

    user, owner = world.people[who], world.names["owner"]
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    before = belongings(owner)
    tried = 0
    for route in routes():
        rule = rule_of(route)
        if rule in ("entry", "staff") or "(?P" in route.text:
            continue
        if who == "member" and "collaborations/" in route.text:
            continue  # of which this one is a member
        if who in ("staff", "member") and rule == "open" and not re.match(r"(api/v1/)?\w+/$", route.text):
            continue  # what others do not see there, the test has asked already
        for address, method in itertools.product(addresses(route.text, world.values), route.methods):
            with transaction.atomic():
                status, content = ask(client, method, address)
                after = before if method == "get" else belongings(owner)
                transaction.set_rollback(True)
            told = re.sub(rb"swordfish(_topic|-team|%20team)", b"", content)
            what = f"{who}: {method} {address} gives {status}"
            tried += 1
            assert status < 500 or status == 503, what
            assert HIDDEN.encode() not in told, what
            assert all(row in after for row in before), what
            if rule == "owned":
                # As for a thing that is not there: the two are told apart nowhere.
                assert status not in (200, 201, 204, 303), what
                without = address_of_nothing(route.text, address, world.values)
                with transaction.atomic():
                    assert ask(client, method, without)[0] == status, what
                    transaction.set_rollback(True)
            elif rule == "somebody" and user is None:
                assert status in (302, 401, 403, 404, 405), what
    assert tried > 150


def test_the_owner_finds_what_others_do_not(world: World) -> None:
    """Else the test above would ask for nothing."""
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    client.force_login(world.names["owner"])
    shown = 0
    for route in routes():
        if rule_of(route) != "owned":
            continue
        statuses = {}
        for address in addresses(route.text, world.values):
            status, content = ask(client, "get", address)
            statuses[address] = status
            shown += HIDDEN.encode() in content
            assert status < 500, address
        reached = set(statuses.values()) - {404}
        assert reached or re.search(r"result|rows/$|events/$|hits/$|restore|why|diff", route.text), statuses
    assert shown > 25


def test_administration_is_for_staff(world: World) -> None:
    for who, user in world.people.items():
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        if user is not None:
            client.force_login(user)
        answer = client.get("/admin/")
        assert (answer.status_code == 200) == (who == "staff")
        assert client.get("/admin/comments/comment/").status_code in (302, 403)  # staff too need the right to


PATHS = (
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//etc/passwd",
    "%00",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(world: World, path: str) -> None:
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    for route in routes():
        if not re.search(r"<(name|str|object|slug|path):", route.text) or rule_of(route) == "entry":
            continue
        address = "/" + re.sub(r"<\w+:\w+>", path, route.text)
        answer = client.get(address)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert answer.status_code < 500, address
        assert b"root:" not in content, address
