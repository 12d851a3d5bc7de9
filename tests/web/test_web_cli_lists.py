"""A person's way through `lasair user`, `watchlist`, `watchmap`, `annotator` and `annotate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from lasair_broker.archive import open_archive
from lasair_broker.sky import Moc
from lasair_broker.web.annotators.models import PushedAnnotation

sys.path.insert(0, str(Path(__file__).parents[1] / "archive"))  # packets_model is the archive's
from packets_model import Packet, Row, batch_of

Lasair = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive of five objects, a degree apart."""
    place = tmp_path / "archive"
    packets = [
        Packet(key, key, 61_000.0 + key, (Row(key, 61_000.0 + key),), ra=10.0 + key, decl=-20.0, images=False)
        for key in range(1, 6)
    ]
    with open_archive(place) as archive:
        archive.write([batch_of(packets)])
    return place


@pytest.fixture
def lasair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lasair:
    """Run a command on that archive, as ann unless another user is named."""
    from lasair_broker.cli._app import app

    monkeypatch.setenv("LASAIR_ARCHIVE__URL", str(folder))
    monkeypatch.setenv("LASAIR_USER", "ann")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, fails: int = 0, said: str = "") -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=said)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == fails, result.output
        return result

    return run


@pytest.fixture
def stars(folder: Path) -> Path:
    path = folder.parent / "stars.csv"
    path.write_text("ra,decl,name,radius,notes\n11,-20,one,5,mine\n12.001,-20,two,10,\n50,0,far,5,\n")
    return path


def test_without_a_user(lasair: Lasair) -> None:
    assert "lasair user create ann" in lasair("watchlist", "list", fails=1).output
    lasair("user", "create", "ann")
    assert "ann" in lasair("user", "list").output
    assert "already exists" in lasair("user", "create", "Ann", fails=1).output
    lasair("user", "create", "bob", "--email", "bob@example.org")
    assert "bob@example.org" in lasair("user", "list").output


def test_a_watchlist_from_upload_to_hits(lasair: Lasair, stars: Path, folder: Path) -> None:
    lasair("user", "create", "ann")
    assert "watchlist 1 made" in lasair("watchlist", "create", "stars", stars, "--activate").output
    assert "3" in lasair("watchlist", "list").output
    assert "waiting" in lasair("watchlist", "show", 1).output
    assert "1 lists" in lasair("watchlist", "match").output
    assert "done, 2 hits" in lasair("watchlist", "show", 1).output
    shown = lasair("watchlist", "hits", 1).output
    assert "name1" in shown
    assert "name2" in shown
    assert "far" not in shown
    lasair("watchlist", "edit-row", 1, 3, "--ra", "13", "--decl", "-20", "--notes", "moved")
    assert "moved" in lasair("watchlist", "rows", 1, "--name", "FAR").output
    lasair("watchlist", "delete-row", 1, 1)
    assert (
        "row 4 added" in lasair("watchlist", "add-row", 1, "--name", "new", "--ra", 14, "--decl", -20).output
    )
    lasair("watchlist", "match")
    shown = lasair("watchlist", "hits", 1).output
    assert "name1" not in shown
    assert "far" in shown
    assert "new" in shown
    copy = folder.parent / "copy.parquet"
    lasair("watchlist", "export", 1, copy)
    assert pq.read_table(copy).column("name").to_pylist() == ["two", "far", "new"]
    lasair("watchlist", "export", 1, folder.parent / "copy.txt", fails=2)
    lasair("watchlist", "deactivate", 1)
    lasair("watchlist", "match")
    assert "two" not in lasair("watchlist", "hits", 1).output
    lasair("watchlist", "delete", 1, fails=1, said="n\n")
    lasair("watchlist", "delete", 1, said="y\n")
    assert "there is no watchlist 1" in lasair("watchlist", "show", 1, fails=1).output


