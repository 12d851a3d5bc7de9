"""Parameters of filters and queries by the API, and as the pages' forms and addresses have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from lasair_broker.archive import Archive

QUERY = "SELECT diaObjectId, ra FROM objects WHERE g_psfFlux > {} AND tns_name <> {}"
ASKED, PLAIN = QUERY.format(":limit", ":name"), QUERY.format("20.5", "'2026a'")


@pytest.fixture
def client(people: Any, archive: Archive) -> Client:
    made = Client(SERVER_NAME="localhost")
    made.force_login(people.ann)
    return made


def test_by_the_api(client: Client) -> None:
    entry = {"name": "limit", "type": "number", "default": 20.5, "unit": "nJy", "description": "the faintest"}
    name = {"name": "name", "type": "text", "default": "2026a"}

    def asked(path: str, body: dict[str, Any], expected: int = 200, method: str = "post") -> Any:
        answer = getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json")
        assert answer.status_code == expected, answer.content
        return answer.json()

    made = asked("filters/", {"name": "f", "adql": ASKED, "parameters": [entry, name]}, 201)
    (version,) = client.get(f"/api/v1/filters/{made['id']}/versions/").json()
    assert version["parameters"] == [entry, {**name, "unit": "", "description": ""}]
    told = asked("filters/", {"name": "g", "adql": ASKED, "parameters": [entry]}, 400)
    assert "there is no parameter :name" in told["detail"]
    assert "limit" in asked("filters/", {"name": "g", "adql": PLAIN, "parameters": [entry]}, 400)["detail"]
    bad = {**entry, "default": "bright"}
    assert (
        "is a number"
        in asked("filters/", {"name": "g", "adql": ASKED, "parameters": [bad, name]}, 400)["detail"]
    )

    # Of a query that is run once, the types follow from the values.
    asked("query/check/", {"adql": ASKED, "values": {"limit": 20.5, "name": "2026a"}})
    asked("query/check/", {"adql": ASKED, "parameters": [entry], "values": {"limit": 3, "name": "x"}})
    triple = {"selected": "objects.ra", "conditions": "objects.decl > :d", "values": {"d": 1}}
    asked("query/check/", triple)
    told = asked("query/check/", {"adql": ASKED, "values": {"limit": 20.5}}, 400)
    assert (told["position"], "has no value" in told["detail"]) == (ASKED.index(":name"), True)
    told = asked("query/check/", {"adql": ASKED, "values": {"limit": 1, "name": "x", "more": 2}}, 400)
    assert "the parameter :more is not in the query" in told["detail"]
    told = asked("query/check/", {"adql": ASKED, "values": {"limit": [1], "name": "x"}}, 400)
    assert told["errors"][0]["field"].startswith("values")

    job = asked("jobs/", {"adql": ASKED, "values": {"limit": 3, "name": "x"}}, 201)
    assert [(p["name"], p["type"], p["default"]) for p in job["parameters"]] == [
        ("limit", "number", 3), ("name", "text", "x"),
    ]  # fmt: skip
    kept = asked("queries/", {"name": "q", "adql": ASKED, "parameters": [entry, name]}, 201)
    assert kept["parameters"][0] == entry
    path = f"queries/{kept['id']}/"
    changed = asked(path, {"adql": ASKED, "parameters": [{**entry, "default": 1}, name]}, 200, "patch")
    assert changed["parameters"][0]["default"] == 1
    assert "the whole query" in asked(path, {"parameters": [entry]}, 400, "patch")["detail"]
    assert asked(path, {"name": "other"}, 200, "patch")["parameters"][0]["default"] == 1
    form = asked("query/form/", {"adql": "SELECT objects.ra FROM objects WHERE objects.decl > :d"})["form"]
    assert form["conditions"][0]["values"] == [{"parameter": "d"}]
    assert "decl > :d" in asked("query/form/", {"form": form})["adql"]
    form["conditions"][0]["values"] = [{"parameter": "d; DROP"}]
    assert "no name of a parameter" in asked("query/form/", {"form": form}, 400)["detail"]


def rows(**values: str) -> dict[str, list[str]]:
    """The table of parameters as a form sends it."""
    kinds = {"limit": "number", "name": "text"}
    return {
        "parameter-name": list(values),
        "parameter-type": [kinds[name] for name in values],
        "parameter-value": list(values.values()),
        "parameter-unit": ["" for _ in values],
        "parameter-description": ["" for _ in values],
    }


def test_the_editor_is_told_what_the_text_names(client: Client) -> None:
    def judged(parameters: Any, adql: str = ASKED, **more: Any) -> Any:
        body = {"adql": adql, "parameters": parameters, **more}
        return client.post("/query/check/", json.dumps(body), content_type="application/json").json()

    for more in ({}, {"kind": "filter"}):
        told = judged([], **more)
        assert told["parameters"] == [{"name": "limit", "type": "number"}, {"name": "name", "type": "text"}]
        assert told["fault"]["position"] == ASKED.index(":limit")
        filled = [
            {"name": "limit", "type": "number", "value": "20", "unit": "", "description": ""},
            {"name": "name", "type": "text", "value": "x", "unit": "", "description": ""},
        ]
        assert judged(filled, **more)["fault"] is None
        wrong = judged([{**filled[0], "value": "bright"}, filled[1]], **more)
        assert "is a number, which 'bright' is not" in wrong["fault"]["message"]
        gone = judged(filled, PLAIN, **more)
        assert gone == {"fault": None, "parameters": []}
    assert "parameters" not in judged([], "SELECT raa FROM objects WHERE ra > :a")
    for nonsense in ("x", [1], [{"name": {}}], {"a": 1}, None):
        assert judged(nonsense)["fault"]["position"] is not None


def test_forms_and_addresses_keep_the_values(client: Client) -> None:
    from lasair_broker.web.filters.models import Filter
    from lasair_broker.web.filters.wording import wording_of
    from lasair_broker.web.queries.models import Job, SavedQuery
    from lasair_broker.web.queries.texts import text_of

    client.post("/query/saved/new/", {"adql": ASKED, "name": "mine", **rows(limit="20", name="<b>")})
    kept = SavedQuery.objects.get(name="mine")
    assert [p.default for p in text_of(kept).parameters] == [20, "<b>"]
    page = client.get(f"/query/?saved={kept.pk}").content.decode()
    assert 'value="20"' in page
    assert 'value="&lt;b&gt;"' in page
    page = client.get("/query/", {"saved": kept.pk, ":LIMIT": "-7.5", ":name": "y"}).content.decode()
    assert 'value="-7.5"' in page
    assert 'value="y"' in page
    assert 'value="20"' in client.get("/query/", {"saved": kept.pk, ":limit": "x"}).content.decode()
    page = client.get("/query/", {"adql": ASKED}).content.decode()
    assert 'data-parameter="name"' in page, "the values are asked for"
    client.post("/query/run/", {"adql": ASKED, **rows(limit="3", name="z")})
    job = Job.objects.latest("pk")
    assert [p.default for p in text_of(job).parameters] == [3, "z"]
    assert ":limit" in client.get(f"/query/jobs/{job.pk}/").content.decode()
    assert 'value="3"' in client.get(f"/query/?job={job.pk}").content.decode()
    refused = client.post("/query/run/", {"adql": ASKED, **rows(limit="bright", name="z")})
    assert refused.status_code == 400
    assert "which &#x27;bright&#x27; is not" in refused.content.decode()

    begun = client.post("/filters/new/", {"begin": "1", "adql": ASKED, **rows(limit="3", name="z")})
    assert 'value="3"' in begun.content.decode()
    given = {"name": "f", "adql": ASKED, "trigger": "alert", "renotify": "every", **rows(limit="3", name="z")}
    assert client.post("/filters/new/", given).status_code == 302
    made = Filter.objects.get(name="f")
    assert [p.default for p in wording_of(made.versions.get()).parameters] == [3, "z"]
    assert 'value="z"' in client.get(f"/filters/{made.pk}/edit/").content.decode()
    page = client.post(f"/filters/{made.pk}/edit/", {**given, **rows(limit="x", name="z")})
    assert page.status_code == 400
    assert "is a number, which" in page.content.decode()


def test_who_is_not_logged_in_keeps_them_in_the_address(client: Client) -> None:
    given = {"adql": ASKED, **rows(limit="3", name="z")}
    nobody = Client(SERVER_NAME="localhost")
    answer = nobody.post("/query/run/", given)
    assert answer.status_code == 200, answer.content
    assert 'value="3"' in answer.content.decode()
    some = {"adql": "SELECT diaObjectId FROM objects WHERE nDiaSources > :limit", **rows(limit="0")}
    page = nobody.get("/query/run/", some).content.decode()
    assert "parameter-value=0" in page, "the links of the table have the values"
    assert 'value="0"' in page
    moved = client.get("/query/run/", given)
    assert 'value="3"' in client.get(moved["Location"]).content.decode()
