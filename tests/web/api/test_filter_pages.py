"""Every address of the pages of filters and queries, for everybody: what is private shows nowhere, and who
may not change a thing cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver

from lasair_broker.archive import Archive

HIDDEN = "swordfish"
AREAS = ("filters", "query")
OPEN = {"filters/", "filters/gallery/", "query/", "query/saved/", "query/run/", "query/check/", "query/form/"}
"""Addresses that are nobody's in particular."""
OWN = {
    *("filters/saved/", "filters/new/", "filters/try/", "filters/export/", "filters/import/"),
    *("query/jobs/", "query/saved/new/"),
}
"""Addresses at which everybody has their own."""
ACTIONS = {
    "filters/{filter_id}/{what}/": [
        "activate", "deactivate", "roll-back", "fork", "share", "describe", "delete", "restore", "nonsense",
    ],
    "filters/{filter_id}/outputs/{output_id}/{what}/": ["on", "off", "remove", "secret", "again", "test"],
    "query/jobs/{job_id}/{what}/": ["cancel", "rename", "remove"],
    "query/saved/{query_id}/{what}/": ["share", "rename", "remove"],
}  # fmt: skip
_OUTPUT = "filters/{filter_id}/outputs/{output_id}/"
POST_ONLY = {
    *("filters/{filter_id}/outputs/add/", "filters/try/", "query/run/", "query/saved/new/"),
    *(f"{_OUTPUT}send-again/", f"{_OUTPUT}send-again/{{wish_id}}/stop/"),
    *ACTIONS,
}


def routes() -> Iterator[str]:
    """The address of each page of these areas, with its parameters."""

    def below(patterns: Any, prefix: str) -> Iterator[str]:
        for pattern in patterns:
            text = prefix + str(pattern.pattern)
            if hasattr(pattern, "url_patterns"):
                if getattr(pattern, "app_name", None) in (None, *AREAS):
                    yield from below(pattern.url_patterns, text)
            elif text.startswith(AREAS):
                yield re.sub(r"<\w+:(\w+)>", r"{\1}", text)

    yield from below(get_resolver().url_patterns, "")


@pytest.fixture
def things(people: Any, archive: Archive) -> dict[str, Any]:
    """What Ann has, all of it private, with a word in it that nobody else may read."""
    from lasair_broker.web.filters import outputs, services
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.queries import jobs, saved
    from lasair_broker.web.queries.texts import Text

    adql = f"SELECT diaObjectId, '{HIDDEN}' AS word FROM objects WHERE nDiaSources > 1"
    found = services.create(people.ann, HIDDEN, Wording(adql=adql), description=HIDDEN, comment=HIDDEN)
    services.record_preview(people.ann, found.pk, 1, services.Preview(1, 0.01, 1.0, 0.1))
    services.activate(people.ann, found.pk, 1)
    output = outputs.add(people.ann, found.pk, "webhook", url=f"https://example.org/{HIDDEN}")
    return {
        "filter_id": found.pk,
        "output_id": output.pk,
        "wish_id": 1,
        "job_id": jobs.submit(people.ann, Text(adql=adql), name=HIDDEN).pk,
        "query_id": saved.save(people.ann, HIDDEN, Text(adql=adql)).pk,
        "ending": "csv",
    }


def client_as(user: Any) -> Any:
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    if user is not None:
        client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_private_things_show_on_no_page(people: Any, things: dict[str, Any]) -> None:
    from lasair_broker.web.filters.models import Filter, FilterOutput
    from lasair_broker.web.queries.models import Job, SavedQuery

    tried = set()
    for user in (None, people.bob):
        client = client_as(user)
        for route in routes():
            for what in ACTIONS.get(route, [""]):
                address = "/" + route.format(**things, what=what)
                for method in ("get", "post"):
                    answer = getattr(client, method)(
                        address, {"object": "1", "version": "1", "kind": "email"}
                    )
                    content = b"" if answer.streaming else answer.content
                    seen = (address, method, user, answer.status_code)
                    assert HIDDEN.encode() not in content, seen
                    assert answer.status_code < 500, seen
                    tried.add((route, method))
                    if route in OPEN or route in OWN:
                        continue
                    refused = (302, 404, 405) if user is None else (404, 405)
                    assert answer.status_code in refused, seen
                    if answer.status_code == 302:
                        assert "/login" in answer["Location"], seen
    assert len(tried) > 40
    assert Filter.objects.get().active_version is not None
    assert FilterOutput.objects.get().enabled
    assert (Job.objects.get().phase, SavedQuery.objects.get().visibility) == ("QUEUED", "private")


def test_the_owner_sees_every_page(people: Any, things: dict[str, Any]) -> None:
    client = client_as(people.ann)
    # The stream of hits is there only with a browser output; two others want what they shall look at.
    others = ("filters/{filter_id}/hits/", "query/check/", "query/form/")
    for route in routes():
        if route in POST_ONLY or route in others or "result." in route:
            continue
        answer = client.get("/" + route.format(**things), {"object": "1"})
        assert answer.status_code == 200, (route, answer.status_code)