def test_faulty_rows_are_named(lasair: Lasair, folder: Path) -> None:
    lasair("user", "create", "ann")
    bad = folder.parent / "bad.csv"
    bad.write_text("ra,decl,name\n11,-20,one\n12,-100,two\nx,1,three\n")
    refused = lasair("watchlist", "create", "stars", bad, fails=1).output
    assert "2 faults" in refused
    assert "line 3, decl" in refused
    assert "line 4, ra" in refused
    assert "stars" not in lasair("watchlist", "list").output, "no list is made for a file that is refused"
    made = lasair("watchlist", "create", "stars", bad, "--skip-bad-rows").output
    # PostgreSQL gives no number twice, even if what had it was refused.
    number = made.split("watchlist ")[1].split()[0]
    assert "one" in lasair("watchlist", "rows", number).output
    odd = folder.parent / "odd.csv"
    odd.write_text("here;there;who\n11;-20;one\n")
    lasair("watchlist", "upload", number, odd, fails=1)
    lasair(
        "watchlist",
        "upload",
        number,
        odd,
        "--column",
        "ra=here",
        "--column",
        "decl=there",
        "--column",
        "name=who",
    )
    lasair("watchlist", "upload", number, odd, "--column", "what", fails=2)
    assert "radius" in lasair("watchlist", "edit-row", number, 1, "--radius", "9999", fails=1).output


def test_triggers_and_their_events(lasair: Lasair, stars: Path, folder: Path) -> None:
    lasair("user", "create", "ann")
    lasair("watchlist", "create", "stars", stars, "--activate")
    added = lasair("watchlist", "trigger", "add", 1, "--magnitude", 18, "--bands", "gr").output
    assert "brightens to 18 mag in gr" in added
    added = lasair(
        "watchlist",
        "trigger",
        "add",
        1,
        "--change",
        1,
        "--direction",
        "either",
        "--row",
        2,
        "--flux",
        "total",
    ).output
    assert "brightens or fades by 1 mag in ugrizy (total flux, 2 points in a row)" in added
    assert "magnitude: give" in lasair("watchlist", "trigger", "add", 1, fails=1).output
    assert (
        "no row 77"
        in lasair("watchlist", "trigger", "add", 1, "--magnitude", 18, "--row", 77, fails=1).output
    )
    lasair("watchlist", "trigger", "change", 1, "--magnitude", 17.5, "--no-active")
    shown = lasair("watchlist", "trigger", "list", 1).output
    assert "17.5" in shown
    lasair("watchlist", "trigger", "remove", 1)
    assert "17.5" not in lasair("watchlist", "trigger", "list", 1).output
    event = {
        "eventId": 5, "diaObjectId": 1, "wl_id": 1, "cone_id": 1, "name": "one", "triggerId": 2,
        "midpointMjdTai": 61_000.5, "direction": "brightens", "total": False, "flux": 9.0,
    }  # fmt: skip
    with open_archive(folder) as archive:
        archive.write([], tables={"watchlist_events": pa.Table.from_pylist([event])})
    assert "brightens" in lasair("watchlist", "events", 1).output


def test_a_watchmap_in_every_way(lasair: Lasair, folder: Path) -> None:
    lasair("user", "create", "ann")
    moc = folder.parent / "map.fits"
    moc.write_bytes(Moc.circle(11, -20, 0.5).to_fits())
    fields = folder.parent / "fields.csv"
    fields.write_text("ra,decl,name\n12,-20,A\n13,-20,B\n")
    lasair("watchmap", "create", "file", moc)
    lasair("watchmap", "create", "circle", "--circle", 14, -20, 0.5)
    lasair("watchmap", "create", "polygon", "--polygon", "10.5 -21, 12.5 -21, 12.5 -19, 10.5 -19")
    lasair("watchmap", "create", "fields", "--fields", fields, "--radius", 0.5)
    lasair("watchmap", "create", "none", fails=2)
    lasair("watchmap", "create", "none", "--fields", fields, fails=2)
    lasair("watchmap", "create", "none", "--polygon", "10 x", fails=2)
    assert "as a MOC" in lasair("watchmap", "create", "none", fields, fails=1).output
    assert float(lasair("watchmap", "area", 2).output) == pytest.approx(np.pi / 4, rel=0.02)
    lasair("watchlist", "match")
    for number, inside in {1: {"name1"}, 2: {"name4"}, 3: {"name1", "name2"}, 4: {"name2", "name3"}}.items():
        shown = lasair("watchmap", "hits", number).output
        assert {name for name in map("name{}".format, range(1, 6)) if name in shown} == inside
        assert f"done, {len(inside)} hits" in lasair("watchmap", "show", number).output
    lasair("watchmap", "upload", 2, moc)
    lasair("watchmap", "deactivate", 1)
    lasair("watchmap", "match")
    assert "name1" in lasair("watchmap", "hits", 2).output
    assert "name1" not in lasair("watchmap", "hits", 1).output
    copy = folder.parent / "copy.fits"
    lasair("watchmap", "export", 2, copy)
    assert Moc.read(copy.read_bytes()).ranges.tolist() == Moc.read(moc.read_bytes()).ranges.tolist()
    lasair("watchmap", "delete", 2, "--yes")
    assert "circle" not in lasair("watchmap", "list").output


