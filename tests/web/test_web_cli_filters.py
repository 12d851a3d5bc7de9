"""A person's way through `lasair filter` and `lasair run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from lasair_broker.archive import open_archive
from lasair_broker.web.accounts.models import User
from lasair_broker.web.filters.models import Filter, FilterOutput

Lasair = Callable[..., Result]

YOUNG = "SELECT objectName, nDiaSources FROM objects WHERE nDiaSources BETWEEN 2 AND 4"


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, **environment: str) -> Lasair:
    from lasair_broker.cli._app import app

    given = {"LASAIR_ARCHIVE__URL": str(folder), "LASAIR_USER": "ann", "COLUMNS": "200", **environment}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object, fails: int = 0, said: str = "") -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=said)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == fails, result.output
        return result

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a simulated night, whose filters come from a file: `lasair run` in a whole."""
    place = tmp_path_factory.mktemp("cli") / "archive"
    wishes = place.parent / "wishes.yaml"
    wishes.write_text(f"filters:\n  - id: 900\n    name: from a file\n    adql: {YOUNG}\n")
    with pytest.MonkeyPatch.context() as patch:
        lasair = command(patch, place, LASAIR_STREAM__SUBSCRIPTIONS=str(wishes))
        said = lasair("run", "--simulate", 150).output
        assert "hits of filters" in said
        assert "0 alerts stored" in lasair("ingest", "--simulate", 150).output
    structlog.reset_defaults()  # its log went to where the runner kept what was said
    return place


@pytest.fixture
def lasair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lasair:
    run = command(monkeypatch, folder)
    run("user", "create", "ann")
    return run


def created(lasair: Lasair, *more: str) -> int:
    lasair("filter", "create", "young", "--query", YOUNG, *more)
    return Filter.objects.latest("pk").pk


def test_a_filter_from_draft_to_its_end(lasair: Lasair, folder: Path) -> None:
    number = created(lasair, "--renotify", "7d,nDiaSources", "--description", "young ones")
    assert "preview version 1 first" in lasair("filter", "activate", number, fails=1).output
    said = lasair("filter", "preview", number, "--sample", 2).output
    with open_archive(folder) as archive:
        passing = archive.query(f"SELECT count(*) FROM ({YOUNG})").column(0)[0].as_py()
        stored = archive.query("SELECT count(*) FROM filter_hits WHERE filterId = 900").column(0)[0].as_py()
        old = archive.query("SELECT objectName FROM objects WHERE nDiaSources > 4 LIMIT 1")
        name = old.column(0)[0].as_py()
    assert passing > 0
    assert stored >= passing
    assert f"{passing:,} objects of the archive pass version 1" in said
    assert "hits a night" in said
    lasair("filter", "edit", number, "--query", "SELECT objectName, nDiaSources FROM objects")
    lasair("filter", "preview", number)
    assert "100 % of the alerts" in lasair("filter", "activate", number, fails=1).output
    lasair("filter", "edit", number, "--query", f"{YOUNG} AND decl < -89.9", "--comment", "fewer")
    lasair("filter", "preview", number)
    assert f"filter {number} runs version 3" in lasair("filter", "activate", number).output
    assert "version 3" in lasair("filter", "list").output
    shown = lasair("filter", "show", number).output
    for words in ("young ones", "fewer", "decl < -89.9", "7 days, nDiaSources", "active", "previewed"):
        assert words in shown
    assert "+SELECT objectName" in lasair("filter", "diff", number, 2, 3).output
    why = lasair("filter", "why", number, name, "--version", 1).output
    assert f"{name} does not pass" in why
    assert "nDiaSources BETWEEN 2 AND 4" in why
    assert "false" in why
    health = lasair("filter", "health", number).output
    assert "version 3 runs" in health
    assert "never ran" in lasair("filter", "rollback", number, 1, fails=1).output
    lasair("filter", "deactivate", number)
    assert "it does not run" in lasair("filter", "health", number).output
    lasair("filter", "rollback", number, 3)
    lasair("filter", "share", number, "public")
    lasair("filter", "fork", number, "--name", "my copy")
    assert "my copy" in lasair("filter", "list").output
    assert lasair("filter", "delete", number, fails=1, said="n\n").exit_code == 1
    lasair("filter", "delete", number, "--yes")
    assert f"no filter {number}" in lasair("filter", "show", number, fails=1).output
    lasair("filter", "restore", number)
    lasair("filter", "show", number)
    assert f"removed no filter {number}" in lasair("filter", "restore", number, fails=1).output