def test_members_see_and_editors_change(people: Any, team: Any, things: dict[str, Any]) -> None:
    from lasair_broker.web.filters import services

    group = team("4MOST", manager=people.ann, editor=people.eve, member=people.bob)
    services.share(people.ann, things["filter_id"], "group", group)
    page = f"/filters/{things['filter_id']}/"
    eve, bob = client_as(people.eve), client_as(people.bob)
    assert HIDDEN.encode() in bob.get(page).content
    assert bob.get(f"{page}health/").status_code == 200
    assert eve.get(f"{page}edit/").status_code == 200
    assert b"whsec_" in eve.get(f"{page}outputs/").content
    for path in ("edit/", "outputs/", f"outputs/{things['output_id']}/log/"):
        assert bob.get(page + path).status_code == 403
    for what in ("deactivate", "delete", "share"):
        assert bob.post(f"{page}{what}/", {"with": "public"}).status_code == 403
    for what in ("delete", "share"):
        assert eve.post(f"{page}{what}/", {"with": "public"}).status_code == 403
    assert eve.post(f"{page}deactivate/").status_code == 302


def test_a_page_is_changed_from_this_site_only(people: Any, things: dict[str, Any]) -> None:
    from django.test import Client

    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    client.force_login(people.ann, "allauth.account.auth_backends.AuthenticationBackend")
    for address in (
        f"/filters/{things['filter_id']}/delete/",
        "/query/run/",
        "/filters/new/",
        "/query/check/",
    ):
        assert client.post(address, {"adql": "SELECT ra FROM objects"}).status_code == 403


def test_what_the_editor_asks(people: Any, things: dict[str, Any]) -> None:
    ann, bob = client_as(people.ann), client_as(people.bob)

    def fault(client: Any, **asked: Any) -> Any:
        answer = client.post("/query/check/", asked, content_type="application/json")
        return answer.json().get("fault") if answer.status_code == 200 else answer.status_code

    assert fault(ann, adql="SELECT ra FROM objects") is None
    assert fault(ann, adql="SELECT raa FROM objects")["position"] == 7
    grouped = "SELECT COUNT(*) AS n FROM objects"
    assert fault(ann, adql=grouped) is None
    assert fault(ann, adql=grouped, kind="filter") is not None
    number = things["filter_id"]
    assert fault(ann, adql="SELECT ra FROM objects", kind="filter", filter_id=number) is None
    assert fault(bob, adql="SELECT ra FROM objects", kind="filter", filter_id=number) == 404
    assert ann.post("/query/check/", "[1", content_type="application/json").status_code == 400
    form = ann.post(
        "/query/form/", {"adql": "SELECT ra FROM objects"}, content_type="application/json"
    ).json()
    assert form["form"]["columns"][0]["name"] == "ra"
    back = ann.post("/query/form/", {"form": form["form"]}, content_type="application/json").json()
    assert back["adql"] == "SELECT objects.ra\nFROM objects"
    for wrong in ({"adql": grouped}, {"form": {"columns": []}}, {}):
        told = ann.post("/query/form/", wrong, content_type="application/json").json()
        assert told["fault"]["message"]


def test_a_trial_counts_what_the_user_may_read(people: Any, things: dict[str, Any]) -> None:
    client = client_as(people.ann)
    tried = client.post(
        "/filters/try/", {"adql": "SELECT diaObjectId, ra FROM objects WHERE nDiaSources > 1"}
    )
    assert b"svg" in tried.content
    assert b"Hits a night" in tried.content
    wrong = client.post("/filters/try/", {"adql": "SELECT raa FROM objects", "night": "60000"})
    assert b"did you mean ra?" in wrong.content


def test_who_asks_too_often_waits(archive: Archive, monkeypatch: Any) -> None:
    from django.conf import settings

    few = settings.LASAIR_SITE.model_copy(update={"anonymous_requests": 2})
    monkeypatch.setattr(settings, "LASAIR_SITE", few)
    client = client_as(None)
    asked = [client.post("/query/run/", {"adql": "SELECT ra FROM objects"}) for _ in range(3)]
    assert [answer.status_code for answer in asked] == [200, 200, 429]
    assert int(asked[-1]["Retry-After"]) > 0


def test_the_gallery_is_sorted_by_stars_and_narrowed_by_category(people: Any, archive: Archive) -> None:
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import Wording

    ann, bob = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    ann.force_login(people.owner)
    bob.force_login(people.other)
    numbers = []
    for name, category in (("Gallery plain", "variable"), ("Gallery starred", "nuclear")):
        made = services.create(people.owner, name, Wording(adql="SELECT diaObjectId FROM objects"))
        services.share(people.owner, made.pk, "public")
        ann.post(f"/filters/{made.pk}/describe/", {"name": name, "description": "", "category": category})
        numbers.append(made.pk)
    address = f"/filters/{numbers[1]}"
    assert (
        'aria-pressed="true"' in bob.post(f"{address}/star/", headers={"HX-Request": "true"}).content.decode()
    )
    page = bob.get("/filters/gallery/").content.decode()
    assert page.index("Gallery starred") < page.index("Gallery plain")
    narrowed = bob.get("/filters/gallery/?category=variable").content.decode()
    assert "Gallery plain" in narrowed
    assert "Gallery starred" not in narrowed
    told = bob.get(f"/api/v1{address}/").json()
    assert (told["stars"], told["starred"], told["category"]) == (1, True, "nuclear")
    assert Client(SERVER_NAME="localhost").get(f"/api/v1{address}/").json()["starred"] is False
    assert bob.delete(f"/api/v1{address}/star/").status_code == 204
    assert bob.get(f"/api/v1{address}/").json()["stars"] == 0