def test_others_see_what_is_shared(lasair: Lasair, stars: Path) -> None:
    lasair("user", "create", "ann")
    lasair("user", "create", "bob")
    lasair("watchlist", "create", "stars", stars, "--activate")
    lasair("watchmap", "create", "field", "--circle", 11, -20, 1)
    lasair("annotator", "create", "fast")
    lasair("watchlist", "match")
    for command in (
        ("watchlist", "show", 1),
        ("watchlist", "hits", 1),
        ("watchlist", "events", 1),
        ("watchlist", "rows", 1),
        ("watchlist", "trigger", "list", 1),
        ("watchmap", "hits", 1),
        ("watchmap", "area", 1),
        ("annotator", "share", "fast", "public"),
    ):
        assert "there is no" in lasair(*command, "--user", "bob", fails=1).output
    lasair("watchlist", "share", 1, "public")
    lasair("watchmap", "share", 1, "public")
    lasair("annotator", "share", "fast", "public")
    assert "name1" in lasair("watchlist", "hits", 1, "--user", "bob").output
    assert "name1" in lasair("watchmap", "hits", 1, "--user", "bob").output
    assert "fast" in lasair("annotator", "list", "--user", "bob").output
    refused = lasair("watchlist", "edit-row", 1, 1, "--ra", 5, "--user", "bob", fails=1).output
    assert "belongs to ann" in refused
    assert (
        "no collaboration none" in lasair("watchlist", "share", 1, "group", "--with", "none", fails=1).output
    )


def test_annotations(lasair: Lasair, folder: Path) -> None:
    lasair("user", "create", "ann")
    lasair("user", "create", "bob")
    lasair("annotator", "create", "fast", "--kind", "program", "--description", "how fast it rises")
    pushed = lasair("annotate", "fast", "--object", 1, "--classification", "SN", "--classdict", '{"p": 1}')
    assert "1 annotations pushed under fast" in pushed.output
    said = [{"diaObjectId": 2, "classification": "AGN"}, {"diaObjectId": 3, "classification": "SN"}]
    files = {
        "said.csv": "diaObjectId,classification,url\n2,AGN,\n3,SN,https://x.org\n",
        "said.json": json.dumps(said),
        "said.jsonl": "\n".join(map(json.dumps, said)),
    }
    for name, text in files.items():
        (folder.parent / name).write_text(text)
        lasair("annotate", "fast", folder.parent / name)
    table = folder.parent / "said.parquet"
    pq.write_table(pa.Table.from_pylist(said), table)
    lasair("annotate", "fast", table)
    rows: Any = PushedAnnotation.objects.values_list("diaObjectId", "classification")
    assert list(rows) == [(1, "SN"), *[(2, "AGN"), (3, "SN")] * 4]
    wrong = folder.parent / "wrong.csv"
    wrong.write_text("diaObjectId,classification\n1,SN\n777,SN\n1,\n")
    refused = lasair("annotate", "fast", wrong, fails=1).output
    assert "row 2, diaObjectId: there is no object 777" in refused
    assert "row 3, classification: is missing" in refused
    assert PushedAnnotation.objects.count() == 9
    for name, text, says in (
        ("a.csv", "diaObjectId,classification\n1,SN,more\n", "row 1"),
        ("a.jsonl", '{"diaObjectId": 1, "classification": "SN"}\n{"dia', "line 2"),
        ("a.json", "[1]", "row 1: is no object"),
    ):
        (folder.parent / name).write_text(text)
        assert says in lasair("annotate", "fast", folder.parent / name, fails=1).output
    one = ("annotate", "fast", "--object", 1, "--classification", "SN")
    assert "there is no annotator" in lasair(*one, "--user", "bob", fails=1).output
    lasair("annotator", "change", "fast", "--writer", "bob")
    lasair(*one, "--user", "bob")
    lasair("annotator", "change", "fast", "--no-active")
    assert "is not active" in lasair(*one, fails=1).output
    lasair("annotate", "fast", fails=2)