def test_hits_and_replays(lasair: Lasair, folder: Path, tmp_path: Path) -> None:
    made = Filter.objects.create(pk=900, name="of the file", topic="x", owner=User.objects.get())
    lasair("filter", "edit", made.pk, "--query", YOUNG)
    said = lasair("filter", "hits", 900, "--json", "--limit", 1000).output
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines
    assert all(2 <= line["content"]["nDiaSources"] <= 4 for line in lines)
    assert str(lines[0]["diaObjectId"]) in lasair("filter", "hits", 900).output
    out = tmp_path / "hits.parquet"
    said = lasair("filter", "replay", 900, "--since", "1d", "-o", out).output
    assert f"{len(lines):,} hits in" in said
    assert "features are worked out by this version" in said
    again = pq.read_table(out)
    assert set(again.column("hitId").to_pylist()) == {line["hitId"] for line in lines}
    assert "no time" in lasair("filter", "replay", 900, "--since", "never", fails=2).output


def test_hits_are_sent_again_after_the_last_that_one_has(lasair: Lasair) -> None:
    from lasair_broker.web.delivery.models import Redelivery

    Filter.objects.create(pk=900, name="of the file", topic="x", owner=User.objects.get())
    lasair("filter", "edit", 900, "--query", YOUNG)
    said = lasair("filter", "hits", 900, "--json", "--limit", 1000).output
    have = json.loads(said.splitlines()[1])
    place = f"{have['committedMjdTai']!r}/{have['hitId']}"
    assert "no such output" in lasair("deliver", "again", 900, "--after", place, fails=1).output
    lasair("filter", "output", "add", 900, "webhook", "--url", "https://example.org/hook")
    assert "asked for at 1 output" in lasair("deliver", "again", 900, "--after", place).output
    wish = Redelivery.objects.get()
    assert (wish.reached_mjd, wish.reached_hit) == (have["committedMjdTai"], have["hitId"])
    assert "still being sent" in lasair("deliver", "again", 900, "--since", "2h", fails=1).output
    assert "MJD/hitId" in lasair("deliver", "again", 900, "--after", "yesterday", fails=1).output
    assert "give the beginning" in lasair("deliver", "again", 900, fails=1).output


def test_parameters_of_filters_and_queries(lasair: Lasair, folder: Path) -> None:
    asked = "SELECT objectName, nDiaSources FROM objects WHERE nDiaSources BETWEEN :least AND :most"
    assert (
        ":most has no value"
        in lasair("filter", "create", "p", "-q", asked, "--set", "least=2", fails=1).output
    )
    lasair("filter", "create", "p", "-q", asked, "--set", "least=2", "--set", "most=4")
    number = Filter.objects.get(name="p").pk
    with open_archive(folder) as archive:
        passing = archive.query(f"SELECT count(*) FROM ({YOUNG})").column(0)[0].as_py()
    assert f"{passing:,} objects" in lasair("filter", "preview", number).output
    lasair("filter", "edit", number, "--set", ":most=3")
    shown = lasair("filter", "show", number).output
    assert "parameter :least number = 2" in shown
    assert "parameter :most number = 3" in shown
    assert "-- parameter :most number = 4" in lasair("filter", "diff", number, 1, 2).output
    lasair("filter", "edit", number, "-q", asked.replace(":most", "9"))
    assert ":most" not in lasair("filter", "show", number).output
    for given, told in [
        ("most=3", "is not in the query"), ("least=few", "is a number"), ("least", "write NAME=VALUE"),
    ]:  # fmt: skip
        assert told in lasair("filter", "edit", number, "--set", given, fails=2).output
    counted = "SELECT COUNT(*) AS n FROM objects WHERE nDiaSources BETWEEN :least AND :most"
    assert str(passing) in lasair("query", counted, "--set", "least=2", "--set", "most=4").output
    assert "the parameter :most has no value" in lasair("query", counted, "--set", "least=2", fails=1).output
    assert "x is not in the query" in lasair("query", YOUNG, "--set", "x=2", fails=1).output


