"""Filters as YAML: there and back, by hand and by whatever text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

QUERY = "SELECT diaObjectId, nDiaSources\nFROM objects\nWHERE nDiaSources > 3 -- «some»: #1\n"


def _versions(user: Any, found: Any) -> list[Any]:
    from lasair_broker.web.filters.services import visible_versions
    from lasair_broker.web.filters.wording import wording_of

    return [wording_of(version) for version in visible_versions(user, found.pk)]


def _made(user: Any) -> list[Any]:
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import Wording

    return [
        services.create(
            user, "Lines", Wording(adql=QUERY), description="two\nlines: [x] 'y' \t ☄", comment="a"
        ),
        services.create(
            user,
            "Triple: yes",
            Wording(
                selected="objects.diaObjectId",
                tables="objects",
                conditions="objects.nDiaSources > 3",
                trigger="both",
                renotify="again",
                renotify_days=7.5,
                renotify_columns=["diaObjectId"],
            ),
        ),
        services.create(user, "no", Wording(adql=QUERY, renotify="once", trigger="any")),
    ]


def test_there_and_back(people: Any) -> None:
    from lasair_broker.web.filters import files

    made = _made(people.owner)
    text = files.exported(people.owner, [each.pk for each in made])
    back = files.imported(people.other, text)
    assert [(each.name, each.description) for each in back] == [
        (each.name, each.description) for each in made
    ]
    for one, other in zip(made, back, strict=True):
        assert _versions(people.owner, one) == _versions(people.other, other)
        assert other.visibility == "private"
        assert other.active_version is None
    assert back[0].versions.get().comment == "a"
    again = files.exported(people.other, [each.pk for each in back])
    strip = [{k: v for k, v in each.items() if k != "id"} for each in yaml.safe_load(again)["filters"]]
    assert strip == [{k: v for k, v in each.items() if k != "id"} for each in yaml.safe_load(text)["filters"]]
    assert files.imported(people.other, text)[0].name == "Lines (2)"


def test_a_file_also_runs_where_there_is_no_site(people: Any, tmp_path: Path) -> None:
    from lasair_broker.stream import SubscriptionFile
    from lasair_broker.web.filters import files

    made = _made(people.owner)
    path = tmp_path / "wishes.yaml"
    path.write_text(files.exported(people.owner, [each.pk for each in made]), encoding="utf-8")
    active = SubscriptionFile(path).filters().filters
    assert [(each.filter_id, each.name) for each in active] == [(each.pk, each.name) for each in made]
    assert (active[1].renotify.days, active[1].renotify.columns) == (7.5, ("diaObjectId",))


@pytest.mark.parametrize(
    "text",
    ["plain", "two\nlines\n", "  leading", "trailing \nblank ", "\n", "tab\there", "yes", "1.5", "~", "a: b",
     "- x", "# no", "'\"", "é ☄ 中", "x\r\ny", "%", "@", "*a", "&a", "|", ">"],
)  # fmt: skip
def test_texts_come_back_as_they_were(text: str, people: Any) -> None:
    from lasair_broker.web.filters import files, services
    from lasair_broker.web.filters.wording import Wording

    made = services.create(people.owner, f"x{text.strip()}", Wording(adql=QUERY), description=text)
    [back] = files.imported(people.other, files.exported(people.owner, [made.pk]))
    assert (back.name, back.description) == (made.name, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no list `filters:`"),
        ("[1, 2]", "no list `filters:`"),
        ("filters: []", "no list `filters:`"),
        ("filters: [1]", "filter 1"),
        ("filters: [{name: x}]", "give either adql"),
        ("filters: [{name: x, adql: SELECT, nonsense: 1}]", "filter 1.nonsense"),
        ("filters: [{name: a, adql: SELECT nothing FROM objects}]", "filter 1 (a), adql"),
        ("filters: [{name: '', adql: SELECT diaObjectId FROM objects}]", "filter 1 (), name"),
        ("filters: [{name: \"a\\0\", adql: SELECT diaObjectId FROM objects}]", "no text has"),
        ("filters: [{name: \"a\\uD800\", adql: SELECT diaObjectId FROM objects}]", ""),
        ("filters: &a [*a]", "refers to itself"),
        ("filters: " + "[" * 5000, "filters"),
        ("a: b: c", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("x" * (1024**2 + 1), "at most"),
        ("filters: [" + "{name: x}," * 101 + "]", "at most 100"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_and_leave_nothing(text: str, told: str, people: Any) -> None:
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.filters import files
    from lasair_broker.web.filters.models import Filter

    with pytest.raises(Invalid) as caught:
        files.imported(people.owner, text)
    assert told in str(caught.value) or told == "filters"
    assert not Filter.everything.filter(owner=people.owner).exists()


def test_one_that_is_wrong_stops_all(people: Any) -> None:
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.filters import files
    from lasair_broker.web.filters.models import Filter

    good, bad = "{name: g, adql: SELECT diaObjectId FROM objects}", "{name: b, adql: SELECT x FROM objects}"
    with pytest.raises(Invalid, match=r"filter 2 \(b\), adql"):
        files.imported(people.owner, f"filters: [{good}, {bad}]")
    assert not Filter.everything.filter(owner=people.owner).exists()


def test_who_may_not_see_a_filter_gets_no_file(people: Any) -> None:
    from lasair_broker.web.errors import NotFound
    from lasair_broker.web.filters import files

    [made, *_] = _made(people.owner)
    with pytest.raises(NotFound):
        files.exported(people.other, [made.pk])


def test_by_the_pages_and_the_api(people: Any) -> None:
    [made, *_] = _made(people.owner)
    owner, other = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    owner.force_login(people.owner)
    other.force_login(people.other)
    file = owner.get("/filters/export/", {"filter": made.pk})
    assert file.headers["Content-Disposition"] == f'attachment; filename="lasair-filter-{made.pk}.yaml"'
    assert owner.get("/api/v1/filters/export/").content.count(b"adql: |") == 2
    assert other.get("/filters/export/", {"filter": made.pk}).status_code == 404
    assert other.get("/api/v1/filters/export/", {"filter": "x"}).status_code == 400
    upload = io.BytesIO(file.content)
    upload.name = "f.yaml"
    page = other.post("/filters/import/", {"file": upload}, follow=True)
    assert page.redirect_chain[-1][0].startswith("/filters/")
    assert "Lines" in page.content.decode()
    wrong = other.post("/filters/import/", {"text": "filters: <b>"})
    assert wrong.status_code == 400
    assert "no list" in wrong.content.decode()
    answer = other.post(
        "/api/v1/filters/import/", {"yaml": file.content.decode()}, content_type="application/json"
    )
    assert answer.status_code == 201
    assert answer.json()[0]["name"] == "Lines (2)"
    assert Client(SERVER_NAME="localhost").get("/api/v1/filters/export/").status_code == 401