def test_lasairs_own_form_from_files_and_standard_input(lasair: Lasair, tmp_path: Path) -> None:
    lasair(
        "filter", "create", "triple", "--selected", "objects.diaObjectId", "--tables", "objects",
        "--conditions", "objects.decl < 0", "--trigger", "both", "--renotify", "once",
    )  # fmt: skip
    version = Filter.objects.get(name="triple").versions.get()
    assert (version.selected, version.conditions) == ("objects.diaObjectId", "objects.decl < 0")
    assert (version.trigger, version.renotify) == ("both", "once")
    (tmp_path / "query.sql").write_text(YOUNG)
    lasair("filter", "create", "from file", "--query", f"@{tmp_path / 'query.sql'}")
    lasair("filter", "create", "piped", "--query", "-", said=YOUNG)
    for name in ("from file", "piped"):
        assert Filter.objects.get(name=name).versions.get().adql == YOUNG


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["create", "x"], 2, "give --query"),
        (["create", "x", "-q", YOUNG, "--selected", "ra"], 2, "either --query"),
        (["create", "x", "-q", "@nothing.sql"], 2, "cannot be read"),
        (["create", "x", "-q", YOUNG, "--renotify", "soon,7"], 1, "soon"),
        (["create", "x", "-q", YOUNG, "--renotify", "7d,8d"], 2, "write every, once"),
        (["create", "x", "-q", "SELECT objectNam FROM objects"], 1, "did you mean objectName"),
        (["create", "x", "-q", "SELECT COUNT(*) AS n FROM objects"], 1, "groups rows"),
        (["show", 77777], 1, "no filter 77777"),
        (["share", 77777, "group"], 1, "which collaboration"),
    ],
)
def test_faults_are_told(lasair: Lasair, arguments: list[Any], code: int, says: str) -> None:
    assert says in lasair("filter", *arguments, fails=code).output
    assert not Filter.objects.exists()


def test_outputs(lasair: Lasair) -> None:
    number = created(lasair)
    lasair("user", "create", "bob")
    lasair("filter", "output", "add", number, "kafka", "--light-curve", "lite")
    said = lasair("filter", "output", "add", number, "webhook", "--url", "https://example.org/x?key=1").output
    assert "whsec_" in said
    hook = FilterOutput.objects.get(kind="webhook").pk
    assert (
        "https"
        in lasair("filter", "output", "add", number, "webhook", "--url", "http://x.org", fails=1).output
    )
    assert (
        "not of the collaboration"
        in lasair("filter", "output", "add", number, "email", "--to", "bob", fails=1).output
    )
    shown = lasair("filter", "output", "list", number).output
    assert "lite" in shown
    assert "key=1" not in shown, "an address may hold a secret"
    lasair("filter", "output", "change", hook, "--off")
    assert "off" in lasair("filter", "output", "list", number).output
    secret = lasair("filter", "output", "secret", hook).output.strip()
    assert FilterOutput.objects.get(pk=hook).secret == secret
    lasair("filter", "output", "remove", hook)
    assert "webhook" not in lasair("filter", "output", "list", number).output
